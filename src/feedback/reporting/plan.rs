//! Decides the requests to GitLab: a pure function of the execution and of GitLab's records.

use crate::clients::gitlab::{
    CommitStatus, GitLabEnvironment, MAX_CHARACTERS, Note, StatusState, guessed_tier,
};
use crate::common::one_line::{one_line, shortened};
use crate::feedback::approval;
use crate::feedback::reporting::execution::{Action, ActionState, Execution, ExecutionState};
use crate::feedback::reporting::note::NoteState;
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
    pub const ALL: [Topic; 5] = [
        Topic::Execution,
        Topic::Approval,
        Topic::Deployment,
        Topic::EnvironmentUrl,
        Topic::Note,
    ];

    /// The parts that are commit statuses.
    pub const STATUSES: [Topic; 2] = [Topic::Execution, Topic::Approval];

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

/// The parts of a report. An event reports its own part, the health check everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The execution, and the parts that it leaves open when it ends.
    Execution,
    /// The approval, with its change set.
    Approval,
    /// The deployment, with the environment's address.
    Deployment,
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
                Topic::Approval | Topic::Deployment | Topic::Note => {
                    state != ExecutionState::Running
                }
                Topic::EnvironmentUrl => false,
            },
            Scope::Approval | Scope::Deployment => match topic {
                Topic::Approval | Topic::Note => self == Scope::Approval,
                Topic::Deployment | Topic::EnvironmentUrl => self == Scope::Deployment,
                Topic::Execution => false,
            },
        }
    }

    /// Whether the report of an execution in `state` depends on its actions.
    pub fn has_actions(self, state: ExecutionState) -> bool {
        self != Scope::Execution || state != ExecutionState::Running
    }
}

/// GitLab's records of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The statuses of the execution, and those of its approval.
    pub execution: Statuses,
    pub approval: Statuses,
    /// Whether the desired deployment has a record.
    pub is_recorded: bool,
    /// The environment, after its first deployment.
    pub environment: Option<GitLabEnvironment>,
    /// The notes that do not show the state of the execution, and their new text.
    pub outdated_notes: Vec<(Note, String)>,
    /// The note about a failure that one of its places does not show. `None` if each does.
    pub missing_note: Option<String>,
}

impl Shown {
    /// The statuses of a part of the report.
    pub fn statuses(&self, topic: Topic) -> Option<&Statuses> {
        match topic {
            Topic::Execution => Some(&self.execution),
            Topic::Approval => Some(&self.approval),
            Topic::Deployment | Topic::EnvironmentUrl | Topic::Note => None,
        }
    }
}

/// A request that changes GitLab's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Post {
    Status(Topic, CommitStatus),
    /// End an open commit status in the pipeline with this number, which is not the latest one's.
    EndStatus(Topic, CommitStatus, u64),
    /// Record a deployment that has ended in this state.
    CreateDeployment(StatusState),
    /// Change the environment with this number.
    ChangeEnvironment {
        id: u64,
        /// Its address. `None` if it stays as it is.
        external_url: Option<String>,
        /// Its tier. `None` if it stays as it is.
        tier: Option<&'static str>,
    },
    /// Write the note, or edit it.
    WriteNote(String),
    EditNote(Note, String),
}

impl Post {
    pub fn topic(&self) -> Topic {
        match self {
            Post::Status(topic, _) | Post::EndStatus(topic, ..) => *topic,
            Post::CreateDeployment(_) => Topic::Deployment,
            Post::ChangeEnvironment { .. } => Topic::EnvironmentUrl,
            Post::WriteNote(_) | Post::EditNote(..) => Topic::Note,
        }
    }
}

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
    /// The tier of the environment. `None` if GitLab guesses it from the name.
    pub tier: Option<&'static str>,
    /// Whether the health check repeats the report.
    pub is_repeated: bool,
    /// The note about the change set. `None` if none waits for an approval.
    pub note: Option<String>,
    /// The state of the execution, for the notes about its commit. `None` if nothing has changed
    /// since its change set was listed, or if notes are switched off.
    pub note_state: Option<NoteState>,
}

impl Desired {
    /// Whether the environment has to be read.
    pub fn has_environment(&self) -> bool {
        self.environment_url.is_some() || self.tier.is_some()
    }

    /// The status of a part of the report.
    pub fn status(&self, topic: Topic) -> Option<&CommitStatus> {
        match topic {
            Topic::Execution => self.execution.as_ref(),
            Topic::Approval => self.approval.as_ref(),
            Topic::Deployment | Topic::EnvironmentUrl | Topic::Note => None,
        }
    }
}

/// How the text of a pending approval begins after a tag by an edited note.
const EDITED: &str = "Waits for an approval by the new links of the note";

/// The text of a pending approval, if `tag` decides nothing because its note was edited.
pub fn edited_note(tag: &str) -> String {
    let text = format!("{EDITED}, which was changed. {tag} decides nothing");
    shortened(&text, MAX_CHARACTERS)
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

/// The desired records of `execution`, whose address in the console is `url`. The address of the
/// environment and the note are not part of them: they are read elsewhere.
pub fn desired(
    execution: &Execution,
    names: &ResourceNames,
    settings: &ReportSettings,
    url: &str,
) -> Desired {
    let status = |suffix: &str, (state, description): (StatusState, String), attempt| {
        commit_status(
            names,
            suffix,
            state,
            &description,
            &of_attempt(url, attempt),
        )
    };
    let environment = &settings.environment_name;
    let state = execution_status(execution, environment);
    let of_execution = status("", state, ending_action(execution));
    let approval = execution.action(APPROVAL);
    let of_approval = approval_status(execution);
    let of_approval = of_approval.map(|state| status(APPROVAL_SUFFIX, state, approval));
    Desired {
        execution: settings.commit_status.then_some(of_execution),
        approval: of_approval.filter(|_| settings.commit_status),
        deployment: deployment_state(execution).filter(|_| settings.deployments),
        ..Desired::default()
    }
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
            let approval = execution.action(APPROVAL);
            let rejected = approval.filter(|action| action.state == ActionState::Failed);
            rejected.or_else(|| execution.failed_action())
        }
        ExecutionState::Running | ExecutionState::Succeeded | ExecutionState::Canceled => None,
    }
}

/// The state of an execution with its description.
fn execution_status(execution: &Execution, environment: &str) -> (StatusState, String) {
    let approval = execution.action(APPROVAL);
    let ended = approval.filter(|action| action.state == ActionState::Failed);
    match (execution.state, ended) {
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
            rejected("The approval was rejected", action),
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
        // Other summaries are those of people.
        ActionState::Succeeded if action.summary.contains(approval::SUMMARY) => {
            (StatusState::Success, "Approved: no changes".to_owned())
        }
        ActionState::Succeeded => (
            StatusState::Success,
            by_person("Approved", action).unwrap_or_else(|| "Approved".to_owned()),
        ),
        ActionState::Failed => (StatusState::Canceled, rejected("Rejected", action)),
        ActionState::Running if execution.state == ExecutionState::Running => {
            (StatusState::Pending, "Waits for an approval".to_owned())
        }
        ActionState::Running | ActionState::Abandoned => {
            (StatusState::Canceled, "No longer needed".to_owned())
        }
    })
}

/// The state in which the deployment ended. `None` if it has not.
fn deployment_state(execution: &Execution) -> Option<StatusState> {
    match execution.action(DEPLOY)?.state {
        ActionState::Succeeded => Some(StatusState::Success),
        ActionState::Failed => Some(StatusState::Failed),
        ActionState::Running | ActionState::Abandoned => {
            let has_ended = execution.state != ExecutionState::Running;
            has_ended.then_some(StatusState::Canceled)
        }
    }
}

/// Whether a status has to be posted that names the cause of a failure.
pub fn explains_failure(desired: &Desired, shown: &Shown) -> bool {
    let status = desired.execution.as_ref();
    status.is_some_and(|it| it.state == StatusState::Failed && !is_shown(it, &shown.execution))
}

/// The requests that change `shown` to `desired`.
pub fn posts(desired: &Desired, shown: &Shown) -> Vec<Post> {
    let mut posts = vec![];
    for topic in Topic::STATUSES {
        if let (Some(status), Some(shown)) = (desired.status(topic), shown.statuses(topic)) {
            posts.extend(status_posts(topic, status, shown));
        }
    }
    let missing = desired.deployment.filter(|_| !shown.is_recorded);
    posts.extend(missing.map(Post::CreateDeployment));
    let environment = shown.environment.as_ref();
    let is_kept = desired.is_repeated && shown.is_recorded;
    let post = environment.and_then(|environment| environment_post(desired, environment, is_kept));
    posts.extend(post);
    let written = desired.note.as_ref().or(shown.missing_note.as_ref());
    posts.extend(written.cloned().map(Post::WriteNote));
    let outdated = shown.outdated_notes.iter().cloned();
    posts.extend(outdated.map(|(note, body)| Post::EditNote(note, body)));
    posts
}

/// The tier of the environment `name`: the one that GitLab guesses from `EnvID`. `None` if GitLab
/// guesses the same from the name, or nothing from `EnvID`.
pub fn tier(env_id: &str, name: &str) -> Option<&'static str> {
    guessed_tier(env_id).filter(|tier| guessed_tier(name) != Some(tier))
}

/// The request after which `shown` is as `desired`. A tier that is not GitLab's guess is a person's
/// choice. If the address `is_kept`, it is not replaced: another pipeline that reports to the
/// environment may have set it since the deployment.
fn environment_post(desired: &Desired, shown: &GitLabEnvironment, is_kept: bool) -> Option<Post> {
    let url = desired.environment_url.as_ref();
    let url = url.filter(|url| shown.external_url.as_ref() != Some(*url));
    let url = url.filter(|_| !is_kept || shown.external_url.is_none());
    let guess = guessed_tier(&shown.name).unwrap_or("other");
    let tier = desired.tier.filter(|_| shown.tier.as_deref() == Some(guess));
    (url.is_some() || tier.is_some()).then(|| Post::ChangeEnvironment {
        id: shown.id,
        external_url: url.cloned(),
        tier,
    })
}

/// The requests after which the latest status is the `desired` one, and no other pipeline has an
/// open one: GitLab itself never ends it (`app/services/ci/stuck_builds/` ends jobs of runners
/// only).
fn status_posts(topic: Topic, desired: &CommitStatus, shown: &Statuses) -> Vec<Post> {
    let mut posts = vec![];
    if !is_shown(desired, shown) {
        // GitLab keeps the text of an open status, and has no transition from it to `pending`.
        let is_open = |own: &CommitStatus| own.state == StatusState::Pending;
        if desired.state == StatusState::Pending && shown.own().is_some_and(is_open) {
            let ended = CommitStatus {
                state: StatusState::Canceled,
                ..desired.clone()
            };
            posts.push(Post::Status(topic, ended));
        }
        posts.push(Post::Status(topic, desired.clone()));
    }
    let ended = CommitStatus {
        state: StatusState::Canceled,
        description: "Continues in another pipeline of this commit".to_owned(),
        ..desired.clone()
    };
    let ended = if desired.state.is_open() {
        &ended
    } else {
        desired
    };
    let elsewhere = shown.open_elsewhere(&desired.target_url);
    posts.extend(elsewhere.map(|id| Post::EndStatus(topic, ended.clone(), id)));
    posts
}

/// Whether `desired` was posted. GitLab rejects an open state that is repeated, even if the address
/// differs, or if it is another account's. A final state of an earlier execution or attempt is not
/// that of this one. The reason does not count: it may be hidden later.
fn is_shown(desired: &CommitStatus, shown: &Statuses) -> bool {
    let is_open = desired.state.is_open();
    let has_state = |shown: &CommitStatus| shown.state == desired.state;
    let is_own = |own: &CommitStatus| {
        let says_why = desired.description.starts_with(EDITED);
        let is_same = own.description == desired.description || !says_why;
        is_open && is_same || own.target_url == desired.target_url && !is_open
    };
    let mut latest = shown.current.last().map(|latest| &latest.status).into_iter();
    shown.own().is_some_and(|own| has_state(own) && is_own(own))
        || is_open && shown.other.is_some() && latest.any(has_state)
}

/// Why an execution failed: its failed action with the reason. Without one, a condition of a stage
/// failed: an alarm or the deployment window.
fn failure(execution: &Execution) -> String {
    match execution.failed_action() {
        Some(action) => with_summary(&format!("{} failed", action.name), action),
        None => "A condition of the stage failed".to_owned(),
    }
}

fn by_person(text: &str, action: &Action) -> Option<String> {
    let person = approval::person_of(&action.summary)?;
    Some(format!("{text} in GitLab by {person}"))
}

fn rejected(text: &str, action: &Action) -> String {
    by_person(text, action).unwrap_or_else(|| with_summary(text, action))
}

fn with_summary(text: &str, action: &Action) -> String {
    let summary: Vec<&str> = action.summary.split_whitespace().collect();
    if summary.is_empty() {
        return text.to_owned();
    }
    format!("{text}: {}", summary.join(" "))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
