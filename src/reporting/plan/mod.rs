//! Decides what to post: a pure function of the execution and of what GitLab shows.

use crate::gitlab::{CommitStatus, GitLabEnvironment, MAX_CHARACTERS, StatusState};
use crate::gitops_pipeline::executions::{APPROVAL, DEPLOY};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::report_settings::ReportSettings;
use crate::reporting::execution::{Action, ActionState, Execution, ExecutionState};

/// A part of the report. Each is posted or fails by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// The status of the execution.
    Execution,
    /// The status of its approval.
    Approval,
    /// The deployment record.
    Deployment,
    /// The address of the environment.
    EnvironmentUrl,
    /// The note about the change set.
    Note,
}

impl Topic {
    /// The name for the log.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Execution => "commit status",
            Topic::Approval => "commit status of the approval",
            Topic::Deployment => "deployment",
            Topic::EnvironmentUrl => "address of the environment",
            Topic::Note => "change set",
        }
    }
}

/// What a report is about. An event reports its own part, the health check everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The execution, and the parts that it leaves open when it ends.
    Execution,
    /// The approval, with its change set.
    Approval,
    /// The deployment, with the environment's address.
    Deployment,
    /// Everything.
    All,
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

    /// Whether a part of the report belongs to it while the execution is in `state`.
    pub fn includes(self, topic: Topic, state: ExecutionState) -> bool {
        match self {
            Scope::All => true,
            Scope::Execution => match topic {
                Topic::Execution => true,
                Topic::Approval | Topic::Deployment => state != ExecutionState::Running,
                Topic::EnvironmentUrl | Topic::Note => false,
            },
            Scope::Approval => matches!(topic, Topic::Approval | Topic::Note),
            Scope::Deployment => matches!(topic, Topic::Deployment | Topic::EnvironmentUrl),
        }
    }

    /// Whether the report of an execution in `state` depends on its actions.
    pub fn has_actions(self, state: ExecutionState) -> bool {
        self != Scope::Execution || state != ExecutionState::Running
    }
}

/// What GitLab shows of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The status of the execution.
    pub execution: Option<CommitStatus>,
    /// The status of its approval.
    pub approval: Option<CommitStatus>,
    /// The state of the commit's latest deployment to the environment.
    pub deployment: Option<StatusState>,
    /// The environment, after its first deployment.
    pub environment: Option<GitLabEnvironment>,
}

/// A request that changes what GitLab shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Post {
    /// Post a commit status.
    Status(Topic, CommitStatus),
    /// Record a deployment that has ended in this state.
    CreateDeployment(StatusState),
    /// Set the address of the environment with this number.
    SetEnvironmentUrl(u64, String),
    /// Write the note, or edit it.
    WriteNote(String),
}

impl Post {
    /// The part of the report.
    pub fn topic(&self) -> Topic {
        match self {
            Post::Status(topic, _) => *topic,
            Post::CreateDeployment(_) => Topic::Deployment,
            Post::SetEnvironmentUrl(..) => Topic::EnvironmentUrl,
            Post::WriteNote(_) => Topic::Note,
        }
    }
}

/// What GitLab should show of an execution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// The status of the execution. `None` if statuses are switched off.
    pub execution: Option<CommitStatus>,
    /// The status of its approval. `None` if it has not reached one.
    pub approval: Option<CommitStatus>,
    /// The state in which the deployment has ended. `None` if it has not: of an open one, two
    /// deliveries at once could create two, and none of them would be the one that ends.
    pub deployment: Option<StatusState>,
    /// The address of the environment. `None` if the deployed stack has no such output.
    pub environment_url: Option<String>,
    /// The note about the change set. `None` if none waits for an approval.
    pub note: Option<String>,
}

/// What GitLab should show of `execution`, whose address in the console is `url`. The address of the
/// environment and the note are not part of it: they are read elsewhere.
pub fn desired(
    execution: &Execution,
    names: &ResourceNames,
    settings: &ReportSettings,
    url: &str,
) -> Desired {
    let ResourceNames { env_id, project_id } = names;
    let status = |suffix: &str, (state, description): (StatusState, String)| CommitStatus {
        name: format!("cfn-gitops/{env_id}/{project_id}{suffix}"),
        state,
        description: shortened(&description),
        target_url: url.to_owned(),
    };
    let environment = &settings.environment_name;
    let of_execution = status("", execution_status(execution, environment));
    let of_approval = approval_status(execution).map(|state| status("/approval", state));
    Desired {
        execution: settings.commit_status.then_some(of_execution),
        approval: of_approval.filter(|_| settings.commit_status),
        deployment: deployment_state(execution).filter(|_| settings.deployments),
        ..Desired::default()
    }
}

/// The state of an execution with its description.
fn execution_status(execution: &Execution, environment: &str) -> (StatusState, String) {
    let approval = execution.action(APPROVAL);
    let rejected = approval.filter(|action| action.state == ActionState::Failed);
    match (execution.state, rejected) {
        (ExecutionState::Running, _) => {
            (StatusState::Running, format!("On its way to {environment}"))
        }
        (ExecutionState::Succeeded, _) => {
            (StatusState::Success, format!("Deployed to {environment}"))
        }
        (ExecutionState::Failed | ExecutionState::RolledBack, Some(action)) => (
            StatusState::Canceled,
            with_summary("The approval was rejected", action),
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

/// The state of the execution's approval with its description. `None` if it has not reached one.
fn approval_status(execution: &Execution) -> Option<(StatusState, String)> {
    let action = execution.action(APPROVAL)?;
    Some(match action.state {
        ActionState::Succeeded => (StatusState::Success, "Approved".to_owned()),
        ActionState::Failed => (StatusState::Canceled, with_summary("Rejected", action)),
        ActionState::Running if execution.state == ExecutionState::Running => {
            (StatusState::Pending, "Waits for an approval".to_owned())
        }
        ActionState::Running | ActionState::Abandoned => {
            (StatusState::Canceled, "No longer needed".to_owned())
        }
    })
}

/// The state in which the deployment ended. `None` if it has not, or if its record comes too late:
/// GitLab takes the latest record for the environment's present deployment.
fn deployment_state(execution: &Execution) -> Option<StatusState> {
    match execution.action(DEPLOY)?.state {
        ActionState::Succeeded => (!execution.is_outdated).then_some(StatusState::Success),
        ActionState::Failed => Some(StatusState::Failed),
        ActionState::Running | ActionState::Abandoned => {
            let has_ended = execution.state != ExecutionState::Running;
            has_ended.then_some(StatusState::Canceled)
        }
    }
}

/// The requests after which GitLab shows what is `desired`.
pub fn posts(desired: &Desired, shown: &Shown) -> Vec<Post> {
    let mut posts = vec![];
    let statuses = [
        (Topic::Execution, &desired.execution, &shown.execution),
        (Topic::Approval, &desired.approval, &shown.approval),
    ];
    for (topic, desired, shown) in statuses {
        let Some(desired) = desired else {
            continue;
        };
        if !is_shown(desired, shown.as_ref()) {
            posts.push(Post::Status(topic, desired.clone()));
        }
    }
    let deployment = desired.deployment;
    posts.extend(
        deployment
            .filter(|state| shown.deployment != Some(*state))
            .map(Post::CreateDeployment),
    );
    if let (Some(url), Some(environment)) = (&desired.environment_url, &shown.environment)
        && environment.external_url.as_ref() != Some(url)
    {
        posts.push(Post::SetEnvironmentUrl(environment.id, url.clone()));
    }
    posts.extend(desired.note.clone().map(Post::WriteNote));
    posts
}

/// Whether GitLab shows `desired`. GitLab rejects an open state that is repeated, even if the
/// address differs. A final state of an earlier execution is not that of this one.
fn is_shown(desired: &CommitStatus, shown: Option<&CommitStatus>) -> bool {
    shown.is_some_and(|shown| {
        let is_of_execution = shown.target_url == desired.target_url;
        shown.state == desired.state && (desired.state.is_open() || is_of_execution)
    })
}

/// Why an execution failed: its failed action with the reason. Without one, a condition of a stage
/// failed: an alarm or the deployment window.
fn failure(execution: &Execution) -> String {
    let failed = |action: &&Action| action.state == ActionState::Failed;
    match execution.actions.iter().find(failed) {
        Some(action) => with_summary(&format!("{} failed", action.name), action),
        None => "A condition of the stage failed".to_owned(),
    }
}

fn with_summary(text: &str, action: &Action) -> String {
    let summary: Vec<&str> = action.summary.split_whitespace().collect();
    if summary.is_empty() {
        return text.to_owned();
    }
    format!("{text}: {}", summary.join(" "))
}

/// `text` with at most as many characters as GitLab stores.
fn shortened(text: &str) -> String {
    if text.chars().count() <= MAX_CHARACTERS {
        return text.to_owned();
    }
    let start: String = text.chars().take(MAX_CHARACTERS - 1).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests;
