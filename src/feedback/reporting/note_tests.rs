//! The text of a note, and the parts that are read from it.

use super::*;
use crate::gitops_pipeline::observe::pipeline_settings::tests::settings;

const URL: &str = "https://console/pipelines/p/executions/e1/timeline";

fn with_note<T>(read: impl FnOnce(NoteOf<'_>) -> T) -> T {
    read(NoteOf {
        pipeline: &settings(false),
        environment: "dev",
        commit: "c0ffee",
        url: URL,
    })
}

fn state(approval: Option<ApprovalEnd>, end: ExecutionEnd) -> NoteState {
    NoteState {
        approval,
        end,
        has_former_release: false,
    }
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
    let long = "x".repeat(20_000);
    let of_failure = format!("```\n{CHANGE_SET}\nprinted\n{long}\n```");
    let note = with_note(|note| note.waiting(&[]) + &long);
    let failed = with_note(|note| note.with("failed", Some(&failure("")), &of_failure, None));
    for (note, of_note) in [
        (&note, &["commit `c0ffee`", "stack `cfnstack-dev-shop`"][..]),
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
            !short.contains(&long) && !short.contains("printed"),
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
    let of = |action: &str| Failed(Some(action.to_owned()));
    for (approval, end, expected) in [
        (Some(Approved), Open, "Changes to `dev` were approved"),
        (
            Some(Approved),
            Deployed,
            "Changes to `dev` were approved and deployed",
        ),
        (
            Some(Approved),
            of("Deploy"),
            "Changes to `dev` were approved, but the deployment failed",
        ),
        (
            Some(Approved),
            Failed(None),
            "Changes to `dev` were approved, but a condition of the stage failed",
        ),
        (
            Some(Approved),
            Canceled("stopped".to_owned()),
            "Changes to `dev` were approved, but the execution was stopped",
        ),
        (
            Some(Unchanged),
            Deployed,
            "Changes to `dev` needed no approval, because there are none",
        ),
        (Some(Rejected), Open, "Changes to `dev` were rejected"),
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
        assert_eq!(state(approval, end).text("`dev`"), expected);
    }
}

#[test]
fn written_note_is_read_again() {
    let state = state(None, ExecutionEnd::Failed(None));
    with_note(|of| {
        let waiting = of.waiting(&[]);
        let written = Written::parse(&waiting);
        assert!(written.waits);
        assert_eq!((written.execution_id, written.failed_attempt), ("e1", None));
        let late = FailureText {
            is_late: true,
            ..failure("because")
        };
        let failed = of.ended(&state, Some(&late), None);
        let read = Written::parse(&failed);
        assert_eq!((read.failed_attempt, read.is_late), (Some("a1"), true));
        assert!(!read.waits && !failed.contains("Commit"), "{failed}");
        let listed = of.ended(&state, Some(&late), Some(&[]));
        assert!(listed.contains("Commit `c0ffee`"), "{listed}");
        let ended = NoteState {
            end: ExecutionEnd::Deployed,
            ..state.clone()
        };
        let deployed = of.ended(&ended, None, None);
        assert!(of.is_shown(&ended, &deployed) && !of.is_shown(&state, &deployed));
        assert!(!deployed.contains("cfn-gitops undo"), "{deployed}");
        let later = NoteState {
            has_former_release: true,
            ..ended
        };
        let deployed = of.ended(&later, None, None);
        assert!(deployed.contains("cfn-gitops undo shop"), "{deployed}");
    });
}

#[test]
fn text_of_others_has_no_quick_actions() {
    let text = "a\n/close\n\r/merge\r\n \r/x\nb";
    assert_eq!(without_commands(text), "a\n /x\nb");
}
