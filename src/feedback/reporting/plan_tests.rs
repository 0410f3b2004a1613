//! The requests for an execution, by GitLab's records. One test for each rule.

use super::*;
use crate::clients::gitlab::ShownStatus;
use crate::feedback::reporting::statuses::OtherReporter;
use crate::feedback::reporting::tests::settings;
use crate::gitops_pipeline::names::are_of_one_account;

const URL: &str =
    "https://eu-central-1.console.aws.amazon.com/codesuite/executions/new/timeline#123456789012";
const EARLIER: &str = "https://eu-central-1.console.aws.amazon.com/codesuite/executions/earlier/timeline#123456789012";
/// The execution of another account.
const OTHER: &str =
    "https://eu-central-1.console.aws.amazon.com/codesuite/executions/other/timeline#210987654321";

fn execution(state: ExecutionState, actions: &[(&str, ActionState, &str)]) -> Execution {
    let action = |(name, state, summary): &(&str, ActionState, &str)| Action {
        name: (*name).to_owned(),
        stage: String::new(),
        state: *state,
        status: String::new(),
        summary: (*summary).to_owned(),
        by: String::new(),
        external_id: String::new(),
        attempt: String::new(),
    };
    Execution {
        is_newest: true,
        has_former_release: false,
        held_before: None,
        id: "new".to_owned(),
        commit: "c0ffee".to_owned(),
        state,
        status: match state {
            ExecutionState::Canceled => "Superseded".to_owned(),
            _ => String::new(),
        },
        started: None,
        updated: None,
        actions: actions.iter().map(action).collect(),
    }
}

fn names() -> ResourceNames {
    ResourceNames::new("dev", "shop").expect("valid names")
}

fn desired(execution: &Execution) -> CommitStatus {
    execution_status(execution, &names(), &settings(), URL).expect("a status")
}

/// The state and the description of the execution's status.
fn status_of(
    state: ExecutionState,
    actions: &[(&str, ActionState, &str)],
) -> (StatusState, String) {
    let status = desired(&execution(state, actions));
    (status.state, status.description)
}

/// Statuses as GitLab shows them. The latest one may be another function's.
fn of(shown: Vec<ShownStatus>) -> Statuses {
    let other = shown.last().map(|it| it.status.target_url.clone());
    let other = other.filter(|url| !are_of_one_account(url, URL)).map(OtherReporter::Address);
    Statuses::of(shown.clone(), shown, URL, other)
}

/// The states that are posted for an execution in `state`: to the latest status's pipeline
/// (`None`), and to others, by their numbers. `shown` are the statuses in GitLab, each with its
/// pipeline and its address.
fn posted(
    state: ExecutionState,
    shown: &[(u64, StatusState, &str)],
) -> Vec<(Option<u64>, StatusState)> {
    let shown = shown.iter().map(|(id, state, url)| ShownStatus {
        branch: None,
        author: None,
        pipeline_id: Some(*id),
        status: CommitStatus {
            name: "cfn-gitops/dev/shop".to_owned(),
            state: *state,
            description: String::new(),
            target_url: (*url).to_owned(),
        },
    });
    let shown = of(shown.collect());
    let posts = status_posts(&desired(&execution(state, &[])), &shown);
    posts.iter().map(|post| (post.ended_in, post.status.state)).collect()
}

/// One test for each row: the execution's state and actions, and its status with the description.
macro_rules! statuses {
    ($($name:ident: $execution:ident, $actions:expr => $state:ident, $text:literal;)*) => {
        $(
            #[test]
            fn $name() {
                let (state, text) = status_of(ExecutionState::$execution, &$actions);
                assert_eq!((state, text.as_str()), (StatusState::$state, $text));
            }
        )*
    };
}

statuses! {
    succeeded_execution_names_its_environment: Succeeded, [] => Success, "Deployed to dev";
    failed_execution_names_its_action_and_reason: Failed, [
            ("Source", ActionState::Succeeded, ""),
            ("Build", ActionState::Failed, "Build terminated\nwith state: FAILED"),
        ]
        => Failed, "Build failed: Build terminated with state: FAILED";
    rejected_execution_is_canceled: Failed, [(APPROVAL, ActionState::Failed, "not today")]
        => Canceled, "The approval was rejected: not today";
    superseded_execution_is_canceled: Canceled, [] => Canceled, "The execution was superseded";
    rolled_back_execution_has_failed: RolledBack, [(DEPLOY, ActionState::Failed, "Table exists")]
        => Failed, "Rolled back in dev. Deploy failed: Table exists";
    rollback_by_a_condition_has_failed: RolledBack, []
        => Failed, "Rolled back in dev. A condition of the stage failed";
    rejected_execution_that_rolls_back_is_canceled:
        RolledBack, [(APPROVAL, ActionState::Failed, "")]
        => Canceled, "The approval was rejected";
}

#[test]
fn long_reason_is_shortened_to_255_characters() {
    let reason = "ü".repeat(400);
    let actions = [("Build", ActionState::Failed, reason.as_str())];
    let (_, text) = status_of(ExecutionState::Failed, &actions);
    assert_eq!(text.chars().count(), MAX_CHARACTERS);
    assert!(text.ends_with('…'));
}

/// Each approver can write any text.
#[test]
fn words_of_the_function_count_only_if_it_wrote_them() {
    const FUNCTION: &str = "arn:aws:sts::123456789012:assumed-role/role-dev-cfn-gitops/f";
    const JANE: &str = "arn:aws:sts::123456789012:assumed-role/Approver/jane";
    const PATH: &str = "arn:aws:iam::123456789012:user/role-dev-cfn-gitops/jane";
    let ended = |state, by: &str, summary: &str| {
        let mut execution = execution(ExecutionState::Failed, &[(APPROVAL, state, summary)]);
        by.clone_into(&mut execution.actions[0].by);
        let end = ApprovalEnd::of(&execution.actions[0], &names(), execution.state);
        let status = approval_status(&execution, &names(), &settings(), URL);
        (end, status.expect("a status").description)
    };
    let unchanged = "cfn-gitops: the change set has no changes";
    let (given, refused) = (ActionState::Succeeded, ActionState::Failed);
    let expected = |end, description: &str| (Some(end), description.to_owned());
    assert_eq!(
        ended(given, FUNCTION, unchanged),
        expected(ApprovalEnd::Unchanged, "Approved: no changes")
    );
    for by in [JANE, PATH, ""] {
        assert_eq!(
            ended(given, by, unchanged),
            expected(ApprovalEnd::Approved, "Approved"),
            "{by}"
        );
        assert_eq!(
            ended(refused, by, "not today"),
            expected(ApprovalEnd::Rejected, "Rejected: not today"),
            "{by}"
        );
    }
}

#[test]
fn approval_that_was_not_given_is_canceled() {
    for (execution, approval) in [
        (ExecutionState::Failed, ActionState::Failed),
        (ExecutionState::Canceled, ActionState::Running),
        (ExecutionState::Canceled, ActionState::Abandoned),
    ] {
        let execution = self::execution(execution, &[(APPROVAL, approval, "")]);
        let status = approval_status(&execution, &names(), &settings(), URL);
        assert_eq!(status.expect("a status").state, StatusState::Canceled);
    }
}

#[test]
fn deployment_is_recorded_when_it_has_ended() {
    use StatusState::{Canceled, Failed, Success};
    let (running, canceled) = (ExecutionState::Running, ExecutionState::Canceled);
    for (state, deployment, expected) in [
        (running, ActionState::Running, None),
        (running, ActionState::Succeeded, Some(Success)),
        (running, ActionState::Failed, Some(Failed)),
        (canceled, ActionState::Running, Some(Canceled)),
    ] {
        let execution = execution(state, &[(DEPLOY, deployment, "")]);
        assert_eq!(deployment_state(&execution, &settings()), expected);
    }
}

#[test]
fn switched_off_parts_are_not_reported() {
    let settings = ReportSettings {
        commit_status: false,
        deployments: false,
        ..settings()
    };
    let actions = [
        (APPROVAL, ActionState::Succeeded, ""),
        (DEPLOY, ActionState::Succeeded, ""),
    ];
    let execution = execution(ExecutionState::Succeeded, &actions);
    let status = execution_status(&execution, &names(), &settings, URL);
    let approval = approval_status(&execution, &names(), &settings, URL);
    let deployment = deployment_state(&execution, &settings);
    assert_eq!((status, approval, deployment), (None, None, None));
}

#[test]
fn state_is_posted_unless_gitlab_shows_it() {
    use StatusState::{Failed, Running, Success};
    let (runs, failed) = (ExecutionState::Running, ExecutionState::Failed);
    for (execution, shown, expected) in [
        (runs, None, Some(Running)),
        (failed, None, Some(Failed)),
        // A repeated event.
        (runs, Some((Running, URL)), None),
        (ExecutionState::Succeeded, Some((Success, URL)), None),
        // An open status of an earlier execution is not repeated, a final one is replaced.
        (runs, Some((Running, EARLIER)), None),
        (runs, Some((Failed, EARLIER)), Some(Running)),
        (failed, Some((Failed, EARLIER)), Some(Failed)),
        // The execution was retried.
        (runs, Some((Failed, URL)), Some(Running)),
    ] {
        let status = Vec::from_iter(shown.map(|(state, url)| (1, state, url)));
        let expected = Vec::from_iter(expected.map(|state| (None, state)));
        let posted = posted(execution, &status);
        assert_eq!(posted, expected, "{execution:?} {shown:?}");
    }
}

#[test]
fn open_status_of_another_pipeline_is_ended() {
    use StatusState::{Canceled, Failed, Running, Success};
    let shown = &[(1, Running, URL), (2, Failed, URL), (3, Running, URL)];
    let running = posted(ExecutionState::Running, shown);
    assert_eq!(running, [(Some(1), Canceled)]);
    let succeeded = posted(ExecutionState::Succeeded, shown);
    assert_eq!(succeeded, [(None, Success), (Some(1), Success)]);
    let shown = &[(1, Running, URL), (3, Success, URL)];
    let late = posted(ExecutionState::Succeeded, shown);
    assert_eq!(late, [(Some(1), Success)]);
    // Another account's is not ended, nor the one that belongs to its statuses.
    let shown = &[(1, Running, OTHER), (2, Running, URL), (3, Failed, OTHER)];
    let own = posted(ExecutionState::Succeeded, shown);
    assert_eq!(own, [(None, Success)]);
}

#[test]
fn status_of_another_account_is_no_reason_to_post_again() {
    use StatusState::{Failed, Running, Success};
    let succeeded = ExecutionState::Succeeded;
    for (execution, shown, expected) in [
        (succeeded, vec![(1, Success, URL), (1, Failed, OTHER)], None),
        (
            succeeded,
            vec![(1, Success, URL), (1, Running, OTHER)],
            None,
        ),
        // GitLab would reject the same open state.
        (ExecutionState::Running, vec![(1, Running, OTHER)], None),
        (
            ExecutionState::Running,
            vec![(1, Failed, OTHER)],
            Some(Running),
        ),
        // It has not posted its own.
        (succeeded, vec![(1, Success, OTHER)], Some(Success)),
        (
            succeeded,
            vec![(1, Success, EARLIER), (1, Failed, OTHER)],
            Some(Success),
        ),
        // The other account ended the status that both had.
        (
            succeeded,
            vec![(1, Running, URL), (1, Failed, OTHER)],
            Some(Success),
        ),
    ] {
        let expected = Vec::from_iter(expected.map(|state| (None, state)));
        assert_eq!(
            posted(execution, &shown),
            expected,
            "{execution:?} {shown:?}"
        );
    }
}

/// Otherwise the first cause would stay, if the second attempt fails before its start is reported.
#[test]
fn failure_of_a_later_attempt_is_posted_again() {
    let failed = |attempt: &str| {
        let mut execution = execution(ExecutionState::Failed, &[(DEPLOY, ActionState::Failed, "")]);
        execution.actions[0].attempt = attempt.to_owned();
        desired(&execution)
    };
    let status = ShownStatus {
        branch: None,
        author: None,
        pipeline_id: Some(1),
        status: failed("a1"),
    };
    let shown = of(vec![status]);
    assert_eq!(status_posts(&failed("a1"), &shown).len(), 0);
    assert_eq!(status_posts(&failed("a2"), &shown).len(), 1);
}

fn environment(name: &str, external_url: Option<&str>, tier: &str) -> GitLabEnvironment {
    GitLabEnvironment {
        id: 3,
        name: name.to_owned(),
        external_url: external_url.map(Into::into),
        tier: Some(tier.to_owned()),
    }
}

#[test]
fn environment_address_is_set_when_it_differs() {
    let changes = |shown, is_kept| {
        let shown = environment("dev", shown, "development");
        let change = environment_change(&shown, Some("https://a"), None, is_kept);
        change.is_some_and(|it| it.url.as_deref() == Some("https://a"))
    };
    assert!(changes(None, false) && changes(Some("https://b"), false));
    assert!(!changes(Some("https://a"), false));
    // The health check does not replace the address of another pipeline that follows its record.
    assert!(changes(None, true) && !changes(Some("https://b"), true));
}

#[test]
fn tier_replaces_a_guess_that_the_name_spoils() {
    let tiers = [
        ("prd", "prd", None),
        ("prd", "prd-shop", None),
        // GitLab guesses `testing`.
        ("prd", "prd-printing", Some("production")),
        ("prd", "Presentation", Some("production")),
        ("dev", "shop", Some("development")),
        ("blue", "blue-integration", None),
    ];
    for (env_id, name, expected) in tiers {
        assert_eq!(tier(env_id, name), expected, "{env_id} {name}");
    }
    let change = |tier| {
        let shown = environment("prd-printing", None, tier);
        environment_change(&shown, None, Some("production"), false)
    };
    let expected = EnvironmentChange {
        id: 3,
        url: None,
        tier: Some("production"),
    };
    assert_eq!(change("testing"), Some(expected));
    // A person has chosen it.
    assert_eq!((change("staging"), change("production")), (None, None));
}

#[test]
fn event_reports_its_own_part() {
    use Topic::{Approval, Deployment, EnvironmentUrl, Note};
    let parts = |occasion: Occasion, state| {
        let mut all = vec![Topic::Execution, Approval, Deployment, EnvironmentUrl, Note];
        all.retain(|topic| occasion.includes(*topic, state));
        all
    };
    let of_action = |name| Occasion::Event(Scope::of_action(name));
    let (running, ended) = (ExecutionState::Running, ExecutionState::Failed);
    let source = of_action("Source");
    let at_end = [Topic::Execution, Approval, Deployment, Note];
    for (occasion, state, expected) in [
        (source, running, &[Topic::Execution][..]),
        (source, ended, &at_end),
        (of_action(APPROVAL), running, &[Approval, Note]),
        (of_action(DEPLOY), running, &[Deployment, EnvironmentUrl]),
    ] {
        assert_eq!(parts(occasion, state), expected);
    }
    assert_eq!(parts(Occasion::HealthCheck, running).len(), 5);
    assert!(!source.has_actions(running) && source.has_actions(ended));
}

#[test]
fn status_has_one_line_without_direction_marks() {
    let status = commit_status(&names(), "", StatusState::Failed, "a\u{202E}b\n`c`", URL);
    assert_eq!(status.description, "ab c");
}
