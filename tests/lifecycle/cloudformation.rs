//! CloudFormation and Lambda, as far as a custom resource meets them: requests
//! delivered again when a delivery dies, a Delete after a failed Create, a
//! rollback after a failed Update, the old id's Delete after a replacement.

use std::time::{Duration, SystemTime};

use cfn_gitops::cfn::Clock;
use cfn_gitops::provider::{Invocation, Provider};
use serde_json::{Value, json};

use crate::support::{Caller, World, clients::sdk_config};

const STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/5f3b2c10-0000-11f0-8000-0a0000000000";

/// How long CloudFormation waits, when the template says nothing.
const SERVICE_TIMEOUT: Duration = Duration::from_secs(3600);

/// A function's longest life.
pub const LAMBDA_LIVES: Duration = Duration::from_secs(900);

/// What CloudFormation made of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Success {
        id: String,
        attributes: Value,
    },
    Failed {
        id: String,
        reason: String,
    },
    /// Nothing came before `ServiceTimeout`.
    Silence,
}

impl Answer {
    pub fn is_success(&self) -> bool {
        matches!(self, Answer::Success { .. })
    }
}

/// One request, to be delivered as often as it takes.
#[derive(Clone, Debug)]
pub struct Request {
    pub name: String,
    pub event: Value,
    pub signed_at: SystemTime,
}

/// A stack with one `Custom::MirrorCredential`.
pub struct Stack {
    pub world: World,
    arn: String,
    requests: usize,
    /// What CloudFormation believes to exist: its id and properties.
    pub resource: Option<(String, Value)>,
    /// Deliver every request once more after it succeeded.
    pub delivers_twice: bool,
}

/// What a rollback after a successful Update looks like. AWS documents neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollBack {
    /// An Update with swapped properties that carries the newest id; a new id that it replaced
    /// gets its Delete afterwards.
    UpdateBack,
    /// After a replacement only the new id's Delete; otherwise an Update back.
    DeleteNewOnly,
}

impl Stack {
    pub fn new(world: &World) -> Self {
        Stack::called(world, STACK)
    }

    pub fn called(world: &World, arn: &str) -> Self {
        Stack {
            world: world.clone(),
            arn: arn.to_owned(),
            requests: 0,
            resource: None,
            delivers_twice: false,
        }
    }

    /// CloudFormation signs a request.
    pub fn request(
        &mut self,
        request_type: &str,
        id: Option<&str>,
        properties: &Value,
        old_properties: Option<&Value>,
    ) -> Request {
        self.requests += 1;
        let name = format!("{}-{request_type}", self.requests);
        let mut properties = properties.clone();
        properties["ServiceToken"] = json!("arn:aws:lambda:eu-central-1:123456789012:function:f");
        let mut event = json!({
            "RequestType": request_type,
            "ResponseURL": self.world.response_url(&name),
            "StackId": self.arn,
            "RequestId": format!("00000000-0000-4000-8000-{:012}", self.requests),
            "ResourceType": "Custom::MirrorCredential",
            "LogicalResourceId": "Credential",
            "ResourceProperties": properties,
        });
        if let Some(id) = id {
            event["PhysicalResourceId"] = json!(id);
        }
        if let Some(old) = old_properties {
            event["OldResourceProperties"] = old.clone();
        }
        Request {
            name,
            event,
            signed_at: self.world.now(),
        }
    }

    /// Delivers a request as Lambda does: again after one and two minutes when
    /// a delivery dies or fails. Answers what CloudFormation heard first.
    pub async fn deliver(&self, request: &Request) -> Answer {
        let mut extra = self.delivers_twice;
        for attempt in 1..=3 {
            let caller = self.world.caller(&format!("{}.{attempt}", request.name));
            let finished = deliver_once(&self.world, &caller, request).await;
            match finished {
                Some(true) if extra => extra = false,
                Some(true) => break,
                // An error or the end of the process: Lambda waits and tries again.
                Some(false) | None => tokio::time::sleep(Duration::from_secs(60 * attempt)).await,
            }
        }
        self.heard(request).await
    }

    /// What CloudFormation makes of a request: the first answer that arrived in
    /// time, for which it waits as long as it takes.
    pub async fn heard(&self, request: &Request) -> Answer {
        let url = request.event["ResponseURL"].as_str().expect("an address");
        let deliveries = self.world.deliveries();
        let Some(delivery) = deliveries.iter().find(|delivery| delivery.url == url) else {
            let passed = self
                .world
                .now()
                .duration_since(request.signed_at)
                .expect("forwards");
            tokio::time::sleep(SERVICE_TIMEOUT.saturating_sub(passed)).await;
            return Answer::Silence;
        };
        let body = delivery.json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        assert!(!text("PhysicalResourceId").is_empty(), "{body}");
        assert_eq!(body["RequestId"], request.event["RequestId"]);
        match text("Status").as_str() {
            "SUCCESS" => Answer::Success {
                id: text("PhysicalResourceId"),
                attributes: body["Data"].clone(),
            },
            _ => Answer::Failed {
                id: text("PhysicalResourceId"),
                reason: text("Reason"),
            },
        }
    }

    /// Creates the resource; when that fails it is deleted, as CloudFormation does.
    pub async fn create(&mut self, properties: &Value) -> Answer {
        let request = self.request("Create", None, properties, None);
        let answer = self.deliver(&request).await;
        let id = match &answer {
            Answer::Success { id, .. } => {
                self.resource = Some((id.clone(), properties.clone()));
                return answer;
            }
            Answer::Failed { id, .. } => id.clone(),
            Answer::Silence => INVENTED_ID.to_owned(),
        };
        let deletion = self.request("Delete", Some(&id), properties, None);
        let deleted = self.deliver(&deletion).await;
        assert!(deleted.is_success(), "{deleted:?}\n{}", self.world.told());
        answer
    }

    /// Updates the resource; when that fails it is rolled back, otherwise what
    /// was replaced is deleted unless `roll_back` says that the stack failed.
    pub async fn update(&mut self, properties: &Value, roll_back: Option<RollBack>) -> Answer {
        let (old_id, old) = self.resource.clone().expect("a resource to update");
        let request = self.request("Update", Some(&old_id), properties, Some(&old));
        let answer = self.deliver(&request).await;
        match &answer {
            Answer::Success { id, .. } => {
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
                        let back = self.request("Update", Some(id), &old, Some(properties));
                        let backed = self.deliver(&back).await;
                        match &backed {
                            Answer::Success { id: back_id, .. } if back_id != id => {
                                self.delete_id(id, properties).await;
                                assert_eq!(*back_id, old_id);
                            }
                            Answer::Success { .. } => {}
                            _ => panic!("the rollback failed: {backed:?}\n{}", self.world.told()),
                        }
                    }
                }
            }
            Answer::Failed { id, reason } => {
                assert_eq!(*id, old_id, "a failed Update took another id: {reason}");
                self.roll_back(&old_id, &old, properties).await;
            }
            Answer::Silence => self.roll_back(&old_id, &old, properties).await,
        }
        answer
    }

    async fn roll_back(&mut self, id: &str, old: &Value, failed: &Value) {
        let back = self.request("Update", Some(id), old, Some(failed));
        let backed = self.deliver(&back).await;
        assert!(backed.is_success(), "{backed:?}\n{}", self.world.told());
    }

    /// Deletes the resource with the stack.
    pub async fn delete(&mut self) -> Answer {
        let (id, properties) = self.resource.clone().expect("a resource to delete");
        let request = self.request("Delete", Some(&id), &properties, None);
        let answer = self.deliver(&request).await;
        if answer.is_success() {
            self.resource = None;
        }
        answer
    }

    async fn delete_id(&mut self, id: &str, properties: &Value) {
        let request = self.request("Delete", Some(id), properties, None);
        let deleted = self.deliver(&request).await;
        assert!(deleted.is_success(), "{deleted:?}\n{}", self.world.told());
    }
}

/// An id as CloudFormation makes one up when a Create never answered.
pub const INVENTED_ID: &str = "mirror-Credential-1A2B3C4D5E6F";

/// One delivery: whether Lambda took it as done; `None` when it was killed.
pub async fn deliver_once(world: &World, caller: &Caller, request: &Request) -> Option<bool> {
    let clock = Clock::starting_at(world.now());
    let wire = crate::mutants::wire(world, caller);
    let config = sdk_config(wire.clone());
    let provider = Provider::new(&config, wire, clock);
    let invocation = Invocation {
        function_arn: "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops-dev".to_owned(),
        request_id: request.name.clone(),
        deadline: world.now() + LAMBDA_LIVES,
    };
    let event = request.event.to_string();
    let run = caller.run(provider.answer(&event, &invocation)).await;
    run.finished().map(|answer| {
        let shown = format!("{answer:?}");
        assert_eq!(world.secret_in(&shown), None, "a secret in Lambda's result");
        answer.is_ok()
    })
}
