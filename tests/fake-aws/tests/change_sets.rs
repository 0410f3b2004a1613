//! Change sets of deployed stacks: API Reference of CloudFormation, at the rules in
//! `tests/fake-aws`.

use aws_sdk_cloudformation::{
    operation::describe_change_set::DescribeChangeSetOutput,
    types::{Change, DeploymentMode, Parameter},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

use super::{
    child::{NAME, ROLE, described, ended as stack_ended, parameter, world_with_stack},
    code, fine, refusal, world_and_clients,
};
use fake_aws::{FakeAws, clients::Clients};

const STACK: &str = "cfnstack-dev-shop";
const BUCKET: &str = "artifacts";
const NO_CHANGES: &str = "The submitted information didn't contain changes. Submit different \
                          information to create a change set.";

fn deployed() -> Value {
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
fn stack_world() -> (FakeAws, Clients) {
    let (fake, clients) = world_and_clients();
    fake.deployed_stack(STACK, &deployed(), &[("Stage", "dev"), ("Key", "secret-1")]);
    (fake, clients)
}

fn previous(name: &str) -> Parameter {
    let parameter = Parameter::builder().parameter_key(name);
    parameter.use_previous_value(true).build()
}

/// Creates a change set with a template in S3.
async fn plan(clients: &Clients, name: &str, url: &str, stage: &str) -> (String, String) {
    let create = send!(clients.cloudformation, create_change_set, stack_name: STACK,
        change_set_name: name, template_url: url, role_arn: ROLE,
        parameters: parameter("Stage", stage), parameters: previous("Key"));
    refusal(create.await)
}

/// Creates a change set that reverts drift.
async fn revert(clients: &Clients, stack: &str, name: &str) -> (String, String) {
    let held = described(clients, stack).await.expect("the stack");
    let keys = held.parameters().iter().filter_map(|one| one.parameter_key());
    let create = send!(clients.cloudformation, create_change_set, stack_name: stack,
        change_set_name: name, use_previous_template: true, role_arn: ROLE,
        deployment_mode: DeploymentMode::RevertDrift,
        set_parameters: Some(keys.map(previous).collect()));
    refusal(create.await)
}

async fn described_set(clients: &Clients, stack: &str, name: &str) -> DescribeChangeSetOutput {
    let call = send!(clients.cloudformation, describe_change_set,
        stack_name: stack, change_set_name: name);
    call.await.expect("a change set")
}

async fn status(clients: &Clients, name: &str) -> String {
    let found = described_set(clients, STACK, name).await;
    found.status().expect("a status").as_str().to_owned()
}

fn shown(change: &Change) -> String {
    let change = change.resource_change().expect("a change of a resource");
    let parts = [
        change.action().map(|one| one.as_str()),
        change.logical_resource_id(),
        change.replacement().map(|one| one.as_str()),
        change.resource_drift_status().map(|one| one.as_str()),
    ];
    parts.map(|part| part.unwrap_or("-")).join(" ")
}

/// Waits until its creation has ended. Returns the reason of a failure, or the changes.
async fn ended(clients: &Clients, stack: &str, name: &str) -> Result<Vec<String>, String> {
    sleep(Duration::from_secs(6)).await;
    let found = described_set(clients, stack, name).await;
    match found.status().expect("a status").as_str() {
        "CREATE_COMPLETE" => Ok(found.changes().iter().map(shown).collect()),
        _ => Err(found.status_reason().unwrap_or_default().to_owned()),
    }
}

fn address(version: &str) -> String {
    format!("https://{BUCKET}.s3.eu-central-1.amazonaws.com/review/t.json?versionId={version}")
}

fn template_at(fake: &FakeAws, template: &Value) -> String {
    address(&fake.put_object(BUCKET, "review/t.json", &template.to_string()))
}

#[tokio::test(start_paused = true)]
async fn change_set_lists_changes_of_template_and_parameters() {
    let (fake, clients) = stack_world();
    let mut template = deployed();
    let resources = template["Resources"].as_object_mut().expect("resources");
    resources.remove("Orders");
    resources.insert("Bucket".into(), json!({"Type": "AWS::S3::Bucket"}));
    resources["Table"]["Properties"]["TableName"] = json!("wishes");
    let url = template_at(&fake, &template);
    template_at(&fake, &deployed());
    assert_eq!(plan(&clients, "plan-1", &url, "prd").await, fine());
    let begun = described_set(&clients, STACK, "plan-1").await;
    assert!(begun.changes().is_empty());
    assert_eq!(status(&clients, "plan-1").await, "CREATE_PENDING");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(status(&clients, "plan-1").await, "CREATE_IN_PROGRESS");
    let expected = [
        "Add Bucket - -",
        "Remove Orders - -",
        "Modify Table True -",
        "Modify Topic False -",
    ];
    let changes = ended(&clients, STACK, "plan-1").await.expect("changes");
    assert_eq!(changes, expected);
    let shown = described_set(&clients, STACK, "plan-1").await;
    let values = shown.parameters().iter().filter_map(|one| one.parameter_value());
    assert_eq!(values.collect::<Vec<_>>(), ["****", "prd"]);
    assert_eq!(shown.execution_status().unwrap().as_str(), "AVAILABLE");
    fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn creation_is_rejected_as_aws_rejects_it() {
    let (fake, clients) = stack_world();
    let url = template_at(&fake, &deployed());
    let plan = async |url: &str| plan(&clients, "plan-1", url, "prd").await;
    let (code, text) = plan(&address("none")).await;
    assert_eq!(code, "ValidationError");
    assert!(
        text.starts_with("S3 error: The specified version"),
        "{text}"
    );
    fake.deny("s3:GetObjectVersion", BUCKET);
    let (_, text) = plan(&url).await;
    assert!(text.starts_with("S3 error: Access Denied"), "{text}");
    fake.allow();
    let mut template = deployed();
    let role = json!({"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r"}});
    template["Resources"]["Role"] = role;
    let (code, text) = plan(&template_at(&fake, &template)).await;
    assert_eq!(code, "InsufficientCapabilitiesException");
    assert_eq!(text, "Requires capabilities : [CAPABILITY_NAMED_IAM]");
    fake.keep_stack_busy(STACK, Duration::from_secs(9));
    let (code, text) = plan(&url).await;
    assert_eq!(code, "ValidationError");
    let busy = "is in UPDATE_IN_PROGRESS state and can not be updated.";
    assert!(text.ends_with(busy), "{text}");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(plan(&url).await, fine());
    let (repeated, _) = revert(&clients, STACK, "plan-1").await;
    assert_eq!(repeated, "AlreadyExistsException");
    fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn deletion_waits_for_the_creation() {
    let (fake, clients) = stack_world();
    let url = template_at(&fake, &deployed());
    let delete = async |stack: &str| {
        let call = send!(clients.cloudformation, delete_change_set,
            stack_name: stack, change_set_name: "plan-1");
        code(call.await)
    };
    assert_eq!(plan(&clients, "plan-1", &url, "prd").await, fine());
    assert_eq!(delete(STACK).await, "InvalidChangeSetStatus");
    ended(&clients, STACK, "plan-1").await.expect("a change");
    fake.keep_stack_busy(STACK, Duration::from_secs(9));
    fake.options(|options| options.change_sets.kept_during_updates = true);
    assert_eq!(delete(STACK).await, "InvalidChangeSetStatus");
    fake.options(|options| options.change_sets.kept_during_updates = false);
    assert_eq!(delete(STACK).await, "none");
    assert_eq!(delete(STACK).await, "none");
    assert_eq!(delete("none").await, "ValidationError");
    assert!(fake.all_change_sets().is_empty());
}

#[tokio::test(start_paused = true)]
async fn drift_is_shown_only_by_a_drift_aware_change_set() {
    let (fake, clients) = stack_world();
    let no_changes = Err(NO_CHANGES.to_owned());
    assert_eq!(revert(&clients, STACK, "drift-1").await, fine());
    assert_eq!(ended(&clients, STACK, "drift-1").await, no_changes);
    fake.drift(STACK, "Orders", "MODIFIED");
    fake.drift(STACK, "Table", "UNSUPPORTED");
    fake.drift(STACK, "Topic", "DELETED");
    let url = template_at(&fake, &deployed());
    assert_eq!(plan(&clients, "plan-1", &url, "dev").await, fine());
    assert_eq!(ended(&clients, STACK, "plan-1").await, no_changes);
    assert_eq!(revert(&clients, STACK, "drift-2").await, fine());
    let expected = [
        "Modify Orders False MODIFIED",
        "Modify Table False UNSUPPORTED",
        "Add Topic - DELETED",
    ];
    let changes = ended(&clients, STACK, "drift-2").await.expect("changes");
    assert_eq!(changes, expected);
    fake.assert_unbroken();
}

async fn execute(clients: &Clients, name: &str) -> String {
    let call = send!(clients.cloudformation, execute_change_set,
        stack_name: NAME, change_set_name: name);
    code(call.await)
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
    assert_eq!(execute(&clients, "drift-1").await, "ChangeSetNotFound");
    assert_eq!(revert(&clients, NAME, "drift-1").await, fine());
    fake.change_set(NAME, "plan-1");
    let early = execute(&clients, "drift-1").await;
    assert_eq!(early, "InvalidChangeSetStatus");
    let changes = ended(&clients, NAME, "drift-1").await;
    assert_eq!(changes.expect("changes").len(), 2);
    assert_eq!(execute(&clients, "drift-1").await, "none");
    assert!(fake.all_change_sets().is_empty());
    assert_eq!(stack_ended(&clients).await, "UPDATE_COMPLETE");
    assert!(has_rule(&fake));
    assert_eq!(revert(&clients, NAME, "drift-1").await, fine());
    let changes = ended(&clients, NAME, "drift-1").await;
    assert_eq!(changes, Err(NO_CHANGES.to_owned()));
    fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn change_set_before_an_update_is_not_executed() {
    let (fake, clients) = world_with_stack(true).await;
    fake.drift(NAME, "EventRule", "MODIFIED");
    assert_eq!(revert(&clients, NAME, "drift-1").await, fine());
    ended(&clients, NAME, "drift-1").await.expect("a change");
    fake.keep_stack_busy(NAME, Duration::from_secs(9));
    let busy = execute(&clients, "drift-1").await;
    assert_eq!(busy, "InvalidChangeSetStatus");
    sleep(Duration::from_secs(10)).await;
    fake.change(|aws| {
        let now = aws.now;
        aws.stacks.named_mut(NAME).expect("the stack").updated = Some(now);
    });
    let shown = described_set(&clients, NAME, "drift-1").await;
    assert_eq!(shown.execution_status().unwrap().as_str(), "OBSOLETE");
    let obsolete = execute(&clients, "drift-1").await;
    assert_eq!(obsolete, "InvalidChangeSetStatus");
}
