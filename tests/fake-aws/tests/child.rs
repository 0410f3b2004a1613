//! A stack as the product creates it, and calls on it.

use aws_sdk_cloudformation::types::{Parameter, Stack, StackEvent};
use serde_json::Value;
use std::time::Duration;
use tokio::time::sleep;

use super::{fine, refusal, world_and_clients};
use fake_aws::{FakeAws, clients::Clients};

pub const NAME: &str = "gitops-dev-shop";
pub const REPOSITORY: &str = "codecommit-dev-cfn-shop";
pub const PIPELINE: &str = "codepipeline-dev-cfn-shop";
pub const ROLE: &str = "arn:aws:iam::123456789012:role/role-dev-cfn-gitops-provisioning";

/// The product's template, with a value for each parameter.
pub fn template() -> Value {
    let mut template = fake_aws::yaml::read(include_str!("../../../templates/pipeline.yaml"));
    let defaults = [
        ("EnvID", "dev"),
        ("ProjectID", "shop"),
        ("BranchExists", "true"),
        ("FunctionArn", ""),
    ];
    for (name, default) in defaults {
        template["Parameters"][name]["Default"] = default.into();
    }
    template
}

pub fn parameter(name: &str, value: &str) -> Parameter {
    let parameter = Parameter::builder().parameter_key(name);
    parameter.parameter_value(value).build()
}

/// Creates the stack, and returns the error's code and message.
pub async fn create(clients: &Clients, template: &Value, token: &str) -> (String, String) {
    let create = send!(clients.cloudformation, create_stack, stack_name: NAME, role_arn: ROLE,
        template_body: template.to_string(), client_request_token: token);
    refusal(create.await)
}

pub async fn update(clients: &Clients, template: &Value, token: &str) -> (String, String) {
    let update = send!(clients.cloudformation, update_stack, stack_name: NAME, role_arn: ROLE,
        template_body: template.to_string(), client_request_token: token);
    refusal(update.await)
}

pub async fn delete(clients: &Clients, token: &str) -> (String, String) {
    let delete = send!(clients.cloudformation, delete_stack,
        stack_name: NAME, role_arn: ROLE, client_request_token: token);
    refusal(delete.await)
}

pub async fn described(clients: &Clients, name: &str) -> Option<Stack> {
    let described = send!(clients.cloudformation, describe_stacks, stack_name: name).await;
    described.ok()?.stacks?.pop()
}

pub async fn status(clients: &Clients) -> String {
    let stack = described(clients, NAME).await;
    let status = stack.map(|stack| stack.stack_status.expect("a status"));
    status.map_or("none".to_owned(), |status| status.as_str().to_owned())
}

/// Waits until no operation runs, and answers how it ended.
pub async fn ended(clients: &Clients) -> String {
    loop {
        let status = status(clients).await;
        if !status.ends_with("_IN_PROGRESS") {
            return status;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// All events, newest first.
pub async fn events(clients: &Clients, name: &str) -> Vec<StackEvent> {
    let request = clients.cloudformation.describe_stack_events();
    let pages = request.stack_name(name).into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.expect("events")
}

/// `Logical STATUS reason` of each event, oldest first.
pub async fn course(clients: &Clients, name: &str) -> Vec<String> {
    let events = events(clients, name).await;
    let line = |event: &StackEvent| {
        let logical_id = event.logical_resource_id().unwrap_or_default();
        let status = event.resource_status().expect("a status");
        let reason = event.resource_status_reason().unwrap_or_default();
        format!("{logical_id} {status} {reason}").trim().to_owned()
    };
    events.iter().rev().map(line).collect()
}

/// A fake AWS in which the stack is there, with or without a pipeline.
pub async fn world_with_stack(branch_is_there: bool) -> (FakeAws, Clients) {
    let (fake, clients) = world_and_clients();
    let mut made = template();
    made["Parameters"]["BranchExists"]["Default"] = branch_is_there.to_string().into();
    assert_eq!(create(&clients, &made, "create").await, fine());
    if branch_is_there {
        while fake.look(|aws| !aws.codecommit.repositories.contains_key(REPOSITORY)) {
            sleep(Duration::from_secs(1)).await;
        }
        fake.push(REPOSITORY, "development", "commit-1");
    }
    assert_eq!(ended(&clients).await, "CREATE_COMPLETE");
    (fake, clients)
}
