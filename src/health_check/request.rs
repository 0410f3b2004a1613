//! The event that requests a health check: its environment, and its task.

use std::time::Duration;

use serde_json::Value;

use crate::clients::aws::FUNCTION_NAME_PREFIX;
use crate::gitops_pipeline;
use crate::gitops_pipeline::names::{MIRROR_USERS, ResourceNames};

/// A request for a health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    pub environment: Environment,
    /// The time until the next health check. `None` if the event does not name it.
    pub interval: Option<Duration>,
    pub task: Task,
}

/// The work of a health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// It checks the environment, repairs, and writes metrics.
    Check,
    /// It lists all that it checks, changes nothing and writes no metrics.
    Diagnose,
    /// It answers a question about one commit.
    Contains(CommitQuestion),
}

/// A pipeline and a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitQuestion {
    pub names: ResourceNames,
    pub commit: String,
}

/// The environment that a health check is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// `EnvID`.
    pub id: String,
    /// The pattern of its IAM users, with IAM's wildcards: those that the function has permissions
    /// for.
    pub user_names: String,
    /// `PipelineStackDrift: Report`: the pipelines' stacks are compared with their templates.
    pub compares_pipeline_stacks: bool,
    /// `SelfRepair: Repair`: mirrors that were deleted or disabled are created again.
    pub repairs_mirrors: bool,
    /// The age in days above which a credential raises the alarm. `None` for the default.
    pub credential_age_days: Option<u32>,
    /// The project in the stack of the function. `None` if the stack has none.
    pub first_project: Option<FirstProject>,
}

/// The first project of an environment, which is in the stack of the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstProject {
    /// The ID of that stack.
    pub stack_id: String,
    /// The name of its pipeline's stack.
    pub pipeline_stack: String,
    /// The name of its mirror's secret.
    pub secret: String,
}

/// Why a health check is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RejectedCheck {
    /// Neither the event nor the function's name has an environment.
    #[error(
        "checking the health of an environment: the event names none, and the function is not called {FUNCTION_NAME_PREFIX}<EnvID>"
    )]
    NoEnvironment,
    /// The function belongs to another environment, whose metrics and alarms it writes.
    #[error("checking the health of environment {requested}: this function is that of {own}")]
    OtherEnvironment {
        /// The environment that the event names.
        requested: String,
        /// The environment in the function's name.
        own: String,
    },
    /// A question is about a project that cannot exist.
    #[error(
        "looking up a commit in GitLab: Doctor.Contains.ProjectID is not the name of a project"
    )]
    InvalidProject,
    /// A question is about a commit that cannot exist.
    #[error("looking up a commit in GitLab: Doctor.Contains.Commit is not a commit's full ID")]
    InvalidCommit,
}

impl RejectedCheck {
    /// The imperative for the operator.
    pub fn remedy(&self) -> &'static str {
        match self {
            RejectedCheck::NoEnvironment => {
                "Set HealthCheck.EnvID to a letter, then letters and digits, all in lower case"
            }
            RejectedCheck::OtherEnvironment { .. } => {
                "Invoke the function of that environment, or leave out HealthCheck.EnvID"
            }
            RejectedCheck::InvalidProject => "Set it to the ProjectID of a pipeline",
            RejectedCheck::InvalidCommit => "Set it to 40 hexadecimal digits in lower case",
        }
    }
}

/// The member of an event that requests something. `None` if it has no such member.
fn request<'a>(event: &'a Value, kind: &str) -> Option<&'a Value> {
    event.get(kind).filter(|it| it.is_object())
}

impl HealthCheck {
    /// Whether an event requests a health check, or a diagnosis.
    pub fn is_requested_by(event: &Value) -> bool {
        request(event, "HealthCheck").or(request(event, "Doctor")).is_some()
    }

    /// Parses the event of a schedule, which has no member of ours if the schedule's target has no
    /// input, or an event that requests a check of the function `function_arn`.
    ///
    /// # Errors
    /// If the environment is unknown or another function's, or if a question is not valid.
    pub fn parse(event: &Value, function_arn: &str) -> Result<Self, RejectedCheck> {
        let diagnosis = request(event, "Doctor");
        let requested = request(event, "HealthCheck").or(diagnosis).unwrap_or(&Value::Null);
        let environment = Environment::parse(requested, function_arn)?;
        let task = match diagnosis.map(|it| it.get("Contains")) {
            Some(Some(it)) => Task::Contains(CommitQuestion::parse(it, &environment.id)?),
            Some(None) => Task::Diagnose,
            None => Task::Check,
        };
        let minutes = requested["Minutes"].as_u64().filter(|minutes| *minutes > 0);
        Ok(HealthCheck {
            environment,
            interval: minutes.map(|minutes| Duration::from_secs(minutes.saturating_mul(60))),
            task,
        })
    }
}

impl Environment {
    /// The environment of a `request`: the one that it names, or that of the function
    /// `function_arn`, whose name ends in it. Its users are named `user-<EnvID>-…`, unless the
    /// request has another pattern.
    fn parse(request: &Value, function_arn: &str) -> Result<Self, RejectedCheck> {
        let member = |name: &str| request[name].as_str();
        let name = function_arn.split(':').nth(6).unwrap_or_default();
        let named = name.strip_prefix(FUNCTION_NAME_PREFIX);
        let env_id = member("EnvID").or(named).filter(|env_id| is_env_id(env_id));
        let id = env_id.ok_or(RejectedCheck::NoEnvironment)?.to_owned();
        if let Some(own) = named.filter(|own| is_env_id(own) && *own != id) {
            let own = own.to_owned();
            return Err(RejectedCheck::OtherEnvironment { requested: id, own });
        }
        // The template's parameter is empty by default.
        let user_names = member("UserNames").filter(|pattern| !pattern.is_empty());
        let age = request["CredentialAgeAlarmDays"].as_u64();
        Ok(Environment {
            user_names: user_names.map_or_else(|| MIRROR_USERS.prefix(&id), ToOwned::to_owned),
            compares_pipeline_stacks: member("PipelineStackDrift") == Some("Report"),
            repairs_mirrors: member("SelfRepair") == Some("Repair"),
            credential_age_days: age.and_then(|days| u32::try_from(days).ok()),
            first_project: FirstProject::parse(&request["FirstProject"]),
            id,
        })
    }
}

impl CommitQuestion {
    /// Parses the member `Contains` of a diagnosis of the environment `env_id`.
    pub fn parse(member: &Value, env_id: &str) -> Result<Self, RejectedCheck> {
        let project_id = member["ProjectID"].as_str();
        let names = project_id.and_then(|project_id| ResourceNames::new(env_id, project_id));
        let names = names.ok_or(RejectedCheck::InvalidProject)?;
        let commit = member["Commit"].as_str().filter(|text| is_commit(text));
        let commit = commit.ok_or(RejectedCheck::InvalidCommit)?.to_owned();
        Ok(CommitQuestion { names, commit })
    }
}

fn is_commit(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 40 && text.bytes().all(is_digit)
}

impl FirstProject {
    /// Parses the member of an event. `None` if it is not complete.
    fn parse(member: &Value) -> Option<Self> {
        let text = |name: &str| member[name].as_str().map(ToOwned::to_owned);
        Some(FirstProject {
            stack_id: text("StackId")?,
            pipeline_stack: text("PipelineStack")?,
            secret: text("Secret")?,
        })
    }
}

fn is_env_id(text: &str) -> bool {
    text.len() <= 30 && gitops_pipeline::is_env_id(text)
}
