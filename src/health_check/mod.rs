//! The scheduled health check: checks the environment's mirrors, credentials and pipelines, and logs
//! the findings as CloudWatch metrics.
//!
//! Each is checked by itself. A failed check is reported, and the others continue. The health check
//! changes four things:
//! - It ends a rotation that nothing resumes.
//! - It creates the pipeline of a branch whose first push was not delivered.
//! - It starts an execution again that an update canceled.
//! - It posts to GitLab what lost events did not.

mod clients;
mod credentials;
mod doctor;
pub mod metrics;
mod pipelines;
mod stacks;

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

pub use self::clients::CheckClients;

use crate::aws::Aws;
use crate::gitops_pipeline;
use crate::gitops_pipeline::GitOpsPipeline;
use crate::gitops_pipeline::first_push::{BranchPush, Started};
use crate::health_check::doctor::Check;
use crate::health_check::metrics::Metric;
use crate::http::Http;
use crate::mirror_credential::MirrorCredential;
use crate::reporting;
use crate::reporting::Execution;

/// The longest wait for the creation of one pipeline. CloudFormation continues a longer one.
const PIPELINE_CREATION_TIMEOUT: Duration = Duration::from_secs(180);

const SECONDS_PER_DAY: f64 = 86_400.0;

/// How long ago an execution may have changed whose report is repeated.
const REPORTED_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The function's name up to the environment's ID.
const FUNCTION_NAME_PREFIX: &str = "cfn-gitops-";

/// A request for a health check, or for a diagnosis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The environment. `None` if the event does not name it.
    env_id: Option<String>,
    /// The pattern of its IAM users. `None` if the event does not name one.
    user_names: Option<String>,
    /// Whether it is a diagnosis: it lists all that it checks, changes nothing and has no metrics.
    pub is_diagnosis: bool,
}

/// The environment that a health check is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// `EnvID`.
    pub id: String,
    /// The pattern of its IAM users, with IAM's wildcards: those that the function has permissions for.
    pub user_names: String,
}

/// Why the environment of a health check is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// Neither the event nor the function's name has an environment.
    #[error(
        "checking the health of an environment: neither does the event name one (`HealthCheck.EnvID`: a letter, then letters and digits, all in lower case), nor is the function called {FUNCTION_NAME_PREFIX}<EnvID>"
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

impl HealthCheck {
    /// Parses an event. `None` if it is not a health check.
    pub fn parse(event: &str) -> Option<Self> {
        let event: Value = serde_json::from_str(event).ok()?;
        // EventBridge's schedules send this if their target has no input.
        // https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
        let is_scheduled =
            event["source"] == "aws.events" && event["detail-type"] == "Scheduled Event";
        let request = |kind: &str| event.get(kind).filter(|asked| asked.is_object());
        let diagnosis = request("Doctor");
        let asked = request("HealthCheck").or(diagnosis);
        if asked.is_none() && !is_scheduled {
            return None;
        }
        let member = |name: &str| asked.and_then(|asked| asked[name].as_str());
        Some(HealthCheck {
            env_id: member("EnvID").map(ToOwned::to_owned),
            // The template's parameter is empty by default.
            user_names: member("UserNames")
                .filter(|pattern| !pattern.is_empty())
                .map(ToOwned::to_owned),
            is_diagnosis: diagnosis.is_some(),
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
            user_names: user_names.unwrap_or_else(|| format!("user-{id}-*")),
            id,
        })
    }
}

fn is_env_id(text: &str) -> bool {
    text.len() <= 30 && gitops_pipeline::is_env_id(text)
}

/// Checks everything in the environment, for `time` at most. Passes each line for CloudWatch to
/// `emit`, and returns a summary.
pub async fn check(
    environment: &Environment,
    CheckClients { aws, http, clock }: CheckClients<'_>,
    mirror_credential: &MirrorCredential,
    gitops_pipeline: &GitOpsPipeline,
    time: Duration,
    emit: &mut (dyn FnMut(Value) + Send),
) -> Value {
    let ends = clock.now() + time;
    let mut checker = Checker {
        environment,
        now: clock.now(),
        emit,
        findings: Findings::default(),
        may_change: true,
    };
    let work = async {
        // Concurrent checks would take less time, and could cause throttling of other requests.
        checker.check_credentials(mirror_credential).await;
        let pipelines = checker.check_pipelines(aws, gitops_pipeline).await;
        let missed = checker.check_stacks(aws, gitops_pipeline).await;
        // Half of the time is enough for the checks of the largest environment. The rest is reserved
        // for the result.
        let until = clock.now() + clock.until(ends).mul_f64(0.5);
        for push in &missed {
            let left = clock.until(until).min(PIPELINE_CREATION_TIMEOUT);
            checker.create_pipeline(gitops_pipeline, push, left).await;
        }
        pipelines
    };
    match tokio::time::timeout(time, Box::pin(work)).await {
        Ok(pipelines) => {
            // The reports come last: a slow GitLab takes no time from the checks.
            let work = checker.report_executions(aws, http, pipelines);
            let is_over = tokio::time::timeout(clock.until(ends), work).await.is_err();
            if is_over {
                tracing::warn!("no time to report all executions");
            }
        }
        Err(_) => checker.failed("there was no time to check everything"),
    }
    checker.finish()
}

/// Checks the same, but for pending rotations, without a change and without metrics. Returns each
/// check with its problem.
pub async fn diagnose(
    environment: &Environment,
    CheckClients { aws, clock, .. }: CheckClients<'_>,
    mirror_credential: &MirrorCredential,
    gitops_pipeline: &GitOpsPipeline,
    time: Duration,
) -> Value {
    let mut checker = Checker {
        environment,
        now: clock.now(),
        emit: &mut |_| {},
        findings: Findings::default(),
        may_change: false,
    };
    let work = async {
        checker.check_credentials(mirror_credential).await;
        checker.check_pipelines(aws, gitops_pipeline).await;
        checker.check_stacks(aws, gitops_pipeline).await;
    };
    let is_over = tokio::time::timeout(time, Box::pin(work)).await.is_err();
    if is_over {
        checker.failed("there was no time to check everything");
    }
    let checks: Vec<Value> = checker.findings.checks.iter().map(Check::shown).collect();
    json!({
        "EnvID": environment.id,
        "Checks": checks,
        "NotChecked": checker.findings.failed,
    })
}

/// The findings so far.
#[derive(Debug, Default)]
struct Findings {
    mirrors: usize,
    credentials: usize,
    pipelines: usize,
    created: Vec<String>,
    checks: Vec<Check>,
    failed: Vec<String>,
}

/// A health check under way.
struct Checker<'a> {
    environment: &'a Environment,
    now: SystemTime,
    emit: &'a mut (dyn FnMut(Value) + Send),
    findings: Findings,
    /// Whether the check may change something.
    may_change: bool,
}

impl Checker<'_> {
    /// Reports to GitLab what events of the last day have lost, until GitLab is unreachable.
    async fn report_executions(
        &mut self,
        aws: &Aws,
        http: &Http,
        pipelines: Vec<(String, Vec<Execution>)>,
    ) {
        for (name, changed) in pipelines {
            let name = name.as_str();
            let caught_up = Box::pin(reporting::catch_up(aws, http, name, changed)).await;
            let failures = match &caught_up {
                Ok(reported) => reported.log_rejected(),
                Err(error) => {
                    tracing::warn!(pipeline = name, %error, "not reported");
                    1
                }
            };
            if failures > 0 {
                self.emit(name, &[(metrics::REPORT_FAILURES, failures.into())]);
            }
            if caught_up.is_err_and(|error| error.is_unreachable()) {
                return;
            }
        }
    }

    /// Reports pipelines' stacks without an owner. Returns the first pushes that stacks wait for.
    async fn check_stacks(
        &mut self,
        aws: &Aws,
        gitops_pipeline: &GitOpsPipeline,
    ) -> Vec<BranchPush> {
        let mut missed = vec![];
        let stacks = match stacks::list(aws, &self.environment.id).await {
            Ok(stacks) => stacks,
            Err(error) => {
                self.failed(&error.to_string());
                return missed;
            }
        };
        let mut orphans = 0_u32;
        for (name, id) in &stacks.pipelines {
            let child = match gitops_pipeline.look_up_child(name).await {
                Ok(Some(child)) => child,
                // It was deleted meanwhile, or is not a pipeline's.
                Ok(None) => continue,
                Err(error) => {
                    self.failed(&error.to_string());
                    continue;
                }
            };
            let subject = format!("pipeline stack {name}");
            if stacks.contains(&child.owner_stack_id) {
                missed.extend(child.waits_for);
                self.checked(subject, None);
                continue;
            }
            orphans += 1;
            let owner = &child.owner_stack_id;
            let problem = format!(
                "its owner, stack {owner}, no longer exists; delete it with \
                 `aws cloudformation delete-stack --stack-name {id}`"
            );
            self.checked(subject, Some(problem));
        }
        self.emit("", &[(metrics::ORPHANED_PIPELINE_STACKS, orphans.into())]);
        missed
    }

    /// Creates the pipeline that waits for `push`, if its branch exists, within `time`.
    async fn create_pipeline(
        &mut self,
        gitops_pipeline: &GitOpsPipeline,
        push: &BranchPush,
        time: Duration,
    ) {
        let name = push.stack_name().unwrap_or_default();
        let work = Box::pin(gitops_pipeline.start(push));
        match tokio::time::timeout(time, work).await {
            Ok(Ok(Started::Pipeline { name })) => {
                tracing::warn!(
                    pipeline = name,
                    "pipeline created: the first push of its branch was not delivered"
                );
                self.findings.created.push(name);
            }
            Ok(Ok(Started::Unmatched | Started::Nothing { .. })) => {}
            Ok(Err(error)) => {
                self.checked(format!("pipeline stack {name}"), Some(error.to_string()));
            }
            // The next check reads its state.
            Err(_) => tracing::warn!(pipeline_stack = name, "no time to create the pipeline"),
        }
    }

    /// Reports a failed check.
    fn failed(&mut self, why: &str) {
        tracing::warn!(why, "check failed");
        self.findings.failed.push(why.to_owned());
    }

    /// Reports a checked resource, with what is wrong.
    fn checked(&mut self, subject: String, problem: Option<String>) {
        if let Some(problem) = &problem {
            tracing::warn!(what = format!("{subject}: {problem}"), "unhealthy");
        }
        self.findings.checks.push(Check { subject, problem });
    }

    fn emit(&mut self, subject: &str, metrics: &[(Metric, Value)]) {
        let line = metrics::line(self.now, &self.environment.id, subject, metrics);
        (self.emit)(line);
    }

    fn since(&self, time: SystemTime) -> Duration {
        // Clocks differ a little, so the time may be in the future.
        self.now.duration_since(time).unwrap_or_default()
    }

    fn finish(mut self) -> Value {
        let has_failed = u8::from(!self.findings.failed.is_empty());
        self.emit("", &[(metrics::HEALTH_CHECK_FAILED, has_failed.into())]);
        let found = self.findings;
        let unhealthy = found.checks.iter().filter_map(|check| {
            let problem = check.problem.as_ref()?;
            Some(format!("{}: {problem}", check.subject))
        });
        json!({
            "EnvID": self.environment.id,
            "Checked": {
                "mirrors": found.mirrors,
                "credentials": found.credentials,
                "pipelines": found.pipelines,
            },
            "Created": found.created,
            "Unhealthy": unhealthy.collect::<Vec<_>>(),
            "NotChecked": found.failed,
        })
    }
}

#[cfg(test)]
mod tests;
