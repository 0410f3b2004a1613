//! One event in, one answer out: which kind of event is it, and who handles it?

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use aws_types::SdkConfig;
use serde_json::{Value, json};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::aws;
use crate::aws::Aws;
use crate::cfn;
use crate::cfn::{
    Clock, Failure, Handled, Outcome, Progress, Request, RequestType, Resource, SendError,
};
use crate::gitops_pipeline;
use crate::gitops_pipeline::GitOpsPipeline;
use crate::gitops_pipeline::first_push::{FirstPush, NotStarted, Started};
use crate::health_check;
use crate::health_check::{HealthCheck, NoEnvironment};
use crate::http::{ClientError, Http, ResponseHosts};
use crate::logging;
use crate::logging::{Calls, millis};
use crate::mirror_credential::MirrorCredential;
use crate::mirror_credential::rotation::{NotRotated, RotationEvent};
use crate::reason_codes::Code;
use crate::self_invocation;
use crate::self_invocation::Position;

/// How long an invocation may take that does not say.
const UNKNOWN_DEADLINE: Duration = Duration::from_secs(300);

/// The answer to an event that is none of those which the function knows.
const UNKNOWN_EVENT: &str = "this event is none that the function answers: a CloudFormation \
    custom-resource request (`RequestType`, `ResponseURL`), its own continuation of a long one \
    (`Continuation`, `Event`), a Secrets Manager rotation step (`Step`, `SecretId`, \
    `ClientRequestToken`), a CodeCommit branch's first push (`source`, `detail`), or the scheduled \
    health check (`HealthCheck`)";

/// Kept back of the time for what nobody answers CloudFormation for, so that running out of it is
/// told.
const MARGIN: Duration = Duration::from_secs(2);

/// Kept back for reporting that work did not stop by [`MARGIN`].
const GUARD_MARGIN: Duration = Duration::from_millis(500);

/// Why an event has no answer. Lambda delivers an asynchronous event twice more after an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is of no kind that the function knows.
    #[error("{UNKNOWN_EVENT} - {}", self.code())]
    UnknownEvent,
    /// The answer was made and could not be brought to CloudFormation.
    #[error("answering CloudFormation: {} - {}", .0, self.code())]
    ResponseNotDelivered(#[from] SendError),
    /// Nobody knows whether another invocation goes on with the request.
    #[error("handing the request over to another invocation: no answer - {}", self.code())]
    MaybeContinued,
    /// A branch has its first push, and its pipeline could not be made.
    #[error(transparent)]
    NotStarted(#[from] NotStarted),
    /// A rotation's step failed.
    #[error(transparent)]
    NotRotated(#[from] NotRotated),
    /// Nobody says which environment's health is to be checked.
    #[error("{} - {}", .0, self.code())]
    NoEnvironment(#[from] NoEnvironment),
    /// There was no time left.
    #[error("{}: no time was left - {}", .0, self.code())]
    OutOfTime(&'static str),
    /// The HTTP client cannot be created.
    #[error("{} - {}", .0, self.code())]
    NotSetUp(String),
    /// The handling panicked. The panic's text is left out, because it may contain anything.
    #[error("handling the event: internal error. See the function's log. - {}", self.code())]
    Panicked,
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        Error::NotSetUp(error.to_string())
    }
}

impl Error {
    /// The name under which Lambda reports the error (`errorType`). Alarms and filters depend on it,
    /// so it does not follow the names in the source.
    pub fn name(&self) -> &'static str {
        match self {
            Error::UnknownEvent => "UnknownEvent",
            Error::ResponseNotDelivered(_) => "ResponseNotDelivered",
            Error::MaybeContinued => "HandOverUnconfirmed",
            Error::NotStarted(_) => "FirstPushFailed",
            Error::NotRotated(_) => "RotationFailed",
            Error::NoEnvironment(_) => "UnknownEnvironment",
            Error::OutOfTime(_) => "OutOfTime",
            Error::NotSetUp(_) => "StartFailed",
            Error::Panicked => "InternalError",
        }
    }

    /// The code at the end of the error's text.
    fn code(&self) -> Code {
        match self {
            Error::UnknownEvent | Error::NoEnvironment(_) => Code::UnusableEvent,
            Error::ResponseNotDelivered(_) => Code::ResponseNotDelivered,
            Error::MaybeContinued => Code::NotContinued,
            Error::NotStarted(error) => error.code(),
            Error::NotRotated(error) => error.code(),
            Error::OutOfTime(_) => Code::OutOfTime,
            Error::NotSetUp(_) | Error::Panicked => Code::InternalError,
        }
    }
}

/// What surrounds one event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Lambda's id of the invocation, for the log.
    pub request_id: String,
    /// Lambda ends the process then.
    pub deadline: SystemTime,
    /// The function itself, which goes on in another invocation when this one is too short.
    pub function_arn: String,
}

/// Everything that answering an event takes.
#[derive(Clone, Debug)]
pub struct Handler {
    http: Http,
    response_hosts: ResponseHosts,
    clock: Clock,
    aws: Aws,
    mirror_credential: Arc<MirrorCredential>,
    gitops_pipeline: Arc<GitOpsPipeline>,
}

impl Handler {
    /// A provider that calls AWS as `config` says, sends everything through `http`, and goes by
    /// `clock`.
    pub fn new(config: &SdkConfig, http: impl Into<Http>, clock: Clock) -> Self {
        let http = http.into();
        let aws = Aws::new(config, &http);
        let mirror_credential = MirrorCredential::new(aws.clone(), http.clone(), clock.clone());
        Handler {
            mirror_credential: Arc::new(mirror_credential),
            gitops_pipeline: Arc::new(GitOpsPipeline::new(aws.clone())),
            aws,
            http,
            response_hosts: ResponseHosts::for_config(config, aws::is_in_lambda()),
            clock,
        }
    }

    /// Answers one event. For a CloudFormation request the result is the JSON that CloudFormation
    /// got.
    ///
    /// # Errors
    /// When the event is of no known kind, or its answer could not be delivered and Lambda should
    /// try again.
    pub async fn answer(&self, event: &str, invocation: &Invocation) -> Result<Value, Error> {
        let (span, calls) = (
            logging::invocation(&invocation.request_id),
            Calls::default(),
        );
        let began = Instant::now();
        let answering = Box::pin(self.answer_event(event, invocation, &calls));
        let answering = calls.count(catch_panic(answering));
        let answered = answering.instrument(span.clone()).await;
        let answered = answered.unwrap_or(Err(Error::Panicked));
        span.in_scope(|| told(&answered, began.elapsed(), &calls));
        answered
    }

    async fn answer_event(
        &self,
        event: &str,
        invocation: &Invocation,
        calls: &Calls,
    ) -> Result<Value, Error> {
        let (event, position) = self_invocation::read(event);
        let received_at = position.received_at(self.clock.now());
        let Some(request) = Request::find(event, received_at) else {
            let (provider, event) = (self.clone(), event.to_owned());
            let (invocation, calls) = (invocation.clone(), calls.clone());
            let time = self.clock.until(self.ends(&invocation));
            let work = async move {
                let answering = Box::pin(provider.answer_others(&event, &invocation));
                calls.count(answering).await
            };
            return guarded(work, time).await?;
        };
        let around = Around {
            event,
            position,
            received_at,
            invocation,
            calls,
        };
        let span = Span::current();
        span.record("request", &request.request_id);
        span.record("request_type", request.request_type.map(RequestType::name));
        span.record("resource_type", &request.resource_type);
        span.record("stack", &request.stack_id);
        span.record("logical_id", &request.logical_resource_id);
        tracing::info!(
            id = request.physical_resource_id,
            hop = position.hop,
            "request"
        );
        let answered = match request.resource_type.as_str() {
            "Custom::MirrorCredential" => {
                let resource = Arc::clone(&self.mirror_credential);
                self.answer_for(resource, request, &around).await
            }
            "Custom::GitOpsPipeline" => {
                let resource = Arc::clone(&self.gitops_pipeline);
                self.answer_for(resource, request, &around).await
            }
            _ => {
                self.answer_for(Arc::new(UnknownType), request, &around)
                    .await
            }
        };
        match answered {
            Handled::Continued => {
                let hop = position.hop + 1;
                Ok(json!({"Continuation": {"Hop": hop}}))
            }
            Handled::MaybeContinued => Err(Error::MaybeContinued),
            // Another delivery could succeed: let Lambda try it.
            Handled::Responded {
                delivery: Err(error @ SendError::OutOfTime),
                ..
            } => Err(error.into()),
            // It arrived; or it never will, and another delivery could change nothing about that.
            Handled::Responded { body, .. } => Ok(body),
        }
    }

    /// Answers what does not come from CloudFormation.
    async fn answer_others(&self, event: &str, invocation: &Invocation) -> Result<Value, Error> {
        if let Some(rotation) = RotationEvent::find(event) {
            return self.rotate(&rotation, invocation).await;
        }
        if let Some(push) = FirstPush::parse(event) {
            return self.start(&push, invocation).await;
        }
        match HealthCheck::find(event) {
            Some(asked) => self.check(&asked, invocation).await,
            None => Err(Error::UnknownEvent),
        }
    }

    /// Looks at the environment's mirrors, credentials and pipelines.
    async fn check(&self, asked: &HealthCheck, invocation: &Invocation) -> Result<Value, Error> {
        let environment = asked.environment(&invocation.function_arn)?;
        Span::current().record("environment", &environment.id);
        tracing::info!(users = environment.user_names, "health check");
        let time = self.clock.until(self.ends(invocation));
        let time = time.saturating_sub(MARGIN);
        let mut emit = |line: Value| logging::emit(&line);
        let checked = health_check::check(
            &environment,
            &self.aws,
            &self.mirror_credential,
            &self.gitops_pipeline,
            &self.clock,
            time,
            &mut emit,
        );
        let checked = Box::pin(checked).await;
        Ok(json!({"HealthCheck": checked}))
    }

    /// Does one step of a rotation.
    async fn rotate(
        &self,
        rotation: &RotationEvent,
        invocation: &Invocation,
    ) -> Result<Value, Error> {
        let (step, secret) = (rotation.step(), rotation.secret_id());
        let span = Span::current();
        span.record("rotation_step", step);
        span.record("secret", secret);
        tracing::info!(version = rotation.version_id(), "rotation");
        let until = self.ends(invocation) - MARGIN;
        let time = self.clock.until(until);
        let work = Box::pin(self.mirror_credential.rotate(rotation, until));
        let done = tokio::time::timeout(time, work).await;
        let out_of_time = Error::OutOfTime("a step of a rotation, which stays pending");
        done.map_err(|_| out_of_time)??;
        Ok(json!({"Step": step, "SecretId": secret, "VersionId": rotation.version_id()}))
    }

    async fn answer_for<R: Resource>(
        &self,
        resource: Arc<R>,
        request: Request,
        around: &Around<'_>,
    ) -> Handled {
        let put = |url, body| self.http.put(self.response_hosts, url, body);
        let Around {
            event,
            position,
            received_at,
            invocation,
            calls,
        } = *around;
        let function_arn = &invocation.function_arn;
        let hand_over = |within| {
            let aws = &self.aws;
            self_invocation::hand_over(aws, function_arn, event, position, received_at, within)
        };
        let ends = self.ends(invocation);
        let resource = Arc::new(Counted {
            resource,
            calls: calls.clone(),
            clock: self.clock.clone(),
            received_at,
            is_continuation: position.hop > 0,
            function_arn: function_arn.clone(),
        });
        cfn::answer(resource, request, ends, &self.clock, put, hand_over).await
    }

    /// Makes the pipeline of a branch that has been pushed for the first time.
    async fn start(&self, push: &FirstPush, invocation: &Invocation) -> Result<Value, Error> {
        Span::current().record("pipeline_stack", push.stack_name());
        tracing::info!(branch = push.branch(), "first push");
        let time = self.clock.until(self.ends(invocation));
        let work = Box::pin(self.gitops_pipeline.start(push));
        let started = tokio::time::timeout(time.saturating_sub(MARGIN), work).await;
        let started = started.map_err(|_| Error::OutOfTime("a branch's first push"))?;
        match started? {
            Started::Pipeline { name, by_hand } => {
                tracing::info!(pipeline = name, by_hand, "has it");
                Ok(json!({"PipelineName": name}))
            }
            Started::Nothing { because } => {
                tracing::warn!(because, "nothing to start");
                Ok(json!({"Ignored": because}))
            }
        }
    }

    fn ends(&self, invocation: &Invocation) -> SystemTime {
        let now = self.clock.now();
        // A deadline that has passed is none: `cargo lambda` sends a constant from 1970.
        if invocation.deadline > now {
            invocation.deadline
        } else {
            now + UNKNOWN_DEADLINE
        }
    }
}

/// `work`, or `None` if it panicked. The runtime would report the panic's text to Lambda.
async fn catch_panic<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

/// Runs `work` in a task of its own until shortly before `time` is over: work that panics or blocks
/// its thread then ends as an error, in time. For events that CloudFormation does not wait for;
/// [`cfn::answer`] has the guard for its requests.
async fn guarded<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
    time: Duration,
) -> Result<T, Error> {
    let mut task = tokio::spawn(work.in_current_span());
    let _abort = AbortOnDrop(task.abort_handle());
    let time = time.saturating_sub(GUARD_MARGIN.min(time / 8));
    match tokio::time::timeout(time, &mut task).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(Error::Panicked),
        Err(_) => Err(Error::OutOfTime("handling the event")),
    }
}

/// Ends a task together with the future that waits for it.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One event and where it stands.
struct Around<'a> {
    /// As it came from CloudFormation.
    event: &'a str,
    position: Position,
    /// By the original invocation.
    received_at: SystemTime,
    invocation: &'a Invocation,
    calls: &'a Calls,
}

/// The last line of an invocation: what came of it, how long it took, and what it asked of AWS.
fn told(answered: &Result<Value, Error>, took: Duration, calls: &Calls) {
    let duration_ms = millis(took);
    let (aws_calls, aws_retries) = (calls.made(), calls.retried());
    match answered {
        Ok(answer) => {
            let status = match answer["Status"].as_str() {
                Some(status) => status,
                None if answer["Continuation"].is_object() => "HANDED_OVER",
                None => "SUCCESS",
            };
            tracing::info!(status, duration_ms, aws_calls, aws_retries, "end");
        }
        Err(error) => {
            let status = "ERROR";
            let code = error.code().to_string();
            tracing::error!(status, %error, code, duration_ms, aws_calls, aws_retries, "end");
        }
    }
}

/// A resource whose work counts its calls. It runs in a task of its own, which has its own count.
///
/// In the first minute of a Create or an Update its calls retry denials, while IAM propagates the
/// function's permissions. A Delete removes what the function was allowed to create, and retries
/// none. The Delete of a rejected Create is the exception, because it may be the function's first
/// request as well.
struct Counted<R> {
    resource: Arc<R>,
    calls: Calls,
    clock: Clock,
    /// By the original invocation.
    received_at: SystemTime,
    /// An earlier invocation has worked on the request.
    is_continuation: bool,
    /// This function.
    function_arn: String,
}

impl<R> Counted<R> {
    /// How long the work on `request` retries denials.
    fn time_for_propagation(&self, request: &Request, progress: &Progress) -> Duration {
        let id = request.physical_resource_id.as_deref();
        let retries = match request.request_type {
            Some(RequestType::Create | RequestType::Update) => true,
            Some(RequestType::Delete) => id.is_some_and(gitops_pipeline::is_rejected),
            None => false,
        };
        if !retries {
            return Duration::ZERO;
        }
        let signed_at = request.signed_at.min(self.received_at);
        aws::time_for_propagation(signed_at, self.clock.now(), progress.until())
    }
}

impl<R: Resource> Resource for Counted<R> {
    const RESUMABLE: bool = R::RESUMABLE;

    fn physical_id(&self, request: &Request) -> String {
        self.resource.physical_id(request)
    }

    fn rejected_id(&self, request: &Request) -> String {
        self.resource.rejected_id(request)
    }

    async fn handle(
        self: Arc<Self>,
        request: Request,
        progress: Progress,
    ) -> Result<Outcome, Failure> {
        if self.is_continuation {
            progress.changing();
        }
        if let Some(reason) = gitops_pipeline::names_another_function(&request, &self.function_arn)
        {
            return Err(Failure(reason));
        }
        let time = self.time_for_propagation(&request, &progress);
        let work = Arc::clone(&self.resource).handle(request, progress);
        self.calls.count(aws::retrying_denials(time, work)).await
    }
}

/// A resource type that this function does not back.
struct UnknownType;

impl Resource for UnknownType {
    fn physical_id(&self, request: &Request) -> String {
        match &request.physical_resource_id {
            Some(id) => id.clone(),
            None => "unknown-resource-type".to_owned(),
        }
    }

    async fn handle(self: Arc<Self>, request: Request, _: Progress) -> Result<Outcome, Failure> {
        if request.request_type == Some(RequestType::Delete) {
            // The Delete that follows a refused Create: nothing was made, nothing is in the way.
            return Ok(Outcome {
                physical_resource_id: self.physical_id(&request),
                attributes: std::collections::BTreeMap::new(),
                note: None,
            });
        }
        let shown: String = request.resource_type.chars().take(128).collect();
        let text = format!(
            "ResourceType: {shown} is not backed by this function; it backs \
             Custom::MirrorCredential and Custom::GitOpsPipeline"
        );
        Err(Failure::new(Code::WrongFunction, text))
    }
}

#[cfg(test)]
mod tests;
