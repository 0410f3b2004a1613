//! Pushes, the rules that they meet, pipelines, and a function that calls itself. EventBridge
//! User Guide; API References of CodePipeline, CodeCommit and Lambda.

use aws_sdk_codepipeline::types::{
    PipelineExecutionSummary, SourceRevisionOverride, SourceRevisionType,
};
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

use super::{
    child::{NAME, PIPELINE, REPOSITORY, ROLE, ended, parameter, world_with_stack},
    code, fine, refusal, world_and_clients,
};
use fake_aws::{Reaction, clients::Clients};

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:f";

/// The executions, newest first.
async fn executions(clients: &Clients) -> Vec<PipelineExecutionSummary> {
    let client = &clients.codepipeline;
    let listed = send!(client, list_pipeline_executions, pipeline_name: PIPELINE).await;
    let listed = listed.expect("the pipeline").pipeline_execution_summaries;
    listed.unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn new_pipeline_without_its_branch_runs_and_fails() {
    let (fake, clients) = world_with_stack(false).await;
    let update = send!(clients.cloudformation, update_stack, stack_name: NAME, role_arn: ROLE,
        use_previous_template: true, parameters: parameter("BranchExists", "true"));
    assert_eq!(refusal(update.await), fine());
    assert_eq!(ended(&clients).await, "UPDATE_COMPLETE");
    let listed = executions(&clients).await;
    assert_eq!(listed[0].status().expect("a status").as_str(), "Failed");
    assert_eq!(fake.look(|aws| aws.failed_runs.clone()), [PIPELINE]);
}

#[tokio::test(start_paused = true)]
async fn first_branch_is_the_default_one_until_that_is_changed() {
    let (fake, clients) = world_and_clients();
    let client = &clients.codecommit;
    fake.repository(REPOSITORY);
    let default = async || {
        let get = send!(client, get_repository, repository_name: REPOSITORY).await;
        let shown = get.expect("the repository").repository_metadata;
        shown.expect("metadata").default_branch.unwrap_or_default()
    };
    fake.push(REPOSITORY, "main", "commit-1");
    fake.push(REPOSITORY, "development", "commit-2");
    assert_eq!(default().await, "main");
    let change = send!(client, update_default_branch, repository_name: REPOSITORY,
        default_branch_name: "development");
    change.await.expect("a branch");
    assert_eq!(default().await, "development");
}

#[tokio::test(start_paused = true)]
async fn second_deletion_of_a_repository_is_denied() {
    let (fake, clients) = world_and_clients();
    fake.repository(REPOSITORY);
    let delete = || send!(clients.codecommit, delete_repository, repository_name: REPOSITORY);
    delete().await.expect("the repository");
    assert_eq!(code(delete().await), "AccessDeniedException");
}

#[tokio::test(start_paused = true)]
async fn request_for_builds_without_an_id_is_rejected() {
    let (_, clients) = world_and_clients();
    let builds = send!(clients.codebuild, batch_get_builds).await;
    assert_eq!(code(builds), "InvalidInputException");
}

#[tokio::test(start_paused = true)]
async fn push_starts_only_the_pipeline_of_its_branch() {
    let (fake, clients) = world_with_stack(true).await;
    assert_eq!(fake.push(REPOSITORY, "other", "commit-2"), []);
    let reactions = fake.push(REPOSITORY, "development", "commit-3");
    let [Reaction::Started { execution, .. }] = reactions.as_slice() else {
        panic!("{reactions:?}");
    };
    // The branch moves on, and the execution keeps its commit.
    fake.push(REPOSITORY, "development", "commit-4");
    sleep(Duration::from_secs(10)).await;
    let listed = executions(&clients).await;
    let commit = |one: &PipelineExecutionSummary| {
        let revision = one.source_revisions()[0].revision_id();
        revision.unwrap_or_default().to_owned()
    };
    let commits: Vec<String> = listed.iter().map(commit).collect();
    assert_eq!(
        commits,
        ["commit-4", "commit-3", "commit-1"],
        "newest first"
    );
    assert_eq!(listed[1].pipeline_execution_id(), Some(execution.as_str()));
    assert!(fake.look(|aws| aws.failed_runs.is_empty()));
    fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn execution_is_started_once_for_each_token() {
    let (fake, clients) = world_with_stack(true).await;
    let start = |token: &str, action: &str| {
        let revision = SourceRevisionOverride::builder()
            .action_name(action)
            .revision_type(SourceRevisionType::CommitId)
            .revision_value("commit-9");
        let revision = revision.build().expect("complete");
        send!(clients.codepipeline, start_pipeline_execution,
            name: PIPELINE, client_request_token: token, source_revisions: revision)
    };
    let first = start("one", "Source").await.expect("it starts");
    let again = start("one", "Source").await.expect("it is the same");
    assert_eq!(first.pipeline_execution_id(), again.pipeline_execution_id());
    assert_eq!(code(start("two", "Elsewhere").await), "ValidationException");
    assert_eq!(fake.look(|aws| aws.pipelines[PIPELINE].executions.len()), 2);
}

#[tokio::test(start_paused = true)]
async fn synchronous_invocation_is_a_violation() {
    let (fake, clients) = world_and_clients();
    let invoke = |kind: &str| {
        let payload = aws_sdk_lambda::primitives::Blob::new(r#"{"Hop":1}"#);
        send!(clients.lambda, invoke,
            function_name: FUNCTION, invocation_type: kind.into(), payload: payload)
    };
    let invoked = invoke("Event").await.expect("it is taken on");
    assert_eq!(invoked.status_code(), 202);
    let kept = fake.invocations();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].function, FUNCTION);
    assert_eq!(kept[0].payload, json!({"Hop": 1}));
    fake.assert_unbroken();
    invoke("RequestResponse").await.expect("it is answered");
    assert!(!fake.violations().is_empty());
    fake.deny("lambda:InvokeFunction", "function:f");
    assert_eq!(code(invoke("Event").await), "AccessDeniedException");
}
