//! Many stacks with the resources of `templates/project.yaml`: a pipeline, and then the credential
//! that is proved against its repository.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::lambda::Lambda;
use fake_aws::AwsState;
use fake_aws::{FakeAws, secrets::CURRENT};
use test_support::custom_resource::FUNCTION;

/// How the ARN of each stack begins.
const STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/project-dev";

/// CloudFormation's operation on all stacks at once, as it has it in `RequestType`. An update is a
/// new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
}

/// One stack of many, with its number.
#[derive(Clone)]
pub struct Stack(pub usize);

/// One of its custom resources.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resource {
    Credential,
    Pipeline,
}

impl Stack {
    pub fn user(&self) -> String {
        format!("user-dev-p{}-mirror", self.0)
    }

    fn secret(&self) -> String {
        format!("codecommit-mirror/{}", self.user())
    }

    fn repository(&self) -> String {
        format!("codecommit-dev-cfn-p{}", self.0)
    }

    /// One operation on the stack, resource by resource: why it failed, if it did.
    pub async fn operate(
        &self,
        lambda: &Lambda,
        fake: &FakeAws,
        what: Operation,
    ) -> Result<(), String> {
        let resources: &[Resource] = match what {
            Operation::Create => &[Resource::Pipeline, Resource::Credential],
            Operation::Update => &[Resource::Credential],
            Operation::Delete => &[Resource::Credential, Resource::Pipeline],
        };
        for resource in resources {
            self.request(lambda, fake, *resource, what).await?;
        }
        Ok(())
    }

    async fn request(
        &self,
        lambda: &Lambda,
        fake: &FakeAws,
        resource: Resource,
        what: Operation,
    ) -> Result<(), String> {
        let is_there = what != Operation::Create;
        let (kind, logical_id, id, properties) = match resource {
            Resource::Credential => (
                "Custom::MirrorCredential",
                "MirrorCredential",
                self.secret(),
                self.credential(is_there),
            ),
            Resource::Pipeline => (
                "Custom::GitOpsPipeline",
                "Pipeline",
                format!("gitops-dev-p{}", self.0),
                json!({
                    "ServiceToken": FUNCTION, "ServiceTimeout": "3600",
                    "EnvID": "dev", "ProjectID": format!("p{}", self.0),
                }),
            ),
        };
        let number = self.0;
        let name = format!("{number}-{what:?}-{logical_id}");
        let url = fake.response_url(&name);
        let mut event = json!({
            "RequestType": format!("{what:?}"),
            "ResponseURL": url,
            "StackId": format!("{STACK}-p{number}/{number}"),
            "RequestId": name,
            "ResourceType": kind,
            "LogicalResourceId": logical_id,
            "ResourceProperties": properties,
        });
        if is_there {
            event["PhysicalResourceId"] = id.clone().into();
        }
        if what == Operation::Update {
            event["OldResourceProperties"] = self.credential(false);
        }
        let signed = fake.now();
        lambda.invoke(&name, event).await;
        let answers = fake.take_responses_to(&url);
        let [answer] = answers.as_slice() else {
            return Err(format!("{name}: {} answers", answers.len()));
        };
        let body = answer.json();
        let time = service_timeout(&properties);
        if since(fake, signed) > time {
            return Err(format!("{name}: answered after {time:?}"));
        }
        if body["Status"] != "SUCCESS" {
            return Err(format!("{name}: {}", body["Reason"]));
        }
        assert_eq!(body["PhysicalResourceId"], id);
        Ok(())
    }

    fn credential(&self, is_updated: bool) -> Value {
        json!({
            "ServiceToken": FUNCTION, "ServiceTimeout": "900", "UserName": self.user(),
            "RepositoryNames": [self.repository()],
            "RotationSerial": if is_updated { "2" } else { "1" },
        })
    }

    /// Fails unless the resources are those after a Create or an Update: one active credential, in
    /// the secret, which works; one child stack, complete.
    pub fn assert_is_there(&self, aws: &AwsState) {
        let user = self.user();
        let credentials = aws.credentials(&user);
        assert_eq!(credentials.len(), 1, "credentials of {user}");
        let value = aws.current(&self.secret()).unwrap_or_else(|| panic!("{user} has no secret"));
        let value: Value = serde_json::from_str(value).expect("JSON");
        assert_eq!(value["serviceSpecificCredentialId"], credentials[0].id);
        let text = |name: &str| value[name].as_str().unwrap_or_default();
        let login_works = aws.login_works(text("username"), text("password"));
        assert!(login_works, "{user}'s login does not work");
        let name = format!("gitops-dev-p{}", self.0);
        let status = aws.stacks.named(&name).map(|stack| stack.status);
        assert_eq!(status, Some("CREATE_COMPLETE"), "{name}");
    }
}

/// Fails if something of a stack is left. A deletion of a pipeline leaves its mark for a week, which
/// is a secret without a value that is scheduled for deletion.
pub fn assert_nothing_remains(aws: &AwsState) {
    let user = aws.iam.latest().users.keys().find(|user| !aws.credentials(user).is_empty());
    let mut secrets = aws.secrets.values();
    let secret = secrets.find(|one| one.deletion.is_none() || one.at_stage(CURRENT).is_some());
    let stack = aws.stacks.living().next();
    let made = aws.made.keys().next();
    let pipeline = aws.pipelines.keys().next();
    let repository = aws.codecommit.repositories.values().find(|held| held.stack_id.is_some());
    assert!(user.is_none(), "{user:?} has a credential");
    assert!(secret.is_none(), "left: {:?}", secret.map(|one| &one.name));
    assert!(stack.is_none(), "left: {:?}", stack.map(|one| &one.name));
    let is_any_left = made.is_some() || pipeline.is_some() || repository.is_some();
    assert!(!is_any_left, "left: {made:?} {pipeline:?} {repository:?}");
}

fn service_timeout(properties: &Value) -> Duration {
    let seconds = properties["ServiceTimeout"].as_str().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.expect("a time in every template"))
}

pub fn since(fake: &FakeAws, then: SystemTime) -> Duration {
    fake.now().duration_since(then).expect("forwards")
}
