//! The health check, which a schedule asks for: the environment's mirrors, credentials and
//! pipelines are looked at, and what is seen is logged as CloudWatch metrics.
//!
//! Each is looked at by itself. What cannot be looked at is said, and keeps nobody from looking at
//! the others. Two things are changed: a rotation that nothing resumes is ended, and the pipeline of
//! a branch whose first push was not delivered is created.

mod metrics;
mod pipelines;
mod stacks;

use std::time::{Duration, SystemTime};

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::gitops_pipeline;
use crate::gitops_pipeline::GitOpsPipeline;
use crate::gitops_pipeline::first_push::{FirstPush, Started};
use crate::health_check::metrics::{Metric, Subject};
use crate::health_check::pipelines::Pipeline;
use crate::iam_wildcard::NamePattern;
use crate::mirror_credential::MirrorCredential;
use crate::mirror_credential::health::{Health, Listed, NotSeen, OutOfReach};
use crate::mirror_credential::rotation::PendingRotation;
use crate::ownership::write_time;
use cfn_custom_resource::Clock;

/// The longest time that the check waits for one pipeline to be created. CloudFormation finishes what
/// takes longer.
const MAX_TIME_FOR_A_PIPELINE: Duration = Duration::from_secs(180);

/// The beginning of the function's name, which the environment's id ends.
const FUNCTION_NAME: &str = "cfn-gitops-";

/// A request for a health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The environment, when the event names it.
    env_id: Option<String>,
    /// The pattern of its IAM users, when the event names one.
    user_names: Option<String>,
}

/// What a health check looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// `EnvID`.
    pub id: String,
    /// The pattern of its IAM users, with IAM's wildcards: those that the function has rights for.
    pub user_names: String,
}

/// Why no health check was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// Nobody says one.
    #[error(
        "checking the health of an environment: neither does the event name one (`HealthCheck.EnvID`: a letter, then letters and digits, all in lower case), nor is the function called {FUNCTION_NAME}<EnvID>"
    )]
    Unnamed,
    /// The metrics of an environment, and so its alarms, are its own function's.
    #[error("checking the health of environment {asked}: this function is that of {own}")]
    AnotherOnes {
        /// The environment that the event names.
        asked: String,
        /// The one that the function is called by.
        own: String,
    },
}

/// One line for CloudWatch.
pub type Line = Value;

impl HealthCheck {
    /// Finds a request in an event; `None` when it is something else.
    pub fn parse(event: &str) -> Option<Self> {
        // What EventBridge's schedules send when their target says nothing else.
        // https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
        let is_scheduled = serde_json::from_str(event).is_ok_and(|event: EventBridgeEvent| {
            event.source == "aws.events" && event.detail_type == "Scheduled Event"
        });
        let event: Value = serde_json::from_str(event).ok()?;
        let asked = event.get("HealthCheck").filter(|asked| asked.is_object());
        if asked.is_none() && !is_scheduled {
            return None;
        }
        let member = |name: &str| asked.and_then(|asked| asked[name].as_str());
        Some(HealthCheck {
            env_id: member("EnvID").map(ToOwned::to_owned),
            // An empty one is what the template's parameter says for its default.
            user_names: member("UserNames")
                .filter(|pattern| !pattern.is_empty())
                .map(ToOwned::to_owned),
        })
    }

    /// The environment: the event's, or that of the function `function_arn`, whose name ends in it.
    /// Its users are called `user-<EnvID>-…`, unless the event says otherwise.
    ///
    /// # Errors
    /// When neither says one, or the function's name says another one than the event.
    pub fn environment(&self, function_arn: &str) -> Result<Environment, EnvironmentError> {
        let name = function_arn.split(':').nth(6).unwrap_or_default();
        let named = name.strip_prefix(FUNCTION_NAME);
        let env_id = self.env_id.as_deref().or(named);
        let env_id = env_id.filter(|env_id| is_env_id(env_id));
        let id = env_id.ok_or(EnvironmentError::Unnamed)?.to_owned();
        if let Some(own) = named.filter(|own| is_env_id(own) && *own != id) {
            let own = own.to_owned();
            return Err(EnvironmentError::AnotherOnes { asked: id, own });
        }
        let user_names = self.user_names.clone();
        Ok(Environment {
            user_names: user_names.unwrap_or_else(|| format!("user-{id}-*")),
            id,
        })
    }
}

fn is_env_id(text: &str) -> bool {
    text.len() <= 30 && gitops_pipeline::is_env_id(text)
}

/// Looks at everything in the environment, for `time` at most. Hands each line for
/// CloudWatch to `emit`, and answers with a summary.
pub async fn check(
    environment: &Environment,
    aws: &Aws,
    mirror_credential: &MirrorCredential,
    gitops_pipeline: &GitOpsPipeline,
    clock: &Clock,
    time: Duration,
    emit: &mut (dyn FnMut(Line) + Send),
) -> Value {
    let ends = clock.now() + time;
    let mut look = Look {
        environment,
        now: clock.now(),
        emit,
        seen: Seen::default(),
    };
    let work = async {
        // Side by side they would take less time, and ask AWS for more at once than a schedule
        // should.
        look.at_credentials(mirror_credential).await;
        look.at_pipelines(aws).await;
        let missed = look.at_stacks(aws, gitops_pipeline).await;
        // Half of the time is enough for the looks of the largest environment, and the rest is
        // left for the answer.
        let until = clock.now() + clock.until(ends).mul_f64(0.5);
        for push in &missed {
            let left = clock.until(until).min(MAX_TIME_FOR_A_PIPELINE);
            look.create(gitops_pipeline, push, left).await;
        }
    };
    let is_over = tokio::time::timeout(time, Box::pin(work)).await.is_err();
    if is_over {
        look.failed("there was no time to look at everything");
    }
    look.end()
}

/// What was seen so far.
#[derive(Debug, Default)]
struct Seen {
    mirrors: usize,
    credentials: usize,
    pipelines: usize,
    created: Vec<String>,
    unhealthy: Vec<String>,
    failed: Vec<String>,
}

/// A health check under way.
struct Look<'a> {
    environment: &'a Environment,
    now: SystemTime,
    emit: &'a mut (dyn FnMut(Line) + Send),
    seen: Seen,
}

impl Look<'_> {
    async fn at_credentials(&mut self, mirror_credential: &MirrorCredential) {
        let user_names = match NamePattern::new(&self.environment.user_names) {
            Ok(user_names) => user_names,
            Err(error) => return self.failed(&format!("reading the pattern UserNames: {error}")),
        };
        let listed = match mirror_credential.list_secrets(&user_names).await {
            Ok(listed) => listed,
            Err(error) => return self.failed(&error.to_string()),
        };
        let mut out_of_reach = OutOfReach::default();
        for secret in &listed {
            let health = mirror_credential.health(secret, &mut out_of_reach);
            match Box::pin(health).await {
                Ok(health) => {
                    self.report(&health);
                    self.at_rotation(mirror_credential, secret).await;
                }
                Err(NotSeen::Nothing) => {}
                Err(NotSeen::Failed(why)) => self.failed(&why),
            }
        }
    }

    async fn at_rotation(&mut self, mirror_credential: &MirrorCredential, secret: &Listed) {
        let name = &secret.name;
        let pending = Box::pin(mirror_credential.look_at_rotation(name)).await;
        match pending {
            Ok(Some(PendingRotation::Waits { version_id, since })) => {
                let since = write_time(since);
                self.unhealthy(&format!(
                    "the rotation of secret {name} to version {version_id} is pending since {since}. \
                     Secrets Manager reattempts it; the log of its steps says why they fail"
                ));
            }
            Ok(Some(PendingRotation::Ended)) => {
                tracing::warn!(secret = name, "a rotation without a schedule was ended");
            }
            Ok(None) => {}
            Err(error) => self.failed(&error.to_string()),
        }
    }

    fn report(&mut self, health: &Health) {
        self.seen.credentials += 1;
        if let Some(issued) = health.issued {
            let age = self.since(issued).as_secs_f64() / 86_400.0;
            let metrics = [Metric::CredentialAge(age)];
            self.emit(&Subject::User(&health.user_name), &metrics);
        } else {
            let user = &health.user_name;
            self.unhealthy(&format!("the credential of user {user} is gone"));
        }
        for mirror in &health.mirrors {
            self.seen.mirrors += 1;
            if let Some(fault) = &mirror.fault {
                let (project, repository) = (&mirror.project, &mirror.repository_name);
                self.unhealthy(&format!(
                    "the mirror of project {project} to repository {repository}: {fault}"
                ));
            }
            let mut metrics = vec![Metric::MirrorHealthy(mirror.fault.is_none())];
            if let Some(at) = mirror.succeeded_at {
                metrics.push(Metric::SecondsSinceMirrorSync(self.since(at).as_secs_f64()));
            }
            self.emit(&Subject::Project(&mirror.project), &metrics);
        }
    }

    async fn at_pipelines(&mut self, aws: &Aws) {
        let names = match pipelines::list(aws, &self.environment.id).await {
            Ok(names) => names,
            Err(error) => return self.failed(&error.to_string()),
        };
        for name in &names {
            match pipelines::look_at(aws, name).await {
                Ok(Some(pipeline)) => self.report_pipeline(name, &pipeline),
                // It was deleted since.
                Ok(None) => {}
                Err(error) => self.failed(&error.to_string()),
            }
        }
    }

    /// Reports pipelines' stacks without an owner. Returns the first pushes that stacks wait for.
    async fn at_stacks(&mut self, aws: &Aws, gitops_pipeline: &GitOpsPipeline) -> Vec<FirstPush> {
        let mut missed = vec![];
        let stacks = match stacks::list(aws, &self.environment.id).await {
            Ok(stacks) => stacks,
            Err(error) => {
                self.failed(&error.to_string());
                return missed;
            }
        };
        let mut orphans = 0;
        for (name, id) in &stacks.pipelines {
            let child = match gitops_pipeline.look_up_child(name).await {
                Ok(Some(child)) => child,
                // It was deleted since, or is not one of a pipeline.
                Ok(None) => continue,
                Err(error) => {
                    self.failed(&error.to_string());
                    continue;
                }
            };
            if stacks.contains(&child.owner_stack_id) {
                missed.extend(child.waits_for);
                continue;
            }
            orphans += 1;
            let owner = &child.owner_stack_id;
            self.unhealthy(&format!(
                "pipeline stack {name}: its owner, stack {owner}, no longer exists; delete it with \
                 `aws cloudformation delete-stack --stack-name {id}`"
            ));
        }
        self.emit(
            &Subject::Environment,
            &[Metric::OrphanedPipelineStacks(orphans)],
        );
        missed
    }

    /// Creates the pipeline that waits for `push`, if its branch exists, within `time`.
    async fn create(&mut self, gitops_pipeline: &GitOpsPipeline, push: &FirstPush, time: Duration) {
        let name = push.stack_name().unwrap_or_default();
        let work = Box::pin(gitops_pipeline.start(push));
        match tokio::time::timeout(time, work).await {
            Ok(Ok(Started::Pipeline { name, .. })) => {
                tracing::warn!(
                    pipeline = name,
                    "created: its branch's first push was not delivered"
                );
                self.seen.created.push(name);
            }
            Ok(Ok(Started::Nothing { .. })) => {}
            Ok(Err(error)) => self.unhealthy(&error.to_string()),
            // The next check sees what became of it.
            Err(_) => tracing::warn!(pipeline_stack = name, "no time to create its pipeline"),
        }
    }

    fn report_pipeline(&mut self, name: &str, pipeline: &Pipeline) {
        self.seen.pipelines += 1;
        if pipeline.succeeded == Some(false) {
            self.unhealthy(&format!("the newest run of pipeline {name} failed"));
        }
        let mut metrics = vec![Metric::ApprovalsWaiting(pipeline.approvals_waiting)];
        if let Some(succeeded) = pipeline.succeeded {
            metrics.push(Metric::PipelineSucceeded(succeeded));
        }
        if let Some(requested) = pipeline.approval_requested {
            let waited = self.since(requested).as_secs_f64();
            metrics.push(Metric::SecondsSinceApprovalRequest(waited));
        }
        self.emit(&Subject::Pipeline(name), &metrics);
    }

    /// Says what could not be looked at.
    fn failed(&mut self, why: &str) {
        tracing::warn!(why, "not looked at");
        self.seen.failed.push(why.to_owned());
    }

    /// Says what is not as it should be.
    fn unhealthy(&mut self, what: &str) {
        tracing::warn!(what, "unhealthy");
        self.seen.unhealthy.push(what.to_owned());
    }

    fn emit(&mut self, subject: &Subject<'_>, metrics: &[Metric]) {
        (self.emit)(metrics::line(
            self.now,
            &self.environment.id,
            subject,
            metrics,
        ));
    }

    fn since(&self, time: SystemTime) -> Duration {
        // Clocks differ a little: what has just happened may be in the future.
        self.now.duration_since(time).unwrap_or_default()
    }

    fn end(mut self) -> Value {
        let has_failed = !self.seen.failed.is_empty();
        let metrics = [Metric::HealthCheckFailed(has_failed)];
        self.emit(&Subject::Environment, &metrics);
        let Seen {
            mirrors,
            credentials,
            pipelines,
            created,
            unhealthy,
            failed,
        } = self.seen;
        json!({
            "EnvID": self.environment.id,
            "LookedAt": {"mirrors": mirrors, "credentials": credentials, "pipelines": pipelines},
            "Created": created,
            "Unhealthy": unhealthy,
            "NotLookedAt": failed,
        })
    }
}

#[cfg(test)]
mod tests;
