//! The text of a note, and the parts that are read from it.

use super::*;
use crate::feedback::reporting::tests::{location, settings};

const URL: &str = "https://console/pipelines/p/executions/e1/timeline";

fn with_note<T>(read: impl FnOnce(NoteOf<'_>) -> T) -> T {
    let (names, settings) = (ResourceNames::new("dev", "shop"), settings());
    read(NoteOf {
        names: &names.expect("valid names"),
        location: &location(),
        settings: &settings,
        commit: "c0ffee",
        url: URL,
    })
}

fn failure(text: &str) -> FailureText {
    FailureText {
        attempt: "a1".to_owned(),
        is_late: false,
        text: text.to_owned(),
    }
}

#[test]
fn short_note_has_the_functions_own_words_alone() {
    let tag = |verb: &str| format!("{verb}/dev/shop/k1");
    let long = "x".repeat(20_000);
    let of_failure = format!("```\n{CHANGE_SET}\n{TAGS} nobody\n{long}\n```");
    let note = with_note(|note| {
        let names = ["reject", "deploy"].map(tag);
        let decided = Decided {
            doubts: vec![(tag("deploy"), Doubt::Unreadable)],
            ..Decided::default()
        };
        let tags = tags("https://gitlab/p", "c0ffee", names, &decided);
        note.waiting(&[]) + &long + "\n" + &tags
    });
    let failed = with_note(|note| note.with("failed", Some(&failure("")), &of_failure, ""));
    for (note, of_note) in [
        (
            &note,
            &[
                "commit `c0ffee`",
                "stack `cfnstack-dev-shop`",
                "tag_name=deploy%2Fdev%2Fshop%2Fk1",
            ][..],
        ),
        (&failed, &["failure a1", "**failed**"]),
    ] {
        let (short, written) = (short(note), Written::parse(note));
        for part in of_note.iter().chain(&[URL]) {
            assert!(
                short.to_lowercase().contains(&part.to_lowercase()),
                "{part}: {short}"
            );
        }
        assert!(
            !short.contains(&long) && !short.contains("nobody"),
            "{short}"
        );
        assert!(short.len() < 1_000, "{}", short.len());
        let read = Written::parse(&short);
        let of = |it: &Written| {
            (
                it.url.to_owned(),
                it.waits,
                it.failed_attempt.map(str::to_owned),
            )
        };
        assert_eq!(of(&read), of(&written));
    }
}

#[test]
#[allow(clippy::too_many_lines)] // A table of cases.
fn headline_shows_approval_and_end_of_the_execution() {
    use ApprovalEnd::{Approved, Rejected, Unchanged, Unneeded};
    use ExecutionEnd::{Canceled, Deployed, Failed, Open, RolledBack};
    let by = || Some(Approved(Some("olivia by deploy/x".to_owned())));
    let of = |action: &str| Failed(Some(action.to_owned()));
    for (approval, end, expected) in [
        (
            by(),
            Open,
            "Changes to `dev` were approved in GitLab by `olivia by deploy/x`",
        ),
        (
            Some(Approved(None)),
            Deployed,
            "Changes to `dev` were approved and deployed",
        ),
        (
            Some(Approved(None)),
            of("Deploy"),
            "Changes to `dev` were approved, but the deployment failed",
        ),
        (
            Some(Approved(None)),
            Failed(None),
            "Changes to `dev` were approved, but a condition of the stage failed",
        ),
        (
            Some(Approved(None)),
            Canceled("stopped".to_owned()),
            "Changes to `dev` were approved, but the execution was stopped",
        ),
        (
            Some(Unchanged),
            Deployed,
            "Changes to `dev` needed no approval, because there are none",
        ),
        (Some(Rejected(None)), Open, "Changes to `dev` were rejected"),
        (
            Some(Unneeded),
            Open,
            "Changes to `dev` no longer need an approval",
        ),
        (None, Deployed, "Changes to `dev` were deployed"),
        (None, of("Build"), "The build for `dev` failed"),
        (None, of("Deploy"), "The deployment to `dev` failed"),
        (
            None,
            of("CreateChangeSet"),
            "`CreateChangeSet` failed on the way to `dev`",
        ),
        (
            None,
            Failed(None),
            "A condition of a stage failed on the way to `dev`",
        ),
        (None, RolledBack, "The deployment to `dev` was rolled back"),
        (
            None,
            Canceled("superseded".to_owned()),
            "An execution was superseded on its way to `dev`",
        ),
    ] {
        assert_eq!(NoteState { approval, end }.text("`dev`"), expected);
    }
}

#[test]
fn written_note_is_read_again() {
    let state = NoteState {
        approval: None,
        end: ExecutionEnd::Failed(None),
    };
    with_note(|of| {
        let waiting = of.waiting(&[]);
        let written = Written::parse(&waiting);
        assert!(written.waits && written.has_change_set());
        assert_eq!((written.execution_id, written.failed_attempt), ("e1", None));
        let late = FailureText {
            is_late: true,
            ..failure("because\n<!-- change set -->\n/close")
        };
        let failed = of.ended(&state, Some(&late), Some(&written));
        let read = Written::parse(&failed);
        assert_eq!((read.failed_attempt, read.is_late), (Some("a1"), true));
        assert!(
            !read.waits && read.change_set == written.change_set,
            "{failed}"
        );
        // GitLab may remove the line break at the end.
        let alone = of.ended(&state, Some(&failure("because\n<!-- change set -->")), None);
        assert!(
            !Written::parse(alone.trim_end()).has_change_set(),
            "{alone}"
        );
    });
}

/// A person may have edited the note: the lines would be quick actions of the token's user.
#[test]
fn command_in_an_edited_note_is_dropped() {
    let state = NoteState {
        approval: None,
        end: ExecutionEnd::Deployed,
    };
    with_note(|of| {
        let edited = of
            .waiting(&[])
            .replace("\n<!-- change set", "```\n<!-- change set");
        let edited = edited + "/merge\nkept\n```\n";
        let deployed = of.ended(&state, None, Some(&Written::parse(&edited)));
        assert!(
            !deployed.contains("/merge") && deployed.contains("kept"),
            "{deployed}"
        );
    });
}

#[test]
fn text_of_others_has_no_quick_actions() {
    let text = "a\n/close\n\r/merge\r\n \r/x\nb";
    assert_eq!(without_commands(text), "a\n /x\nb");
}
