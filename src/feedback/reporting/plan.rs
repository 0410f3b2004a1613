//! Decides the requests to GitLab: a pure function of the execution and of GitLab's records.

use crate::clients::gitlab::{
    CommitStatus, GitLabEnvironment, MAX_CHARACTERS, StatusState, guessed_tier,
};
use crate::common::one_line::{one_line, shortened};
use crate::feedback::approval::ApprovalEnd;
use crate::feedback::execution::{Action, ActionState, Execution, ExecutionState};
use crate::feedback::reporting::statuses::Statuses;
use crate::gitops_pipeline::executions::{APPROVAL, DEPLOY};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::settings::ReportSettings;

/// A part of the report. Each is posted or fails by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    Execution,
    /// The status of its approval.
    Approval,
    Deployment,
    /// The address of the environment, and its tier.
    EnvironmentUrl,
    Note,
}

impl Topic {
    /// The name for the log.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Execution => "commit status",
            Topic::Approval => "commit status of the approval",
            Topic::Deployment => "deployment",
            Topic::EnvironmentUrl => "environment",
            Topic::Note => "note",
        }
    }
}

/// The parts of a report that an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The execution, and the parts that it leaves open when it ends.
    Execution,
    /// The approval, with its change set.
    Approval,
    /// The deployment, with the environment's address.
    Deployment,
}

impl Scope {
    /// The scope of an event of the action `name`.
    pub fn of_action(name: &str) -> Self {
        match name {
            APPROVAL => Scope::Approval,
            DEPLOY => Scope::Deployment,
            _ => Scope::Execution,
        }
    }
}

/// Why an execution is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// An event, which reports its own parts.
    Event(Scope),
    /// The health check repeats the whole report.
    HealthCheck,
}

impl Occasion {
    /// Whether a part of the report belongs to it while the execution is in `state`.
    pub fn includes(self, topic: Topic, state: ExecutionState) -> bool {
        match self {
            Occasion::HealthCheck => true,
            Occasion::Event(Scope::Execution) => match topic {
                Topic::Execution => true,
                Topic::Approval | Topic::Deployment | Topic::Note => {
                    state != ExecutionState::Running
                }
                Topic::EnvironmentUrl => false,
            },
            Occasion::Event(Scope::Approval) => matches!(topic, Topic::Approval | Topic::Note),
            Occasion::Event(Scope::Deployment) => {
                matches!(topic, Topic::Deployment | Topic::EnvironmentUrl)
            }
        }
    }

    /// Whether the report of an execution in `state` depends on its actions.
    pub fn has_actions(self, state: ExecutionState) -> bool {
        self != Occasion::Event(Scope::Execution) || state != ExecutionState::Running
    }
}

/// A status to post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusPost {
    pub status: CommitStatus,
    /// The number of the GitLab pipeline in which it ends an open status. `None` if it becomes the
    /// latest one.
    pub ended_in: Option<u64>,
}

/// A change of the environment with this number. A part that is `None` stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentChange {
    pub id: u64,
    pub url: Option<String>,
    pub tier: Option<&'static str>,
}

/// The end of the name of an approval's status.
pub const APPROVAL_SUFFIX: &str = "/approval";

/// The name of the status of a pipeline that ends in `suffix`.
pub fn status_name(names: &ResourceNames, suffix: &str) -> String {
    let ResourceNames { env_id, project_id } = names;
    format!("cfn-gitops/{env_id}/{project_id}{suffix}")
}

/// The status of a pipeline whose name ends in `suffix`. It links to `url`.
pub fn commit_status(
    names: &ResourceNames,
    suffix: &str,
    state: StatusState,
    description: &str,
    url: &str,
) -> CommitStatus {
    CommitStatus {
        name: status_name(names, suffix),
        state,
        description: shortened(&one_line(description), MAX_CHARACTERS),
        target_url: url.to_owned(),
    }
}

/// The status of `execution`, whose address in the console is `url`. `None` if statuses are
/// switched off.
pub fn execution_status(
    execution: &Execution,
    names: &ResourceNames,
    settings: &ReportSettings,
    url: &str,
) -> Option<CommitStatus> {
    let (state, text) = execution_state(execution, &settings.environment_name);
    let url = of_attempt(url, ending_action(execution));
    settings.commit_status.then(|| commit_status(names, "", state, &text, &url))
}

/// The status of its approval. Also `None` if it has not reached one.
pub fn approval_status(
    execution: &Execution,
    names: &ResourceNames,
    settings: &ReportSettings,
    url: &str,
) -> Option<CommitStatus> {
    let approval = execution.action(APPROVAL)?;
    let (state, text) = approval_state(execution.state, approval, names);
    let url = of_attempt(url, Some(approval));
    let status = || commit_status(names, APPROVAL_SUFFIX, state, &text, &url);
    settings.commit_status.then(status)
}

/// The address of an execution, with the attempt of the action that decided its state. So the same
/// state of a retry has another address.
fn of_attempt(url: &str, action: Option<&Action>) -> String {
    match action {
        Some(action) => format!("{url}/{}", action.attempt),
        None => url.to_owned(),
    }
}

/// The action that ended an execution. `None` if none did.
fn ending_action(execution: &Execution) -> Option<&Action> {
    match execution.state {
        ExecutionState::Failed | ExecutionState::RolledBack => {
            execution.failed_approval().or_else(|| execution.failed_action())
        }
        ExecutionState::Running | ExecutionState::Succeeded | ExecutionState::Canceled => None,
    }
}

/// The state of an execution with its description.
fn execution_state(execution: &Execution, environment: &str) -> (StatusState, String) {
    match (execution.state, execution.failed_approval()) {
        (ExecutionState::Running, _) => {
            let mut text = format!("On its way to {environment}");
            // Without the reason: a person wrote it for AWS, and a status may be public.
            if let Some(stage) = &execution.held_before {
                text = format!("{text}. Held by the disabled transition into stage {stage}");
            }
            (StatusState::Running, text)
        }
        (ExecutionState::Succeeded, _) => {
            (StatusState::Success, format!("Deployed to {environment}"))
        }
        (ExecutionState::Failed | ExecutionState::RolledBack, Some(action)) => (
            StatusState::Canceled,
            with_summary("The approval was rejected", &action.summary),
        ),
        (ExecutionState::RolledBack, None) => (
            StatusState::Failed,
            format!("Rolled back in {environment}. {}", failure(execution)),
        ),
        (ExecutionState::Failed, None) => (StatusState::Failed, failure(execution)),
        (ExecutionState::Canceled, _) => {
            let how = execution.status.to_lowercase();
            (StatusState::Canceled, format!("The execution was {how}"))
        }
    }
}

/// The state of an approval with its description.
fn approval_state(
    execution: ExecutionState,
    action: &Action,
    names: &ResourceNames,
) -> (StatusState, String) {
    let (state, text) = match ApprovalEnd::of(action, names, execution) {
        None => (StatusState::Pending, "Waits for an approval"),
        Some(ApprovalEnd::Unchanged) => (StatusState::Success, "Approved: no changes"),
        Some(ApprovalEnd::Approved) => (StatusState::Success, "Approved"),
        Some(ApprovalEnd::Unneeded) => (StatusState::Canceled, "No longer needed"),
        Some(ApprovalEnd::Rejected) => {
            let text = with_summary("Rejected", &action.summary);
            return (StatusState::Canceled, text);
        }
    };
    (state, text.to_owned())
}

/// The state in which the deployment has ended. `None` if it has not: of an open one, two
/// deliveries at once could create two, and none of them would be the one that ends. Also `None` if
/// records are switched off.
pub fn deployment_state(execution: &Execution, settings: &ReportSettings) -> Option<StatusState> {
    let deployment = execution.action(DEPLOY).filter(|_| settings.deployments)?;
    match deployment.state {
        ActionState::Succeeded => Some(StatusState::Success),
        ActionState::Failed => Some(StatusState::Failed),
        ActionState::Running | ActionState::Abandoned => {
            let has_ended = execution.state != ExecutionState::Running;
            has_ended.then_some(StatusState::Canceled)
        }
    }
}

/// The tier of the environment `name`: the one that GitLab guesses from `EnvID`. `None` if GitLab
/// guesses the same from the name, or nothing from `EnvID`.
pub fn tier(env_id: &str, name: &str) -> Option<&'static str> {
    guessed_tier(env_id).filter(|tier| guessed_tier(name) != Some(tier))
}

/// The change after which the environment has this address and this tier, if there is one. A tier
/// that is not GitLab's guess is a person's choice. If the address `is_kept`, it is not replaced:
/// another pipeline that reports to the environment may have set it since the deployment.
pub fn environment_change(
    shown: &GitLabEnvironment,
    url: Option<&str>,
    tier: Option<&'static str>,
    is_kept: bool,
) -> Option<EnvironmentChange> {
    let url = url.filter(|url| shown.external_url.as_deref() != Some(url));
    let url = url.filter(|_| !is_kept || shown.external_url.is_none());
    let guess = guessed_tier(&shown.name).unwrap_or("other");
    let tier = tier.filter(|_| shown.tier.as_deref() == Some(guess));
    (url.is_some() || tier.is_some()).then(|| EnvironmentChange {
        id: shown.id,
        url: url.map(ToOwned::to_owned),
        tier,
    })
}

/// The requests after which the latest status is the `desired` one, and no other pipeline has an
/// open one: GitLab itself never ends it (`app/services/ci/stuck_builds/` ends jobs of runners
/// only).
pub fn status_posts(desired: &CommitStatus, shown: &Statuses) -> Vec<StatusPost> {
    let with = |state, ended_in| StatusPost {
        status: CommitStatus {
            state,
            ..desired.clone()
        },
        ended_in,
    };
    let mut posts = vec![];
    if !is_shown(desired, shown) || shown.is_hidden_once(desired) {
        posts.push(with(desired.state, None));
    }
    for id in shown.open_elsewhere(&desired.target_url) {
        let mut post = with(desired.state, Some(id));
        if desired.state.is_open() {
            post.status.state = StatusState::Canceled;
            "Continues in another pipeline of this commit".clone_into(&mut post.status.description);
        }
        posts.push(post);
    }
    posts
}

/// Whether `desired` was posted. GitLab rejects an open state that is repeated, even if the address
/// differs, or if it is another account's. A final state of an earlier execution or attempt is not
/// that of this one. The reason does not count: it may be hidden later.
pub fn is_shown(desired: &CommitStatus, shown: &Statuses) -> bool {
    let is_open = desired.state.is_open();
    let has_state = |shown: &CommitStatus| shown.state == desired.state;
    let is_own = |own: &CommitStatus| is_open || own.target_url == desired.target_url;
    let mut latest = shown.current.last().map(|latest| &latest.status).into_iter();
    shown.own().is_some_and(|own| has_state(own) && is_own(own))
        || is_open && shown.other.is_some() && latest.any(has_state)
}

/// Why an execution failed: its failed action with the reason. Without one, a condition of a stage
/// failed: an alarm or the deployment window.
fn failure(execution: &Execution) -> String {
    match execution.failed_action() {
        Some(action) => with_summary(&format!("{} failed", action.name), &action.summary),
        None => "A condition of the stage failed".to_owned(),
    }
}

fn with_summary(text: &str, summary: &str) -> String {
    let summary: Vec<&str> = summary.split_whitespace().collect();
    if summary.is_empty() {
        return text.to_owned();
    }
    format!("{text}: {}", summary.join(" "))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
