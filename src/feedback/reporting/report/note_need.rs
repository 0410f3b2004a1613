//! Decides which note has to show why an execution failed.

use crate::feedback::reporting::note::Written;
use crate::feedback::reporting::plan::Occasion;

/// The note that the failure of an attempt needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoteNeed<'a> {
    /// It is shown, or a person may have deleted it in one place.
    Nothing,
    /// A copy of this one, which is shown in another place. A later look could find less: another
    /// execution may have begun.
    Copy(&'a str),
    First,
    /// The notes that exist show the failure. None is created, although the failure was reported: a
    /// person may have deleted it.
    Edit,
    /// The one that is shown may be incomplete. A second look is the last one.
    SecondLook,
}

impl<'a> NoteNeed<'a> {
    /// The note that is needed if one place has `shown` for the attempt, or each place has one, and
    /// if GitLab did not show the failure before the report.
    pub fn of(
        occasion: Occasion,
        shown: Option<Written<'a>>,
        is_everywhere: bool,
        is_unreported: bool,
    ) -> Self {
        match (occasion, shown) {
            (Occasion::HealthCheck, Some(shown)) if shown.is_late => NoteNeed::SecondLook,
            (Occasion::HealthCheck, Some(_)) => NoteNeed::Nothing,
            _ if is_everywhere => NoteNeed::Nothing,
            (Occasion::Event(_), Some(shown)) => NoteNeed::Copy(shown.note),
            (Occasion::HealthCheck, None) if !is_unreported => NoteNeed::Edit,
            (_, None) => NoteNeed::First,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::reporting::plan::Scope;

    #[test]
    fn failure_needs_a_note_where_it_is_not_shown() {
        const EVENT: Occasion = Occasion::Event(Scope::Execution);
        const CHECK: Occasion = Occasion::HealthCheck;
        let (complete, late) = (
            "<!-- m failure a1 -->\n",
            "<!-- m failure a1 may be incomplete -->\n",
        );
        for (occasion, shown, is_everywhere, is_unreported, expected) in [
            (EVENT, None, false, true, NoteNeed::First),
            (EVENT, None, false, false, NoteNeed::First),
            (
                EVENT,
                Some(complete),
                false,
                false,
                NoteNeed::Copy(complete),
            ),
            (EVENT, Some(late), false, false, NoteNeed::Copy(late)),
            (EVENT, Some(complete), true, false, NoteNeed::Nothing),
            (EVENT, Some(late), true, false, NoteNeed::Nothing),
            (CHECK, None, false, true, NoteNeed::First),
            (CHECK, None, false, false, NoteNeed::Edit),
            (CHECK, Some(complete), false, true, NoteNeed::Nothing),
            (CHECK, Some(complete), true, false, NoteNeed::Nothing),
            (CHECK, Some(late), false, false, NoteNeed::SecondLook),
            (CHECK, Some(late), true, true, NoteNeed::SecondLook),
            // There is no place for a note.
            (CHECK, None, true, true, NoteNeed::Nothing),
        ] {
            let shown = shown.map(Written::parse);
            let need = NoteNeed::of(occasion, shown, is_everywhere, is_unreported);
            assert_eq!(
                need, expected,
                "{occasion:?} {shown:?} {is_everywhere} {is_unreported}"
            );
        }
    }
}
