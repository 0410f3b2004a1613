//! The context of every event: the clients, the resources, and Lambda's deadline.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_types::SdkConfig;
use serde_json::Value;

use crate::clients::http::{Http, ResponseHosts};
use crate::clients::{Clients, aws};
use crate::gitops_pipeline::GitOpsPipeline;
use crate::gitops_pipeline::spec::FunctionApprovals;
use crate::mirror_credential::MirrorCredential;
use cfn_custom_resource::{Clock, Worker};

/// The time of an invocation without a deadline.
const UNKNOWN_DEADLINE: Duration = Duration::from_secs(300);

/// The Lambda invocation that received an event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Lambda's ID of the invocation, for the log.
    pub request_id: String,
    /// Lambda ends the process then.
    pub deadline: SystemTime,
    /// The function itself, which continues a long request in another invocation.
    pub function_arn: String,
}

/// Handles events. It is created once, and serves all invocations of the process.
#[derive(Clone, Debug)]
pub struct Handler {
    pub(super) worker: Worker,
    /// They send a response, or continue a request in another invocation. They do not share
    /// connections with the work: each connection belongs to one thread, and the work may block its
    /// own.
    pub(super) response_clients: Clients,
    pub(super) response_hosts: ResponseHosts,
    pub(super) clients: Clients,
    pub(super) mirror_credential: Arc<MirrorCredential>,
    pub(super) gitops_pipeline: Arc<GitOpsPipeline>,
    /// The settings of its environment, if the function answers questions and nothing else. Null if
    /// each question has them. `None` if it handles every event, and no question.
    pub(super) read_settings: Option<Value>,
}

impl Handler {
    /// A handler that calls AWS with `config`, sends everything through `http`, and takes the time
    /// from `clock`. The work runs on the caller's runtime.
    pub fn new(config: &SdkConfig, http: impl Into<Http>, clock: Clock) -> Self {
        let http = http.into();
        Handler::on_worker(Worker::default(), config, http.clone(), http, clock)
    }

    /// The same, whose role may approve as `approvals` permits.
    #[must_use]
    pub fn allowing(self, approvals: FunctionApprovals) -> Self {
        let pipelines = GitOpsPipeline::new(self.clients.clone(), approvals);
        Handler {
            gitops_pipeline: Arc::new(pipelines),
            ..self
        }
    }

    /// The same, which only answers questions about the environment with these `settings`: null if
    /// each question has them.
    #[must_use]
    pub fn reading(self, settings: Value) -> Self {
        Handler {
            read_settings: Some(settings),
            ..self
        }
    }

    /// The same, whose work runs on `worker` and sends through `http`. The responses are sent
    /// through `response_http`.
    pub fn on_worker(
        worker: Worker,
        config: &SdkConfig,
        response_http: Http,
        http: Http,
        clock: Clock,
    ) -> Self {
        let clients = Clients::new(config, http, clock.clone());
        Handler {
            worker,
            response_clients: Clients::new(config, response_http, clock),
            response_hosts: ResponseHosts::new(aws::is_in_lambda(), aws::is_local(config)),
            mirror_credential: Arc::new(MirrorCredential::new(clients.clone())),
            gitops_pipeline: Arc::new(GitOpsPipeline::new(
                clients.clone(),
                FunctionApprovals::Denied,
            )),
            clients,
            read_settings: None,
        }
    }

    /// Whether earlier work blocks the thread although its time was over. Handle the event with a
    /// new handler then.
    pub async fn is_blocked(&self) -> bool {
        self.worker.is_blocked().await
    }

    pub(super) fn deadline(&self, invocation: &Invocation) -> SystemTime {
        let now = self.clients.clock.now();
        // Ignore a past deadline: `cargo lambda` sends a constant from 1970.
        if invocation.deadline > now {
            invocation.deadline
        } else {
            now + UNKNOWN_DEADLINE
        }
    }
}
