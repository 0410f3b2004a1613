//! The event that requests a health check, and its environment.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::clients::aws::{FUNCTION_NAME_PREFIX, env_id_of};
use crate::gitops_pipeline;
use crate::gitops_pipeline::names::MIRROR_USERS;

/// A request for a health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    pub environment: Environment,
    /// The time until the next health check. `None` if the event does not name it.
    pub interval: Option<Duration>,
}

/// The environment that a health check is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// `EnvID`.
    pub id: String,
    /// The pattern of its IAM users, with IAM's wildcards: those that the function has permissions
    /// for.
    pub user_names: String,
    /// The age in days above which a credential raises the alarm. `None` for the default.
    pub credential_age_days: Option<u32>,
    /// The project in the stack of the function. `None` if the stack has none.
    pub first_project: Option<FirstProject>,
    /// The ID of the stack of the function. `None` if it is not known.
    pub stack_id: Option<String>,
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
        "looking at an environment: the event names none, and the function is not called {FUNCTION_NAME_PREFIX}<EnvID>"
    )]
    NoEnvironment,
    /// The function belongs to another environment, whose metrics and alarms it writes.
    #[error("looking at environment {requested}: this function is that of {own}")]
    OtherEnvironment {
        /// The environment that the event names.
        requested: String,
        /// The environment in the function's name.
        own: String,
    },
    /// A question has a member that it does not know.
    #[error("reading the question: {0} is unknown")]
    UnknownMember(String),
    /// A question is about a project that cannot exist.
    #[error("reading the question: {0}.ProjectID is not the name of a project")]
    InvalidProject(&'static str),
    /// A question is about an execution that cannot exist.
    #[error("reading the question: Deployments.ExecutionId is not the ID of an execution")]
    InvalidExecution,
}

impl RejectedCheck {
    /// The imperative for the operator.
    pub fn remedy(&self) -> &'static str {
        match self {
            RejectedCheck::NoEnvironment => {
                "Set EnvID in the event to a letter, then letters and digits, all in lower case"
            }
            RejectedCheck::OtherEnvironment { .. } => {
                "Invoke the function of that environment, or leave out EnvID"
            }
            RejectedCheck::UnknownMember(_) => "Remove it",
            RejectedCheck::InvalidProject(_) => "Set it to the ProjectID of a pipeline",
            RejectedCheck::InvalidExecution => "Set it to a UUID in lower case",
        }
    }
}

/// The member of an event that requests a health check. `None` if it has none.
fn requested(event: &Value) -> Option<&Value> {
    event.get("HealthCheck").filter(|it| it.is_object())
}

impl HealthCheck {
    /// Whether an event requests a health check.
    pub fn is_requested_by(event: &Value) -> bool {
        requested(event).is_some()
    }

    /// Parses the event of a schedule, which has no member of ours if the schedule's target has no
    /// input, or an event that requests a check of the function `function_arn`.
    ///
    /// # Errors
    /// If the environment is unknown or another function's.
    pub fn parse(event: &Value, function_arn: &str) -> Result<Self, RejectedCheck> {
        let requested = requested(event).unwrap_or(&Value::Null);
        let minutes = requested["Minutes"].as_u64().filter(|minutes| *minutes > 0);
        Ok(HealthCheck {
            environment: Environment::parse(requested, function_arn)?,
            interval: minutes.map(|minutes| Duration::from_secs(minutes.saturating_mul(60))),
        })
    }
}

impl Environment {
    /// The environment of a `request`: the one that it names, or that of the function
    /// `function_arn`, whose name ends in it. Its users are named `user-<EnvID>-…`, unless the
    /// request has another pattern.
    fn parse(request: &Value, function_arn: &str) -> Result<Self, RejectedCheck> {
        let member = |name: &str| request[name].as_str();
        let named = env_id_of(function_arn.split(':').nth(6).unwrap_or_default());
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
            credential_age_days: age.and_then(|days| u32::try_from(days).ok()),
            first_project: FirstProject::parse(&request["FirstProject"]),
            stack_id: member("StackId").map(ToOwned::to_owned),
            id,
        })
    }

    /// The environment that a question with these `members` is about: that of the function's
    /// `settings`. Without them, that of the question.
    pub(crate) fn of_question(
        members: &Map<String, Value>,
        settings: &Value,
        function_arn: &str,
    ) -> Result<Self, RejectedCheck> {
        if settings.is_null() {
            return Environment::parse(&Value::Object(members.clone()), function_arn);
        }
        let own = Environment::parse(settings, function_arn)?;
        match members.get("EnvID") {
            Some(requested) if requested.as_str() != Some(&own.id) => {
                Err(RejectedCheck::OtherEnvironment {
                    requested: requested.as_str().unwrap_or_default().to_owned(),
                    own: own.id,
                })
            }
            _ => Ok(own),
        }
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
