//! CloudFormation and Lambda, as far as a custom resource uses them: requests
//! that are delivered again when a delivery is killed, self-invocation, a Delete
//! after a failed Create, a rollback after a failed Update, the old ID's Delete
//! after a replacement.

mod deliver;
mod sound;

use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use serde::Deserialize;
use serde_json::{Value, json};

use fake_aws::stacks::{self, Parent};
use fake_aws::{Caller, FakeAws, SentResponse};

pub use deliver::{answered_once, asked, deliver_all, deliver_beside, deliver_both, deliver_once};
pub use sound::answers_are_sound;

/// CloudFormation's timeout without a `ServiceTimeout`.
const SERVICE_TIMEOUT: Duration = Duration::from_secs(3600);

/// A function's longest life.
pub const LAMBDA_MAX_LIFETIME: Duration = Duration::from_secs(900);

/// The function itself.
pub const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-dev";

/// An ID in the form that CloudFormation generates if a Create sent no response.
pub const INVENTED_ID: &str = "mirror-Credential-1A2B3C4D5E6F";

/// The resource in the stack, and the connector of its product.
#[derive(Clone, Copy, Debug)]
pub struct CustomResource {
    pub resource_type: &'static str,
    pub logical_id: &'static str,
    pub wire: fn(&FakeAws, &Caller) -> SharedHttpConnector,
}

/// CloudFormation's result of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestOutcome {
    Success {
        id: String,
        attributes: Value,
        /// Its `Reason`; empty if it has none.
        note: String,
    },
    Failed {
        id: String,
        reason: String,
    },
    /// Nothing came before `ServiceTimeout`.
    Silence,
}

impl RequestOutcome {
    pub fn is_success(&self) -> bool {
        matches!(self, RequestOutcome::Success { .. })
    }

    /// Fails the test unless it was a success.
    #[track_caller]
    pub fn assert_success(&self) {
        assert!(self.is_success(), "{self:?}");
    }

    /// The reason of a success; empty after a failure.
    pub fn note(&self) -> &str {
        match self {
            RequestOutcome::Success { note, .. } => note,
            _ => "",
        }
    }

    /// Why it failed; empty when it did not.
    pub fn reason(&self) -> &str {
        match self {
            RequestOutcome::Failed { reason, .. } => reason,
            _ => "",
        }
    }

    /// Fails unless the reason has each of these parts.
    #[track_caller]
    pub fn assert_reason(&self, parts: impl IntoIterator<Item = impl AsRef<str>>) {
        for part in parts {
            let part = part.as_ref();
            assert!(self.reason().contains(part), "{part} is missing: {self:?}");
        }
    }
}

/// One request, which is delivered until it succeeds.
#[derive(Clone, Debug)]
pub struct StackRequest {
    pub name: String,
    pub event: Value,
    pub signed_at: SystemTime,
    pub wire: fn(&FakeAws, &Caller) -> SharedHttpConnector,
    /// The function's timeout.
    pub lifetime: Duration,
}

impl StackRequest {
    /// The responses to it, the earliest first.
    pub fn responses(&self, fake: &FakeAws) -> Vec<SentResponse> {
        let url = self.event["ResponseURL"].as_str().expect("an address");
        let mut responses = fake.responses();
        responses.retain(|one| one.url == url);
        responses
    }

    /// The same request, whose `ResponseURL` expires `seconds` after it was signed.
    #[must_use]
    pub fn valid_for(mut self, seconds: u32) -> Self {
        let url = self.event["ResponseURL"].as_str().expect("an address");
        let expires = format!("X-Amz-Expires={seconds}");
        let shorter = url.replace("X-Amz-Expires=7200", &expires);
        assert_ne!(url, shorter);
        self.event["ResponseURL"] = json!(shorter);
        self
    }

    /// The same request, forged with a date so many seconds after it was sent.
    #[must_use]
    pub fn dated_ahead(mut self, fake: &FakeAws, seconds: u64) -> Self {
        let url = fake.response_url_dated_ahead(&self.name, Duration::from_secs(seconds));
        self.event["ResponseURL"] = json!(url);
        self
    }
}

/// A stack with one custom resource.
pub struct ParentStack {
    pub fake: FakeAws,
    pub kind: CustomResource,
    pub arn: String,
    /// The number of the first request.
    first_request: usize,
    /// The requests so far.
    signed: Vec<StackRequest>,
    /// The ID and properties that CloudFormation has stored.
    pub resource: Option<(String, Value)>,
    /// Deliver every request again after it succeeded.
    pub delivers_twice: bool,
    /// Whether CloudFormation shows each operation and its end. Otherwise it always shows that the
    /// resource is updated. So it contradicts no late copy, and the product's records have to.
    pub is_shown: bool,
    /// The time between requests: CloudFormation needs seconds.
    pub pause: Duration,
    pub lifetime: Duration,
}

/// The kind of rollback after a successful Update. AWS documents neither.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum RollBack {
    /// An Update with swapped properties that carries the newest id; a new id that it replaced
    /// gets its Delete afterwards.
    #[serde(rename = "update")]
    UpdateBack,
    /// After a replacement only the new id's Delete; otherwise an Update back.
    #[serde(rename = "delete")]
    DeleteNewOnly,
}

impl ParentStack {
    pub fn called(fake: &FakeAws, kind: CustomResource, arn: &str) -> Self {
        ParentStack {
            fake: fake.clone(),
            kind,
            arn: arn.to_owned(),
            first_request: 1,
            signed: vec![],
            resource: None,
            delivers_twice: false,
            is_shown: false,
            pause: Duration::ZERO,
            lifetime: LAMBDA_MAX_LIFETIME,
        }
    }

    /// Gives this stack's requests other numbers than those of other stacks in the fake AWS.
    pub fn starts_counting_at(&mut self, number: usize) {
        self.first_request = number + 1;
    }

    /// CloudFormation signs a request.
    pub fn request(
        &mut self,
        request_type: &str,
        id: Option<&str>,
        properties: &Value,
        old_properties: Option<&Value>,
    ) -> StackRequest {
        let number = self.first_request + self.signed.len();
        let name = format!("{number}-{request_type}");
        let mut properties = properties.clone();
        properties["ServiceToken"] = json!(FUNCTION);
        let mut event = json!({
            "RequestType": request_type,
            "ResponseURL": self.fake.response_url(&name),
            "StackId": self.arn,
            "RequestId": format!("00000000-0000-4000-8000-{number:012}"),
            "ResourceType": self.kind.resource_type,
            "LogicalResourceId": self.kind.logical_id,
            "ResourceProperties": properties,
        });
        if let Some(id) = id {
            event["PhysicalResourceId"] = json!(id);
        }
        if let Some(old) = old_properties {
            event["OldResourceProperties"] = old.clone();
        }
        let request = StackRequest {
            name,
            event,
            signed_at: self.fake.now(),
            wire: self.kind.wire,
            lifetime: self.lifetime,
        };
        self.signed.push(request.clone());
        if self.is_shown {
            self.show_request(request_type, id.unwrap_or_default());
        } else {
            self.show("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "");
        }
        request
    }

    /// Shows the operation while CloudFormation waits for the response. AWS does not document which
    /// ID a stack has while it deletes a replacement or a replaced resource. So this stack then has
    /// that of the request, and shows it complete.
    fn show_request(&self, request_type: &str, id: &str) {
        let known = self.resource.as_ref().map(|(known, _)| known == id);
        let (stack, resource) = match (request_type, known) {
            ("Create", None) => ("CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS"),
            ("Create", Some(_)) => ("UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS"),
            ("Update", _) => ("UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"),
            (_, None) => ("ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"),
            (_, Some(true)) => ("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS"),
            (_, Some(false)) => (
                "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
                "UPDATE_COMPLETE",
            ),
        };
        self.show(stack, resource, id);
    }

    /// Shows that the operation has ended, or that CloudFormation has sent none of the requests
    /// since: an attacker forged them.
    pub fn show_end(&self) {
        match &self.resource {
            Some((id, _)) => self.show("UPDATE_COMPLETE", "UPDATE_COMPLETE", id),
            None => self.show("DELETE_COMPLETE", "DELETE_COMPLETE", ""),
        }
    }

    fn end(&self) {
        if self.is_shown {
            self.show_end();
        }
    }

    /// CloudFormation shows the stack and its resource with these statuses, and the resource's ID.
    pub fn show(&self, stack: &'static str, resource: &'static str, id: &str) {
        let parent = Parent {
            status: stack,
            logical_id: self.kind.logical_id,
            resource: stacks::CustomResource {
                kind: self.kind.resource_type,
                physical_id: id.to_owned(),
                status: resource,
            },
        };
        self.fake.show_parent(&self.arn, parent);
    }

    /// CloudFormation signs an Update of the stored resource.
    pub fn request_update(&mut self, properties: &Value) -> StackRequest {
        let (id, old) = self.resource.clone().expect("a resource to update");
        self.request("Update", Some(&id), properties, Some(&old))
    }

    /// Delivers a request as Lambda does: again after one and two minutes if
    /// a delivery is killed or fails, and every continuation that it requests.
    /// Returns the first response that CloudFormation received.
    pub async fn deliver(&self, request: &StackRequest) -> RequestOutcome {
        deliver_all(&self.fake, request, self.delivers_twice).await;
        let heard = self.heard(request).await;
        tokio::time::sleep(self.pause).await;
        heard
    }

    /// Lambda delivers each request so far again, and `events`, half a minute later. Fails if that
    /// changes the state.
    pub async fn assert_late_copies_change_nothing(
        &self,
        events: &[StackRequest],
        state: impl Fn() -> String,
    ) {
        tokio::time::sleep(Duration::from_secs(30)).await;
        let before = state();
        for request in self.signed.iter().chain(events) {
            let name = format!("{} after {} calls", request.name, self.fake.journal().len());
            deliver_once(&self.fake, &name, request).await;
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert_eq!(state(), before, "{name}");
        }
    }

    /// CloudFormation's result of a request: the first response that arrived in
    /// time. Waits for it.
    pub async fn heard(&self, request: &StackRequest) -> RequestOutcome {
        let timeout = service_timeout(request);
        let in_time = |at: Duration| {
            let since = request.signed_at.duration_since(self.fake.began());
            at <= since.expect("forwards") + timeout
        };
        let responses = request.responses(&self.fake);
        let Some(delivery) = responses.first().filter(|one| in_time(one.at)) else {
            let passed = self.fake.now().duration_since(request.signed_at).expect("forwards");
            tokio::time::sleep(timeout.saturating_sub(passed)).await;
            return RequestOutcome::Silence;
        };
        let body = delivery.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        assert!(!text("PhysicalResourceId").is_empty(), "{body}");
        assert_eq!(body["RequestId"], request.event["RequestId"]);
        match text("Status").as_str() {
            "SUCCESS" => RequestOutcome::Success {
                id: text("PhysicalResourceId"),
                attributes: body["Data"].clone(),
                note: text("Reason"),
            },
            _ => RequestOutcome::Failed {
                id: text("PhysicalResourceId"),
                reason: text("Reason"),
            },
        }
    }

    /// Creates the resource; when that fails it is deleted, as CloudFormation does.
    pub async fn create(&mut self, properties: &Value) -> RequestOutcome {
        let request = self.request("Create", None, properties, None);
        let answer = self.deliver(&request).await;
        let id = match &answer {
            RequestOutcome::Success { id, .. } => {
                self.resource = Some((id.clone(), properties.clone()));
                self.end();
                return answer;
            }
            RequestOutcome::Failed { id, .. } => id.clone(),
            RequestOutcome::Silence => INVENTED_ID.to_owned(),
        };
        self.delete_id(&id, properties).await;
        self.end();
        answer
    }

    /// Updates the resource. If that fails, it is rolled back. Otherwise the
    /// replaced one is deleted, unless `roll_back` makes the stack fail.
    pub async fn update(
        &mut self,
        properties: &Value,
        roll_back: Option<RollBack>,
    ) -> RequestOutcome {
        let (old_id, old) = self.resource.clone().expect("a resource to update");
        let request = self.request_update(properties);
        let answer = self.deliver(&request).await;
        match &answer {
            RequestOutcome::Success { id, .. } => {
                let replaced = *id != old_id;
                match roll_back {
                    None => {
                        self.resource = Some((id.clone(), properties.clone()));
                        if replaced {
                            self.delete_id(&old_id, &old).await;
                        }
                    }
                    Some(RollBack::DeleteNewOnly) if replaced => {
                        self.delete_id(id, properties).await;
                    }
                    Some(_) => {
                        let back = self.request_back(id, &old, properties);
                        let backed = self.deliver(&back).await;
                        match &backed {
                            RequestOutcome::Success { id: back_id, .. } if back_id != id => {
                                self.delete_id(id, properties).await;
                                assert_eq!(*back_id, old_id);
                            }
                            _ => self.assert_success(&backed),
                        }
                    }
                }
            }
            RequestOutcome::Failed { id, reason } => {
                assert_eq!(*id, old_id, "a failed Update took another id: {reason}");
                self.roll_back(&old_id, &old, properties).await;
            }
            RequestOutcome::Silence => self.roll_back(&old_id, &old, properties).await,
        }
        self.end();
        answer
    }

    async fn roll_back(&mut self, id: &str, old: &Value, failed: &Value) {
        let back = self.request_back(id, old, failed);
        let backed = self.deliver(&back).await;
        self.assert_success(&backed);
    }

    /// CloudFormation signs the Update that restores `old`, while it rolls the stack back.
    pub fn request_back(&mut self, id: &str, old: &Value, changed: &Value) -> StackRequest {
        let back = self.request("Update", Some(id), old, Some(changed));
        self.show("UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_IN_PROGRESS", id);
        back
    }

    #[track_caller]
    fn assert_success(&self, outcome: &RequestOutcome) {
        let transcript = self.fake.transcript();
        assert!(outcome.is_success(), "{outcome:?}\n{transcript}");
    }

    /// Deletes the resource with the stack.
    pub async fn delete(&mut self) -> RequestOutcome {
        let (id, properties) = self.resource.clone().expect("a resource to delete");
        let request = self.request("Delete", Some(&id), &properties, None);
        let answer = self.deliver(&request).await;
        if answer.is_success() {
            self.resource = None;
        }
        self.end();
        answer
    }

    pub async fn delete_id(&mut self, id: &str, properties: &Value) {
        let request = self.request("Delete", Some(id), properties, None);
        let deleted = self.deliver(&request).await;
        self.assert_success(&deleted);
    }
}

fn service_timeout(request: &StackRequest) -> Duration {
    let given = &request.event["ResourceProperties"]["ServiceTimeout"];
    let seconds = given.as_str().and_then(|text| text.parse().ok());
    seconds.map_or(SERVICE_TIMEOUT, Duration::from_secs)
}
