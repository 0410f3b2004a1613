//! The table of a review's plan.

use super::*;
use crate::clients::aws::CallError;
use crate::common::reason_codes::Code;
use crate::feedback::change_sets::{Change, Effect};
use crate::feedback::review::build::OutputLocation;
use crate::feedback::review::template::Scan;

const COMMIT: &str = "c0ffee00c0ffee00";

fn names() -> ResourceNames {
    ResourceNames::new("dev", "shop").expect("names")
}

fn settings() -> ReviewSettings {
    ReviewSettings {
        branches: "review/*".to_owned(),
        change_set_comment: None,
        allow_transforms: false,
        template_path: "root-stack-shop.yaml".to_owned(),
        template_configuration: None,
        parameter_overrides: std::collections::BTreeMap::new(),
    }
}

fn build(state: BuildState) -> ReviewBuild {
    ReviewBuild {
        id: "codebuild-dev-review-shop:1-2-3".to_owned(),
        state,
        branch: "review/login".to_owned(),
        commit: COMMIT.to_owned(),
        output: Some(OutputLocation {
            bucket: "bucket".to_owned(),
            prefix: "review/shop/1-2-3/".to_owned(),
        }),
        ended: None,
    }
}

/// A review whose build succeeded, of a branch with one merge request without a note.
fn begun() -> ReviewState {
    ReviewState {
        head: BranchHead::At(COMMIT.to_owned()),
        notes: Some(vec![None]),
        ..ReviewState::new(Some(build(BuildState::Succeeded)))
    }
}

fn output(scan: Scan) -> BuildOutput {
    BuildOutput {
        template_url: "https://bucket/x".to_owned(),
        scan,
        parameters: vec![],
        tags: vec![],
    }
}

fn ready() -> ReviewState {
    ReviewState {
        output: Some(Ok(output(Scan::default()))),
        stack: Some(DeployedStack::Ready),
        ..begun()
    }
}

fn change_set(creation: Creation) -> ChangeSet {
    ChangeSet {
        id: String::new(),
        creation,
        is_partial: false,
        changes: vec![Change {
            effect: Effect::Add,
            logical_id: "Queue".to_owned(),
            resource_type: "AWS::SQS::Queue".to_owned(),
            is_updated: false,
            is_deleted: false,
            drift: None,
            properties: BTreeMap::new(),
        }],
    }
}

#[track_caller]
fn applies(state: &ReviewState, step: ReviewStep) {
    match next(state, &settings(), &names()) {
        Next::Apply(planned) => assert_eq!(planned, step),
        Next::Done(done) => panic!("{done:?} instead of {step:?}"),
        Next::Fail(error) => panic!("{error} instead of {step:?}"),
    }
}

#[track_caller]
fn ignores(state: &ReviewState, part: &str) {
    match next(state, &settings(), &names()) {
        Next::Done(Reviewed::Ignored(because)) => assert!(because.contains(part), "{because}"),
        _ => panic!("not ignored because of {part}"),
    }
}

#[test]
fn steps_follow_one_another() {
    let mut state = ReviewState::new(Some(build(BuildState::Succeeded)));
    applies(&state, ReviewStep::ReadHead);
    state.head = BranchHead::At(COMMIT.to_owned());
    applies(&state, ReviewStep::ReadNotes);
    state.notes = Some(vec![None]);
    applies(&state, ReviewStep::ReadOutput);
    state.output = Some(Ok(output(Scan::default())));
    applies(&state, ReviewStep::ReadStack);
    state.stack = Some(DeployedStack::Ready);
    applies(&state, ReviewStep::Compare);
    state.comparison = Some(ComparisonResult::Read(change_set(Creation::Complete)));
    applies(&state, ReviewStep::DeleteChangeSet);
    state.may_exist = false;
    state.head = BranchHead::Unread;
    applies(&state, ReviewStep::ReadHead);
    state.head = BranchHead::At(COMMIT.to_owned());
    applies(&state, ReviewStep::WriteNotes);
    state.is_written = true;
    assert!(matches!(
        next(&state, &settings(), &names()),
        Next::Done(Reviewed::Written)
    ));
}

#[test]
fn build_of_a_person_or_a_running_one_is_ignored() {
    ignores(&ReviewState::new(None), "did not start");
    ignores(&ReviewState::new(Some(build(BuildState::Running))), "runs");
}

#[test]
fn outdated_build_only_deletes_its_change_set() {
    for head in [BranchHead::Missing, BranchHead::At("another".to_owned())] {
        let mut state = ready();
        state.head = head;
        applies(&state, ReviewStep::DeleteChangeSet);
        state.may_exist = false;
        ignores(&state, "");
    }
}

#[test]
fn branch_without_merge_request_is_ignored() {
    let mut state = begun();
    state.notes = Some(vec![]);
    applies(&state, ReviewStep::DeleteChangeSet);
    state.may_exist = false;
    ignores(&state, "merge request");
}

#[test]
fn note_of_the_same_build_is_not_repeated() {
    let mut state = begun();
    state.notes = Some(vec![Some("<!-- … build 1-2-3 -->\ntext".to_owned())]);
    state.may_exist = false;
    ignores(&state, "already");
    state.notes = Some(vec![Some("<!-- … build 9 -->\ntext".to_owned())]);
    applies(&state, ReviewStep::ReadOutput);
}

#[test]
fn failed_build_is_written_without_a_change_set() {
    let mut state = begun();
    state.build = Some(build(BuildState::Failed("BUILD".to_owned())));
    applies(&state, ReviewStep::WriteNotes);
    assert_eq!(
        finding(&state, &settings(), &names()),
        Some(Finding::BuildFailed("BUILD".to_owned()))
    );
}

#[test]
fn blocked_template_gets_a_summary_unless_permitted() {
    let scan = Scan {
        blockers: [Blocker::Transform].into(),
        ..Scan::default()
    };
    let mut state = ready();
    state.output = Some(Ok(output(scan)));
    applies(&state, ReviewStep::WriteNotes);
    assert!(matches!(
        finding(&state, &settings(), &names()),
        Some(Finding::Summary(..))
    ));
    let permitting = ReviewSettings {
        allow_transforms: true,
        ..settings()
    };
    assert!(matches!(
        next(&state, &permitting, &names()),
        Next::Apply(ReviewStep::Compare)
    ));
}

#[test]
fn unreadable_template_fails_whatever_is_permitted() {
    let mut state = begun();
    let why = "it is not valid YAML (line 1, column 12)";
    let invalid = Unusable::Invalid("stack.yaml".to_owned(), "a template", why.to_owned());
    state.output = Some(Err(invalid));
    applies(&state, ReviewStep::WriteNotes);
    let found = finding(&state, &settings(), &names()).expect("a finding");
    let (status, text) = note::status(&found);
    assert_eq!(status, crate::clients::gitlab::StatusState::Failed);
    assert_eq!(text, format!("stack.yaml is not a template: {why}"));
}

#[test]
fn missing_stack_gets_a_summary() {
    let mut state = ready();
    state.stack = Some(DeployedStack::Missing);
    applies(&state, ReviewStep::WriteNotes);
}

#[test]
fn busy_stack_is_left_to_the_health_check() {
    let mut state = ready();
    state.stack = Some(DeployedStack::Busy);
    ignores(&state, "operation");
    state.stack = Some(DeployedStack::Ready);
    state.comparison = Some(ComparisonResult::Impossible("why"));
    ignores(&state, "why");
}

fn rejected(code: &str, cause: &str) -> ComparisonResult {
    ComparisonResult::Rejected(CallError {
        code: Some(code.to_owned()),
        ..CallError::local(Code::AwsRejected, "creating", cause)
    })
}

#[test]
fn rejected_change_set_is_shown() {
    let mut state = ready();
    state.comparison = Some(rejected("AccessDenied", "why"));
    let planned = next(&state, &settings(), &names());
    assert!(matches!(planned, Next::Fail(_)));
    state.comparison = Some(rejected("ValidationError", "why"));
    applies(&state, ReviewStep::WriteNotes);
    let invalid = Creation::Failed("Resource validation failed".to_owned());
    state.comparison = Some(ComparisonResult::Read(change_set(invalid)));
    applies(&state, ReviewStep::ReadValidation);
    let failed = Creation::Failed("why".to_owned());
    state.comparison = Some(ComparisonResult::Read(change_set(failed)));
    applies(&state, ReviewStep::DeleteChangeSet);
    assert_eq!(
        finding(&state, &settings(), &names()),
        Some(Finding::Rejected("why".to_owned()))
    );
}

/// A value that is sent, one that CodePipeline computes, and one of the configuration.
#[test]
fn reason_with_a_parameter_value_is_not_shown() {
    let mut state = ready();
    let mut built = output(Scan::default());
    built.parameters = vec![
        ("Stage".to_owned(), Some("blue-green".to_owned())),
        ("Image".to_owned(), None),
    ];
    state.output = Some(Ok(built));
    state.stack_parameters = [("Image".to_owned(), "sha-4711".to_owned())].into();
    for (reason, text) in [
        (
            "Unable to get mapping for M::blue-green::k",
            "Unable to get mapping for M::…::k",
        ),
        ("no image sha-4711", "no image …"),
        (
            "User: arn:aws:iam::123456789012:role/r",
            "User: arn:aws:iam::…:role/r",
        ),
    ] {
        state.comparison = Some(rejected("ValidationError", reason));
        let shown = finding(&state, &settings(), &names());
        assert_eq!(shown, Some(Finding::Rejected(text.to_owned())), "{reason}");
    }
}

#[test]
fn parameter_without_a_value_names_the_file() {
    let scan = Scan {
        parameters: [
            ("Default", true),
            ("Computed", false),
            ("Key", false),
            ("New", false),
        ]
        .map(|(name, has_default)| (name.to_owned(), has_default))
        .into(),
        ..Scan::default()
    };
    let mut built = output(scan);
    built.parameters = ["Computed", "Key", "New"]
        .map(|name| (name.to_owned(), (name == "Key").then(|| "x".to_owned())))
        .into();
    let mut state = ready();
    let present = |names: &[&str]| -> BTreeMap<String, String> {
        let of = |name: &&str| ((*name).to_owned(), "x".to_owned());
        names.iter().map(of).collect()
    };
    // The stack's value of a parameter that is named nowhere is not kept.
    state.stack_parameters = present(&["Computed", "Key", "Stale"]);
    built.scan.parameters.insert("Stale".to_owned(), false);
    state.output = Some(Ok(built.clone()));
    let settings = ReviewSettings {
        template_configuration: Some("dev.json".to_owned()),
        ..settings()
    };
    let found = finding(&state, &settings, &names());
    let Some(Finding::MissingValues(missing)) = found else {
        panic!("{found:?}");
    };
    assert_eq!(missing.unnamed, ["Stale"]);
    assert_eq!(missing.computed, ["New"]);
    assert_eq!(missing.configuration.as_deref(), Some("dev.json"));
    state.stack_parameters = present(&["Computed", "New"]);
    let found = finding(&state, &settings, &names());
    assert!(
        matches!(found, Some(Finding::MissingValues(_))),
        "{found:?}"
    );
    built.scan.parameters.remove("Stale");
    state.output = Some(Ok(built));
    assert_eq!(finding(&state, &settings, &names()), None);
    applies(&state, ReviewStep::Compare);
}
