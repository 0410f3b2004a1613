//! Changes by other people and services, by the names that the stories `report_*` use.

use serde_json::Value;

use crate::account::PARAMETER;
use crate::approvals::pipeline;
use crate::fixture::{CHILD, COMMITS, PROJECT, records_of};
use fake_aws::gitlab::records::OTHER_USER;
use fake_aws::{AwsState, FakeAws, ResourceEvent};
use test_support::child_settings::set_child_settings;

const STACK: &str = "cfnstack-dev-shop";
const TABLE: &str = "AWS::DynamoDB::Table";

/// Applies the change of this name.
///
/// # Panics
/// If there is none.
pub fn apply(fake: &FakeAws, change: &Value) {
    if let Some(action) = change["pipelines may only"].as_str() {
        return fake.arrange(|aws| allow_only(aws, action));
    }
    if let Some(name) = change["the pipeline has"].as_str() {
        return fake.arrange(|aws| set_part(aws, name, true));
    }
    if let Some(name) = change["the pipeline has no"].as_str() {
        return fake.arrange(|aws| set_part(aws, name, false));
    }
    match change.as_str().unwrap_or_default() {
        "two resources fail" => fake.fail_deployment(STACK, &two_failures()),
        "a resource of a nested stack fails" => fail_nested_stack(fake),
        "a person updates the stack, which fails" => {
            let other = failure("Other", TABLE, "Another reason of another one");
            fake.fail_direct_update(STACK, &[other]);
        }
        "another project takes the path" => drop(fake.pass_path(PROJECT, "platform/moved")),
        "the function may not read the stack's events" => {
            fake.deny("cloudformation:DescribeStackEvents", "stack/cfnstack-");
        }
        name => fake.arrange(|aws| change_records(aws, name)),
    }
}

fn change_records(aws: &mut AwsState, name: &str) {
    let records = records_of(aws);
    match name {
        "the notes are deleted" => records.notes.retain(|note| note.user == OTHER_USER),
        "merge requests are switched off" => drop(records.switched_off.insert("merge_requests")),
        "both commits are in the same merge requests" => {
            let requests = records.merge_requests[COMMITS[0]].clone();
            let second = COMMITS[1].to_owned();
            records.merge_requests.insert(second, requests);
        }
        "GitLab CI cancels the statuses" => {
            for commit in COMMITS {
                records.cancel_redundant(commit);
            }
        }
        "the project is private" => records.is_internal = false,
        "the project is internal" => records.is_internal = true,
        "the project is public" => records.is_public = true,
        "the transition into Deploy is disabled" => {
            let reason = "Black Friday\n\u{202e}until Monday";
            pipeline(aws).disabled = vec![("Deploy", reason)];
        }
        "the transition into Deploy is enabled" => pipeline(aws).disabled.clear(),
        _ => panic!("no change is called {name}"),
    }
}

/// The deploy role's policies are only this one.
fn allow_only(aws: &mut AwsState, action: &str) {
    let statement = format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"*"}}"#);
    let policy = format!(r#"{{"Statement":{statement}}}"#);
    let now = aws.now;
    aws.iam.change(now, |iam| iam.role_policies.attached = policy);
}

/// Sets a part of `Report`.
fn set_part(aws: &mut AwsState, name: &str, is_wanted: bool) {
    set_child_settings(aws, CHILD, |settings| {
        settings["Report"][name] = is_wanted.into();
    });
}

fn failure(logical_id: &'static str, kind: &'static str, reason: &'static str) -> ResourceEvent {
    ResourceEvent {
        logical_id,
        kind,
        status: "CREATE_FAILED",
        reason,
        physical_id: String::new(),
    }
}

fn two_failures() -> [ResourceEvent; 2] {
    [
        failure("Orders", TABLE, "Table shop-orders already exists"),
        failure("Topic", "AWS::SNS::Topic", "Resource creation cancelled"),
    ]
}

fn fail_nested_stack(fake: &FakeAws) {
    let secret = format!("Bucket {PARAMETER} already exists").leak();
    let inner = [failure("Bucket", "AWS::S3::Bucket", secret)];
    let name = "cfnstack-dev-shop-Data-1A2B3C4D5E6F";
    let id = fake.failed_nested_stack(STACK, name, &inner);
    let embedded = "Embedded stack x was not successfully created: The following resource(s) failed to create: [Bucket]. ";
    let mut outer = failure("Data", "AWS::CloudFormation::Stack", embedded);
    outer.physical_id = id;
    fake.fail_deployment(STACK, &[outer]);
}
