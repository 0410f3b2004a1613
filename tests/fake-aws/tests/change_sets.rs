//! Change sets of deployed stacks: API Reference of CloudFormation, at the rules in
//! `tests/fake-aws`.

use aws_sdk_cloudformation::{
    operation::describe_change_set::DescribeChangeSetOutput,
    types::{Capability, ChangeSetType, DeploymentMode, Parameter},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

use super::{
    child::{ROLE, described, parameter},
    cloudformation::new_world,
    refusal,
};
use fake_aws::{FakeAws, Options, clients::Clients};

pub const STACK: &str = "cfnstack-dev-shop";
const BUCKET: &str = "artifacts";
const NO_CHANGES: &str = "The submitted information didn't contain changes. Submit different \
                          information to create a change set.";

pub fn deployed() -> Value {
    json!({
        "Parameters": {"Stage": {"Type": "String"}, "Key": {"Type": "String", "NoEcho": true}},
        "Resources": {
            "Orders": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 1}},
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "carts"}},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Stage"}}},
        },
    })
}

/// A fake AWS with the deployed stack.
pub fn stack_world(options: Options) -> (FakeAws, Clients) {
    let (fake, clients) = new_world(options);
    fake.deployed_stack(STACK, &deployed(), &[("Stage", "dev"), ("Key", "secret-1")]);
    (fake, clients)
}

fn previous(name: &str) -> Parameter {
    let parameter = Parameter::builder().parameter_key(name);
    parameter.use_previous_value(true).build()
}

/// Creates a change set with a template in S3.
async fn plan(clients: &Clients, name: &str, url: &str, stage: &str) -> (String, String) {
    let call = clients.cloudformation.create_change_set().stack_name(STACK);
    let call = call.change_set_name(name).template_url(url).role_arn(ROLE);
    let call = call
        .change_set_type(ChangeSetType::Update)
        .client_token(name);
    let call = call.parameters(parameter("Stage", stage));
    refusal(call.parameters(previous("Key")).send().await)
}

/// Creates a change set that reverts drift.
async fn revert(clients: &Clients, stack: &str, name: &str) -> (String, String) {
    let call = clients.cloudformation.create_change_set().stack_name(stack);
    let call = call.change_set_name(name).use_previous_template(true);
    let call = call
        .deployment_mode(DeploymentMode::RevertDrift)
        .role_arn(ROLE);
    let call = call.client_token("token");
    let stack = described(clients, stack).await.expect("the stack");
    let keys = stack
        .parameters()
        .iter()
        .filter_map(|one| one.parameter_key());
    let call = call.set_parameters(Some(keys.map(previous).collect()));
    refusal(call.send().await)
}

async fn described_set(clients: &Clients, stack: &str, name: &str) -> DescribeChangeSetOutput {
    let call = clients.cloudformation.describe_change_set();
    let call = call.stack_name(stack).change_set_name(name);
    call.send().await.expect("a change set")
}

/// Waits until its creation has ended. Returns the status, the reason, and the changes.
async fn ended(clients: &Clients, stack: &str, name: &str) -> (String, String, Vec<String>) {
    loop {
        let found = described_set(clients, stack, name).await;
        let status = found.status().expect("a status").as_str().to_owned();
        if !["CREATE_PENDING", "CREATE_IN_PROGRESS"].contains(&status.as_str()) {
            let reason = found.status_reason().unwrap_or_default().to_owned();
            let changes = found.changes().iter().map(|change| {
                let change = change.resource_change().expect("a change of a resource");
                let part = |part: Option<&str>| part.unwrap_or("-").to_owned();
                [
                    part(change.action().map(|one| one.as_str())),
                    part(change.logical_resource_id()),
                    part(change.replacement().map(|one| one.as_str())),
                    part(change.resource_drift_status().map(|one| one.as_str())),
                ]
                .join(" ")
            });
            return (status, reason, changes.collect());
        }
        sleep(Duration::from_secs(1)).await;
    }
}

fn fine() -> (String, String) {
    ("none".into(), "it succeeded".into())
}

fn address(version: &str) -> String {
    format!("https://{BUCKET}.s3.eu-central-1.amazonaws.com/review/t.json?versionId={version}")
}

fn template_at(fake: &FakeAws, template: &Value) -> String {
    address(&fake.put_object(BUCKET, "review/t.json", &template.to_string()))
}

#[tokio::test(start_paused = true)]
async fn change_set_lists_what_the_template_changes() {
    let (fake, clients) = stack_world(Options::default());
    let mut template = deployed();
    template["Resources"]["Orders"]["Properties"]["DelaySeconds"] = json!(2);
    template["Resources"]["Table"]["Properties"]["TableName"] = json!("wishes");
    let url = template_at(&fake, &template);
    template_at(&fake, &deployed());
    assert_eq!(plan(&clients, "plan-1", &url, "dev").await, fine());
    let begun = described_set(&clients, STACK, "plan-1").await;
    assert_eq!(begun.status().unwrap().as_str(), "CREATE_PENDING");
    assert!(begun.changes().is_empty());
    sleep(Duration::from_secs(2)).await;
    let running = described_set(&clients, STACK, "plan-1").await;
    assert_eq!(running.status().unwrap().as_str(), "CREATE_IN_PROGRESS");
    let (status, reason, changes) = ended(&clients, STACK, "plan-1").await;
    assert_eq!((status.as_str(), reason.as_str()), ("CREATE_COMPLETE", ""));
    assert_eq!(changes, ["Modify Orders False -", "Modify Table True -"]);
    let shown = described_set(&clients, STACK, "plan-1").await;
    let values = shown
        .parameters()
        .iter()
        .map(|one| one.parameter_value().unwrap());
    assert_eq!(values.collect::<Vec<_>>(), ["****", "dev"]);
    assert_eq!(shown.execution_status().unwrap().as_str(), "AVAILABLE");
    fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn change_set_of_parameters_adds_and_removes() {
    let (fake, clients) = stack_world(Options::default());
    let mut template = deployed();
    let resources = template["Resources"].as_object_mut().expect("resources");
    resources.remove("Orders");
    resources.insert("Bucket".into(), json!({"Type": "AWS::S3::Bucket"}));
    let url = template_at(&fake, &template);
    assert_eq!(plan(&clients, "plan-1", &url, "prd").await, fine());
    let (_, _, changes) = ended(&clients, STACK, "plan-1").await;
    let expected = [
        "Add Bucket - -",
        "Remove Orders - -",
        "Modify Topic False -",
    ];
    assert_eq!(changes, expected);
}

#[tokio::test(start_paused = true)]
async fn change_set_without_changes_fails() {
    let (fake, clients) = stack_world(Options::default());
    let url = template_at(&fake, &deployed());
    assert_eq!(plan(&clients, "plan-1", &url, "dev").await, fine());
    let failed = ("FAILED".into(), NO_CHANGES.into(), vec![]);
    assert_eq!(ended(&clients, STACK, "plan-1").await, failed);
    assert_eq!(revert(&clients, STACK, "drift-1").await, fine());
    assert_eq!(ended(&clients, STACK, "drift-1").await, failed);
    fake.fail_next_change_set(STACK, "a hook");
    assert_eq!(plan(&clients, "plan-2", &url, "prd").await, fine());
    let (status, reason, _) = ended(&clients, STACK, "plan-2").await;
    assert_eq!((status.as_str(), reason.as_str()), ("FAILED", "a hook"));
}

#[tokio::test(start_paused = true)]
async fn used_name_needs_the_same_token() {
    let (fake, clients) = stack_world(Options::default());
    let url = template_at(&fake, &deployed());
    for _ in 0..2 {
        assert_eq!(plan(&clients, "plan-1", &url, "prd").await, fine());
    }
    assert_eq!(fake.change_sets(STACK), ["plan-1"]);
    let (other, _) = revert(&clients, STACK, "plan-1").await;
    assert_eq!(other, "AlreadyExistsException");
}

#[tokio::test(start_paused = true)]
async fn creation_is_rejected_as_aws_rejects_it() {
    let (fake, clients) = stack_world(Options::default());
    let url = template_at(&fake, &deployed());
    let (code, text) = plan(&clients, "plan-1", &address("none"), "dev").await;
    assert_eq!(code, "ValidationError");
    assert!(
        text.starts_with("S3 error: The specified version"),
        "{text}"
    );
    fake.deny("s3:GetObjectVersion", BUCKET);
    let (_, text) = plan(&clients, "plan-1", &url, "dev").await;
    assert!(text.starts_with("S3 error: Access Denied"), "{text}");
    fake.allow();
    let mut template = deployed();
    template["Resources"]["Role"] =
        json!({"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r"}});
    let (code, text) = plan(&clients, "plan-1", &template_at(&fake, &template), "dev").await;
    assert_eq!(code, "InsufficientCapabilitiesException");
    assert_eq!(text, "Requires capabilities : [CAPABILITY_NAMED_IAM]");
    let call = clients
        .cloudformation
        .create_change_set()
        .stack_name("none");
    let call = call.change_set_name("plan-1").use_previous_template(true);
    let (code, text) = refusal(call.role_arn(ROLE).send().await);
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("ValidationError", "Stack [none] does not exist")
    );
    fake.keep_stack_busy(STACK, Duration::from_secs(9));
    let (code, text) = plan(&clients, "plan-1", &url, "prd").await;
    assert_eq!(code, "ValidationError");
    assert!(
        text.ends_with("is in UPDATE_IN_PROGRESS state and can not be updated."),
        "{text}"
    );
    sleep(Duration::from_secs(10)).await;
    assert_eq!(plan(&clients, "plan-1", &url, "prd").await, fine());
    fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn capability_of_the_stack_accepts_its_role() {
    let (fake, clients) = new_world(Options::default());
    let role = json!({"Type": "AWS::IAM::Role", "Properties": {}});
    let template = json!({"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Role": role}});
    fake.deployed_stack(STACK, &template, &[]);
    let stack = described(&clients, STACK).await.expect("the stack");
    assert_eq!(stack.capabilities(), [Capability::CapabilityIam]);
    let call = clients.cloudformation.create_change_set().stack_name(STACK);
    let call = call.change_set_name("plan-1").use_previous_template(true);
    let call = call
        .role_arn(ROLE)
        .capabilities(Capability::CapabilityNamedIam);
    assert_eq!(refusal(call.send().await), fine());
    let macros = fake.look(|aws| aws.stacks.change_sets.macros_run.clone());
    assert_eq!(macros, ["AWS::Serverless-2016-10-31"]);
}

#[tokio::test(start_paused = true)]
async fn deletion_waits_for_the_creation() {
    let (fake, clients) = stack_world(Options::default());
    let url = template_at(&fake, &deployed());
    let delete = async |stack: &str, name: &str| {
        let call = clients.cloudformation.delete_change_set().stack_name(stack);
        refusal(call.change_set_name(name).send().await).0
    };
    assert_eq!(plan(&clients, "plan-1", &url, "prd").await, fine());
    assert_eq!(delete(STACK, "plan-1").await, "InvalidChangeSetStatus");
    ended(&clients, STACK, "plan-1").await;
    fake.keep_stack_busy(STACK, Duration::from_secs(9));
    fake.options(|options| options.change_sets.kept_during_updates = true);
    assert_eq!(delete(STACK, "plan-1").await, "InvalidChangeSetStatus");
    fake.options(|options| options.change_sets.kept_during_updates = false);
    assert_eq!(delete(STACK, "plan-1").await, "none");
    assert_eq!(delete(STACK, "plan-1").await, "none");
    assert_eq!(delete("none", "plan-1").await, "ValidationError");
    assert!(fake.all_change_sets().is_empty());
}

#[tokio::test(start_paused = true)]
async fn change_sets_are_listed_in_pages() {
    let (fake, clients) = stack_world(Options {
        page_length: Some(2),
        ..Options::default()
    });
    for number in 1..=5 {
        fake.change_set(STACK, &format!("plan-{number}"));
    }
    fake.delete_change_set(STACK, "plan-3");
    let call = clients.cloudformation.list_change_sets().stack_name(STACK);
    let pages = call.into_paginator().items().send();
    let listed = pages.collect::<Result<Vec<_>, _>>().await.expect("pages");
    let names = listed.iter().map(|one| one.change_set_name().unwrap());
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["plan-1", "plan-2", "plan-4", "plan-5"]
    );
    assert!(listed.iter().all(|one| one.creation_time().is_some()));
    let call = clients.cloudformation.list_change_sets().stack_name("none");
    assert_eq!(refusal(call.send().await).0, "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn deployment_deletes_other_change_sets() {
    let (fake, clients) = stack_world(Options::default());
    fake.change_set(STACK, "plan-1");
    let mut template = deployed();
    template["Resources"]["Orders"]["Properties"]["DelaySeconds"] = json!(2);
    fake.deploy(STACK, &template, Duration::from_secs(5));
    let call = clients.cloudformation.describe_change_set();
    let call = call.stack_name(STACK).change_set_name("plan-1");
    assert_eq!(refusal(call.send().await).0, "ChangeSetNotFound");
    sleep(Duration::from_secs(6)).await;
    let url = template_at(&fake, &template);
    assert_eq!(plan(&clients, "plan-2", &url, "dev").await, fine());
    assert_eq!(ended(&clients, STACK, "plan-2").await.1, NO_CHANGES);
}

#[tokio::test(start_paused = true)]
async fn drift_is_shown_only_by_a_drift_aware_change_set() {
    let (fake, clients) = stack_world(Options::default());
    fake.drift(STACK, "Orders", "MODIFIED");
    fake.drift(STACK, "Table", "UNSUPPORTED");
    fake.drift(STACK, "Topic", "DELETED");
    let url = template_at(&fake, &deployed());
    assert_eq!(plan(&clients, "plan-1", &url, "dev").await, fine());
    assert_eq!(ended(&clients, STACK, "plan-1").await.1, NO_CHANGES);
    assert_eq!(revert(&clients, STACK, "drift-1").await, fine());
    let (status, _, changes) = ended(&clients, STACK, "drift-1").await;
    assert_eq!(status, "CREATE_COMPLETE");
    let expected = [
        "Modify Orders False MODIFIED",
        "Modify Table False UNSUPPORTED",
        "Add Topic - DELETED",
    ];
    assert_eq!(changes, expected);
    fake.assert_unbroken();
}

mod execution {
    use super::{
        super::child::{NAME, ended as stack_ended, world_with_stack},
        *,
    };

    async fn execute(clients: &Clients, name: &str, token: &str) -> (String, String) {
        let call = clients.cloudformation.execute_change_set().stack_name(NAME);
        let call = call.change_set_name(name).client_request_token(token);
        refusal(call.send().await)
    }

    fn has_rule(fake: &FakeAws) -> bool {
        fake.look(|aws| {
            let mut kinds = aws.made.keys().map(|(kind, _)| kind.as_str());
            kinds.any(|kind| kind == "AWS::Events::Rule")
        })
    }

    #[tokio::test(start_paused = true)]
    async fn execution_ends_the_drift_of_a_child_stack() {
        let (fake, clients) = world_with_stack(true).await;
        fake.drift(NAME, "EventRule", "DELETED");
        fake.drift(NAME, "BuildLogGroup", "MODIFIED");
        assert!(!has_rule(&fake));
        assert_eq!(
            execute(&clients, "drift-1", "a").await.0,
            "ChangeSetNotFound"
        );
        assert_eq!(revert(&clients, NAME, "drift-1").await, fine());
        fake.change_set(NAME, "plan-1");
        assert_eq!(
            execute(&clients, "drift-1", "a").await.0,
            "InvalidChangeSetStatus"
        );
        ended(&clients, NAME, "drift-1").await;
        assert_eq!(execute(&clients, "drift-1", "b").await, fine());
        assert_eq!(
            execute(&clients, "drift-1", "b").await,
            fine(),
            "a repeated token"
        );
        assert!(fake.all_change_sets().is_empty());
        assert_eq!(stack_ended(&clients).await, "UPDATE_COMPLETE");
        assert!(has_rule(&fake));
        assert_eq!(revert(&clients, NAME, "drift-1").await, fine());
        assert_eq!(ended(&clients, NAME, "drift-1").await.1, NO_CHANGES);
        fake.assert_unbroken();
    }

    #[tokio::test(start_paused = true)]
    async fn change_set_before_an_update_is_not_executed() {
        let (fake, clients) = world_with_stack(true).await;
        fake.drift(NAME, "EventRule", "MODIFIED");
        assert_eq!(revert(&clients, NAME, "drift-1").await, fine());
        ended(&clients, NAME, "drift-1").await;
        fake.keep_stack_busy(NAME, Duration::from_secs(9));
        let busy = execute(&clients, "drift-1", "a").await.0;
        assert_eq!(busy, "InvalidChangeSetStatus");
        sleep(Duration::from_secs(10)).await;
        fake.change(|aws| {
            let now = aws.now;
            aws.stacks.named_mut(NAME).expect("the stack").updated = Some(now);
        });
        let shown = described_set(&clients, NAME, "drift-1").await;
        assert_eq!(shown.execution_status().unwrap().as_str(), "OBSOLETE");
        let obsolete = execute(&clients, "drift-1", "b").await.0;
        assert_eq!(obsolete, "InvalidChangeSetStatus");
    }
}
