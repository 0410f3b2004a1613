//! The event that requests a health check, and the environment that it is for.

use std::time::Duration;

use serde_json::Value;

use crate::clients::aws::FUNCTION_NAME_PREFIX;
use crate::gitops_pipeline;
use crate::gitops_pipeline::names::MIRROR_USERS;

/// A request for a health check, or for a diagnosis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The environment. `None` if the event does not name it.
    env_id: Option<String>,
    /// The pattern of its IAM users. `None` if the event does not name one.
    user_names: Option<String>,
    /// The time until the next health check. `None` if the event does not name it.
    pub interval: Option<Duration>,
    compares_pipeline_stacks: bool,
    repairs_mirrors: bool,
    /// `CredentialAgeAlarmDays`. `None` if the event does not name it.
    credential_age_days: Option<u32>,
    first_project: Option<FirstProject>,
    /// Whether it is a diagnosis: it lists all that it checks, changes nothing and has no metrics.
    pub is_diagnosis: bool,
    /// The member `Contains` of a diagnosis, which is about one commit only. `None` if it checks
    /// the environment.
    pub contains: Option<Value>,
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

/// Why the environment of a health check is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// Neither the event nor the function's name has an environment.
    #[error(
        "checking the health of an environment: the event names none, and the function is not called {FUNCTION_NAME_PREFIX}<EnvID>"
    )]
    Unnamed,
    /// The function belongs to another environment, whose metrics and alarms it writes.
    #[error("checking the health of environment {requested}: this function is that of {own}")]
    OtherEnvironment {
        /// The environment that the event names.
        requested: String,
        /// The environment in the function's name.
        own: String,
    },
}

impl EnvironmentError {
    /// The imperative for the operator.
    pub fn remedy(&self) -> &'static str {
        match self {
            EnvironmentError::Unnamed => {
                "Set HealthCheck.EnvID to a letter, then letters and digits, all in lower case"
            }
            EnvironmentError::OtherEnvironment { .. } => {
                "Invoke the function of that environment, or leave out HealthCheck.EnvID"
            }
        }
    }
}

impl HealthCheck {
    /// Parses an event. `None` if it is not a health check.
    pub fn parse(event: &Value) -> Option<Self> {
        // EventBridge's schedules send this if their target has no input.
        // https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
        let is_scheduled =
            event["source"] == "aws.events" && event["detail-type"] == "Scheduled Event";
        let request = |kind: &str| event.get(kind).filter(|it| it.is_object());
        let diagnosis = request("Doctor");
        let requested = request("HealthCheck").or(diagnosis);
        if requested.is_none() && !is_scheduled {
            return None;
        }
        let member = |name: &str| requested.and_then(|it| it[name].as_str());
        let number = |name: &str| requested.and_then(|it| it[name].as_u64());
        let age = number("CredentialAgeAlarmDays");
        Some(HealthCheck {
            env_id: member("EnvID").map(ToOwned::to_owned),
            // The template's parameter is empty by default.
            user_names: member("UserNames")
                .filter(|pattern| !pattern.is_empty())
                .map(ToOwned::to_owned),
            interval: number("Minutes")
                .filter(|minutes| *minutes > 0)
                .map(|minutes| Duration::from_secs(minutes.saturating_mul(60))),
            compares_pipeline_stacks: member("PipelineStackDrift") == Some("Report"),
            repairs_mirrors: member("SelfRepair") == Some("Repair"),
            credential_age_days: age.and_then(|days| u32::try_from(days).ok()),
            first_project: requested.and_then(|it| FirstProject::parse(&it["FirstProject"])),
            is_diagnosis: diagnosis.is_some(),
            contains: diagnosis.and_then(|it| it.get("Contains")).cloned(),
        })
    }

    /// The environment: the event's, or that of the function `function_arn`, whose name ends in it.
    /// Its users are named `user-<EnvID>-…`, unless the event has another pattern.
    ///
    /// # Errors
    /// If neither names one, or if the function's name has another one than the event.
    pub fn environment(&self, function_arn: &str) -> Result<Environment, EnvironmentError> {
        let name = function_arn.split(':').nth(6).unwrap_or_default();
        let named = name.strip_prefix(FUNCTION_NAME_PREFIX);
        let env_id = self.env_id.as_deref().or(named);
        let env_id = env_id.filter(|env_id| is_env_id(env_id));
        let id = env_id.ok_or(EnvironmentError::Unnamed)?.to_owned();
        if let Some(own) = named.filter(|own| is_env_id(own) && *own != id) {
            let own = own.to_owned();
            return Err(EnvironmentError::OtherEnvironment { requested: id, own });
        }
        let user_names = self.user_names.clone();
        Ok(Environment {
            user_names: user_names.unwrap_or_else(|| MIRROR_USERS.prefix(&id)),
            compares_pipeline_stacks: self.compares_pipeline_stacks,
            repairs_mirrors: self.repairs_mirrors,
            credential_age_days: self.credential_age_days,
            first_project: self.first_project.clone(),
            id,
        })
    }
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
