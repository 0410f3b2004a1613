//! Handles the events that CloudFormation does not send: rotations, pushes, health checks, and the
//! questions of the function that only reads.

use std::time::{Duration, SystemTime};

use serde_json::json;
use tracing::Span;

use super::context::Handler;
use super::error::HandlerError;
use super::outcome::EventOutcome;
use crate::answers::Question;
use crate::common::logging;
use crate::common::stop::Stop;
use crate::feedback::approval;
use crate::feedback::reporting;
use crate::feedback::reporting::{PipelineEvent, ReportError, Reported};
use crate::feedback::review;
use crate::feedback::review::BuildEvent;
use crate::gitops_pipeline::executions::Outcome;
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::pushes::BranchPush;
use crate::health_check::{Checker, Environment, HealthCheck, Mode, Schedule, metrics};
use crate::mirror_credential::rotation::RotationEvent;
use cfn_custom_resource::Failure;

/// The end of an event, or why there is nothing to do.
type Handled = Result<EventOutcome, Stop<HandlerError>>;

/// Reserved before Lambda's deadline, so that a timeout is still logged.
const MARGIN: Duration = Duration::from_secs(2);

impl Handler {
    pub(super) async fn handle_rotation(
        self,
        rotation: RotationEvent,
        deadline: SystemTime,
    ) -> Handled {
        let (step, secret) = (rotation.phase.step(), &rotation.secret_id);
        let span = Span::current();
        span.record("rotation_step", step);
        span.record("secret", secret);
        tracing::info!(version = rotation.version_id.as_str(), "rotation");
        let rotating = self.mirror_credential.rotate(&rotation, deadline - MARGIN);
        Box::pin(rotating).await.map_err(HandlerError::NotRotated)?;
        Ok(EventOutcome::Done(json!({
            "Step": step,
            "SecretId": secret,
            "VersionId": rotation.version_id,
        })))
    }

    /// Creates the pipeline of a branch that was pushed for the first time. Starts the pipeline if
    /// the push changes files of its `Source.Paths`.
    pub(super) async fn handle_push(self, push: BranchPush) -> Handled {
        Span::current().record("pipeline_stack", push.stack_name());
        tracing::info!(branch = push.branch, "push");
        let started = Box::pin(self.gitops_pipeline.start(&push)).await;
        let name = push.pipeline_name();
        match started.map_err(|stop| stop.map(HandlerError::NotStarted))? {
            Outcome::Started => {
                tracing::info!(pipeline = name, "the pipeline exists");
                Ok(EventOutcome::Done(json!({"PipelineName": name})))
            }
            Outcome::Frozen => {
                let because = "the event rule is disabled";
                tracing::warn!(pipeline = name, because, "the push starts nothing");
                Ok(EventOutcome::ignored(because))
            }
        }
    }

    /// Reports an execution of a pipeline to GitLab.
    pub(super) async fn handle_report(self, event: PipelineEvent) -> Handled {
        Span::current().record("pipeline_stack", event.names.stack());
        tracing::info!(execution = event.execution_id, "pipeline execution");
        let mut approved = Ok(());
        let report = async {
            let pipeline = self.gitops_pipeline.read_settings(&event.names).await?;
            if let Some(pipeline) = pipeline.as_ref().filter(|_| event.is_about_approval()) {
                // First, so that no person is asked. Without it, the execution is reported all the
                // same.
                approved = Box::pin(approval::approve(&self.clients.aws, pipeline)).await;
            }
            reporting::handle(&self.clients, pipeline, &event).await
        };
        let report = Box::pin(report).await;
        let id = format!("execution {}", event.execution_id);
        let shown = self.end_report(&event.names, &id, report);
        let Err(error) = approved else {
            return shown;
        };
        let reason = error.reason();
        if let Err(Stop::Failed(_)) = shown {
            warn!(reason, "a change set is not approved");
            return shown;
        }
        Err(HandlerError::NotApproved(Failure(reason)).into())
    }

    /// Logs the accepted parts of the report of a `subject`, and counts the failed ones.
    fn end_report(
        &self,
        names: &ResourceNames,
        subject: &str,
        report: Result<Reported, Stop<ReportError>>,
    ) -> Handled {
        let reported = match report {
            Ok(reported) => Ok(reported),
            Err(Stop::Nothing(because)) => return Err(Stop::Nothing(because)),
            Err(Stop::Failed(error)) => Err(error.about(subject)),
        };
        let failures = reported.as_ref().map_or(1, Reported::log_failed);
        if failures > 0 {
            self.emit_report_failures(names, failures);
        }
        let reported = match reported {
            // Lambda would deliver the event twice more, with the same result.
            Err(error) if error.is_final => {
                warn!(error.reason, "an execution is not reported");
                Reported::default()
            }
            reported => reported?,
        };
        if let Some(error) = reported.error_that_may_pass() {
            return Err(error.clone().about(subject).into());
        }
        Ok(EventOutcome::Done(json!({"Report": {
            "PipelineName": names.pipeline(),
            "Posted": reported.accepted,
            "Rejected": failures,
        }})))
    }

    /// Writes the changes of a review branch on its merge request.
    pub(super) async fn handle_review(self, event: BuildEvent) -> Handled {
        Span::current().record("pipeline_stack", event.names.stack());
        let build = &event.build_id;
        tracing::info!(build, "build of a review branch");
        match Box::pin(review::handle(&self.clients, &self.gitops_pipeline, &event)).await {
            Ok(()) => Ok(EventOutcome::Done(json!({"Review": {"BuildId": build}}))),
            Err(Stop::Nothing(because)) => Err(Stop::Nothing(because)),
            Err(Stop::Failed(error)) => {
                self.emit_report_failures(&event.names, 1);
                if !error.is_final {
                    return Err(error.about(&format!("build {build}")).into());
                }
                // Lambda would deliver the event twice more.
                warn!(error.reason, "a review is not reported");
                let rejected = json!({"Review": {"BuildId": build, "Rejected": 1}});
                Ok(EventOutcome::Done(rejected))
            }
        }
    }

    fn emit_report_failures(&self, names: &ResourceNames, failures: usize) {
        let (now, pipeline) = (self.clients.clock.now(), names.pipeline());
        let failures = [(metrics::REPORT_FAILURES, failures.into())];
        logging::emit(&metrics::line(now, &names.env_id, &pipeline, &failures));
    }

    /// Checks the environment's mirrors, credentials and pipelines.
    pub(super) async fn handle_health_check(
        self,
        check: HealthCheck,
        deadline: SystemTime,
    ) -> Handled {
        let emit = |line| logging::emit(&line);
        let checker = self.checker(&check.environment, Mode::Check(&emit), check.interval);
        let time = self.clients.clock.until(deadline - MARGIN);
        Ok(EventOutcome::Done(
            json!({"HealthCheck": checker.check(time).await}),
        ))
    }

    /// Answers a question. It changes nothing.
    pub(super) async fn answer(self, question: Question, deadline: SystemTime) -> Handled {
        let checker = self.checker(&question.environment, Mode::Diagnosis, None);
        let time = self.clients.clock.until(deadline - MARGIN);
        Ok(EventOutcome::Done(
            checker.answer(&question.topic, time).await,
        ))
    }

    fn checker<'a>(
        &'a self,
        environment: &'a Environment,
        mode: Mode<'a>,
        interval: Option<Duration>,
    ) -> Checker<'a> {
        Span::current().record("environment", &environment.id);
        tracing::info!(users = environment.user_names, "environment");
        Checker {
            environment,
            clients: &self.clients,
            mirror_credential: &self.mirror_credential,
            gitops_pipeline: &self.gitops_pipeline,
            mode,
            schedule: Schedule {
                began: self.clients.clock.now(),
                interval,
            },
        }
    }
}
