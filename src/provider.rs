//! One event in, one answer out: which kind of event is it, and who handles it?

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use serde_json::Value;

use crate::aws::Aws;
use crate::cfn::{
    self, Answered, Clock, Failure, Outcome, Progress, Request, RequestType, Resource, Undelivered,
};
use crate::http::Http;
use crate::mirror_credential::MirrorCredential;

/// How long an invocation may take that does not say.
const UNKNOWN_DEADLINE: Duration = Duration::from_secs(300);

/// The answer to an event that is none of those which the function knows.
const UNKNOWN_EVENT: &str = "this event is none that the function answers: a CloudFormation \
    custom-resource request has `RequestType` and `ResponseURL`. (A Secrets Manager rotation step \
    (`Step`, `SecretId`, `ClientRequestToken`), a CodeCommit branch's first push, the scheduled \
    health check and the continuation of a long pipeline request are reserved and not answered \
    by this version.)";

/// Why an event has no answer. Lambda delivers an asynchronous event twice more after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is of no kind that the function knows.
    #[error("{UNKNOWN_EVENT}")]
    UnknownEvent,
    /// The answer was made and could not be brought to CloudFormation.
    #[error("answering CloudFormation: {0}")]
    Undelivered(#[from] Undelivered),
}

/// What surrounds one event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Lambda's id of the invocation, for the log.
    pub request_id: String,
    /// Lambda ends the process then.
    pub deadline: SystemTime,
}

/// Everything that answering an event takes.
#[derive(Debug)]
pub struct Provider {
    http: Http,
    clock: Clock,
    mirror_credential: Arc<MirrorCredential>,
}

impl Provider {
    /// A provider that calls AWS as `config` says, sends all of it through `connector`, and goes
    /// by `clock`.
    pub fn new(config: &SdkConfig, connector: SharedHttpConnector, clock: Clock) -> Self {
        let http = Http::new(connector);
        let aws = Aws::new(config, &http);
        Provider {
            mirror_credential: Arc::new(MirrorCredential::new(aws, http.clone(), clock.clone())),
            http,
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
        let Some(request) = Request::find(event, self.clock.now()) else {
            return Err(Error::UnknownEvent);
        };
        tracing::info!(
            lambda_request = invocation.request_id,
            stack = request.stack_id,
            logical_id = request.logical_resource_id,
            request = request.request_id,
            request_type = request.request_type.map(RequestType::name),
            resource_type = request.resource_type,
            id = request.physical_resource_id,
            "request"
        );
        let answered = match request.resource_type.as_str() {
            "Custom::MirrorCredential" => {
                let resource = Arc::clone(&self.mirror_credential);
                self.answer_for(resource, request, invocation).await
            }
            _ => {
                self.answer_for(Arc::new(UnknownType), request, invocation)
                    .await
            }
        };
        match answered.delivery {
            // Another delivery could succeed: let Lambda try it.
            Err(error @ Undelivered::OutOfTime) => Err(error.into()),
            // It arrived; or it never will, and another delivery could change nothing about that.
            Ok(())
            | Err(Undelivered::Rejected(_) | Undelivered::Expired | Undelivered::Unusable) => {
                Ok(answered.body)
            }
        }
    }

    async fn answer_for<R: Resource>(
        &self,
        resource: Arc<R>,
        request: Request,
        invocation: &Invocation,
    ) -> Answered {
        let put = |url, body| self.http.put(url, body);
        let now = self.clock.now();
        // A deadline that has passed is none: `cargo lambda` sends a constant from 1970.
        let ends = if invocation.deadline > now {
            invocation.deadline
        } else {
            now + UNKNOWN_DEADLINE
        };
        cfn::answer(resource, request, ends, &self.clock, put).await
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
            });
        }
        let shown: String = request.resource_type.chars().take(128).collect();
        Err(Failure(format!(
            "ResourceType: {shown} is not backed by this function; it backs Custom::MirrorCredential"
        )))
    }
}
