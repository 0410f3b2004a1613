//! Stacks: API Reference and User Guide of CloudFormation, at the rules in `tests/fake-aws`.

use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

use super::{
    child::{
        NAME, PIPELINE, REPOSITORY, ROLE, course, create, delete, described, ended, events, fine,
        parameter, status, tag, template, update, world_with_stack,
    },
    refusal,
};
use fake_aws::{FakeAws, Options, ResourceAction, clients::Clients};

pub fn new_world(options: Options) -> (FakeAws, Clients) {
    let fake = FakeAws::with(options);
    let clients = Clients::over(fake.connector("test"));
    (fake, clients)
}

#[tokio::test(start_paused = true)]
async fn stack_creates_resources_in_order_of_reference() {
    let (fake, clients) = new_world(Options::default());
    assert_eq!(create(&clients, &template(), "one").await, fine());
    assert_eq!(status(&clients).await, "CREATE_IN_PROGRESS");
    assert!(
        fake.look(|aws| aws.codecommit.repositories.is_empty()),
        "it takes time"
    );
    assert_eq!(ended(&clients).await, "CREATE_COMPLETE");
    let course = course(&clients, NAME).await;
    let at = |event: &str| course.iter().position(|one| one == event).expect(event);
    assert_eq!(course[0], format!("{NAME} CREATE_IN_PROGRESS"));
    assert_eq!(
        *course.last().expect("events"),
        format!("{NAME} CREATE_COMPLETE")
    );
    assert!(at("Repository CREATE_COMPLETE") < at("Pipeline CREATE_IN_PROGRESS"));
    assert!(at("Pipeline CREATE_COMPLETE") < at("EventRule CREATE_IN_PROGRESS"));
    assert!(at("BuildLogGroup CREATE_COMPLETE") < at("EventRule CREATE_IN_PROGRESS"));
    let stack = described(&clients, NAME).await.expect("the stack");
    let output = |name: &str| {
        let mut outputs = stack.outputs().iter();
        let found = outputs.find(|output| output.output_key() == Some(name));
        found.and_then(|output| output.output_value().map(str::to_owned))
    };
    assert_eq!(output("RepositoryName").as_deref(), Some(REPOSITORY));
    assert_eq!(output("PipelineName").as_deref(), Some(PIPELINE));
    assert_eq!(stack.role_arn(), Some(ROLE));
    fake.look(|aws| {
        let tags = &aws.codecommit.repositories[REPOSITORY].tags;
        assert_eq!(tags["CreatedBy"], NAME);
        assert_eq!(tags["aws:cloudformation:stack-name"], NAME);
        let source = aws.pipelines[PIPELINE].source();
        assert_eq!(source, Some(("Source", REPOSITORY, "development")));
    });
}

#[tokio::test(start_paused = true)]
async fn events_carry_the_operations_token_and_come_in_pages() {
    let (fake, clients) = world_with_stack(false).await;
    fake.options(|options| options.page_length = Some(3));
    let all = events(&clients, NAME).await;
    assert!(all.len() > 6);
    let own = |event: &aws_sdk_cloudformation::types::StackEvent| {
        event.client_request_token() == Some("create")
    };
    assert!(all.iter().all(own));
    let times: Vec<_> = all
        .iter()
        .map(|event| *event.timestamp().expect("a time"))
        .collect();
    assert!(
        times.is_sorted_by(|newer, older| newer >= older),
        "newest first"
    );
}

#[tokio::test(start_paused = true)]
async fn existing_resource_fails_the_creation_and_survives_it() {
    let (fake, clients) = new_world(Options::default());
    fake.repository(REPOSITORY);
    assert_eq!(create(&clients, &template(), "one").await, fine());
    assert_eq!(ended(&clients).await, "ROLLBACK_COMPLETE");
    let events = events(&clients, NAME).await;
    let mut failed = events
        .iter()
        .rev()
        .filter(|event| event.resource_status().expect("a status").as_str() == "CREATE_FAILED");
    let first = failed.next().expect("a failure");
    assert_eq!(first.logical_resource_id(), Some("Repository"));
    let reason = first.resource_status_reason().expect("a reason");
    assert!(reason.contains("already exists"), "{reason}");
    let second = failed.next().expect("the sibling");
    assert_eq!(
        second.resource_status_reason(),
        Some("Resource creation cancelled")
    );
    let stack = described(&clients, NAME).await.expect("the stack");
    assert_eq!(stack.stack_status_reason(), None);
    fake.look(|aws| {
        assert!(
            aws.codecommit.repositories[REPOSITORY].stack_id.is_none(),
            "somebody else's"
        );
        assert!(aws.made.is_empty() && aws.pipelines.is_empty());
    });
    let (code, message) = update(&clients, &template(), "two").await;
    assert_eq!(code, "ValidationError");
    assert!(
        message.ends_with("is in ROLLBACK_COMPLETE state and can not be updated."),
        "{message}"
    );
    let (code, _) = create(&clients, &template(), "three").await;
    assert_eq!(code, "AlreadyExistsException");
    assert_eq!(delete(&clients, "four").await, fine());
    assert_eq!(ended(&clients).await, "none");
}

#[tokio::test(start_paused = true)]
async fn retained_resource_survives_rollback_unless_except_on_create() {
    for (policy, survives_rollback) in [
        ("Delete", false),
        ("RetainExceptOnCreate", false),
        ("Retain", true),
    ] {
        let (fake, clients) = new_world(Options::default());
        let mut retaining = template();
        retaining["Resources"]["Repository"]["DeletionPolicy"] = policy.into();
        fake.fail_resource("EventRule", ResourceAction::Create, "no", 1);
        assert_eq!(create(&clients, &retaining, "one").await, fine());
        assert_eq!(ended(&clients).await, "ROLLBACK_COMPLETE");
        let is_there =
            |fake: &FakeAws| fake.look(|aws| aws.codecommit.repositories.contains_key(REPOSITORY));
        assert_eq!(is_there(&fake), survives_rollback, "{policy}");
        assert_eq!(delete(&clients, "two").await, fine());
        assert_eq!(ended(&clients).await, "none");
        fake.change(|aws| aws.codecommit.repositories.clear());
        assert_eq!(create(&clients, &retaining, "three").await, fine());
        assert_eq!(ended(&clients).await, "CREATE_COMPLETE");
        assert_eq!(delete(&clients, "four").await, fine());
        assert_eq!(ended(&clients).await, "none");
        assert_eq!(is_there(&fake), policy != "Delete", "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_and_tags_are_updates_and_policies_are_not() {
    let (fake, clients) = world_with_stack(false).await;
    let mut same = template();
    same["Parameters"]["BranchExists"]["Default"] = "false".into();
    same["Resources"]["Repository"]["DeletionPolicy"] = "Retain".into();
    same["Resources"]["Repository"]["UpdateReplacePolicy"] = "Retain".into();
    same["Description"] = "another".into();
    same["Outputs"]["More"] = json!({"Value": "x"});
    let refused = (
        "ValidationError".into(),
        "No updates are to be performed.".into(),
    );
    assert_eq!(update(&clients, &same, "two").await, refused);
    assert_eq!(status(&clients).await, "CREATE_COMPLETE");
    same["Resources"]["Repository"]["Metadata"]["RepositoryDeletionPolicy"] = "Retain".into();
    assert_eq!(
        update(&clients, &same, "two").await,
        fine(),
        "its token was not used up"
    );
    assert_eq!(ended(&clients).await, "UPDATE_COMPLETE");
    let course = fake.look(|aws| aws.stacks.named(NAME).expect("the stack").course());
    let expected = [
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
    ];
    assert_eq!(course[2..], expected);
    let tagged = clients
        .cloudformation
        .update_stack()
        .stack_name(NAME)
        .role_arn(ROLE);
    let tagged = tagged.use_previous_template(true).tags(tag("team", "a"));
    assert_eq!(refusal(tagged.clone().send().await), fine());
    assert_eq!(ended(&clients).await, "UPDATE_COMPLETE");
    fake.look(|aws| assert_eq!(aws.codecommit.repositories[REPOSITORY].tags["team"], "a"));
    assert_eq!(refusal(tagged.send().await), refused);
    assert_eq!(delete(&clients, "four").await, fine());
    assert_eq!(ended(&clients).await, "none");
    assert!(
        fake.look(|aws| aws.codecommit.repositories.contains_key(REPOSITORY)),
        "retained"
    );
}

#[tokio::test(start_paused = true)]
async fn unused_parameter_is_an_update_only_with_the_option() {
    let (fake, clients) = world_with_stack(true).await;
    // With a pipeline the rule does not go to the function.
    let repeat = || {
        let request = clients
            .cloudformation
            .update_stack()
            .stack_name(NAME)
            .role_arn(ROLE);
        let request = request.use_previous_template(true);
        request
            .parameters(parameter(
                "FunctionArn",
                "arn:aws:lambda:eu-central-1:1:function:f",
            ))
            .send()
    };
    assert_eq!(refusal(repeat().await).1, "No updates are to be performed.");
    fake.options(|options| options.parameters_alone_are_updates = true);
    assert_eq!(refusal(repeat().await), fine());
    assert_eq!(ended(&clients).await, "UPDATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn failed_update_is_rolled_back_to_the_former_state() {
    let (fake, clients) = world_with_stack(false).await;
    let before = fake.look(|aws| (aws.made.clone(), aws.codecommit.repositories.clone()));
    fake.fail_resource("EventRule", ResourceAction::Update, "no such role", 1);
    let mut changed = template();
    changed["Resources"]["BuildLogGroup"]["Properties"]["RetentionInDays"] = json!(7);
    assert_eq!(update(&clients, &changed, "two").await, fine());
    assert_eq!(ended(&clients).await, "UPDATE_ROLLBACK_COMPLETE");
    let after = fake.look(|aws| (aws.made.clone(), aws.codecommit.repositories.clone()));
    assert_eq!(after, before);
    assert!(fake.look(|aws| aws.pipelines.is_empty()));
    let course = course(&clients, NAME).await;
    for event in [
        "EventRule UPDATE_FAILED",
        "gitops-dev-shop UPDATE_ROLLBACK_IN_PROGRESS",
        "gitops-dev-shop UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "Pipeline DELETE_COMPLETE",
    ] {
        assert!(
            course.iter().any(|one| one == event),
            "{event}: {course:#?}"
        );
    }
    assert_eq!(
        update(&clients, &changed, "three").await,
        fine(),
        "it can be updated again"
    );
    fake.push(REPOSITORY, "development", "commit-1");
    assert_eq!(ended(&clients).await, "UPDATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn rollback_that_fails_waits_until_it_is_continued() {
    let (fake, clients) = world_with_stack(false).await;
    fake.fail_resource("EventRule", ResourceAction::Update, "no", 1);
    fake.fail_resource("EventRule", ResourceAction::RollBack, "still no", 1);
    assert_eq!(update(&clients, &template(), "two").await, fine());
    assert_eq!(ended(&clients).await, "UPDATE_ROLLBACK_FAILED");
    let (_, message) = update(&clients, &template(), "three").await;
    assert!(
        message.contains("is in UPDATE_ROLLBACK_FAILED state"),
        "{message}"
    );
    let request = clients.cloudformation.continue_update_rollback();
    let request = request.stack_name(NAME).role_arn(ROLE);
    let continued = request.client_request_token("go-on").send().await;
    assert_eq!(refusal(continued), fine());
    assert_eq!(ended(&clients).await, "UPDATE_ROLLBACK_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn only_a_running_update_can_be_cancelled() {
    let (fake, clients) = world_with_stack(false).await;
    let cancel = || {
        let request = clients.cloudformation.cancel_update_stack();
        request
            .stack_name(NAME)
            .client_request_token("cancel")
            .send()
    };
    let (code, message) = refusal(cancel().await);
    assert_eq!(code, "ValidationError", "{message}");
    assert_eq!(update(&clients, &template(), "two").await, fine());
    sleep(Duration::from_secs(3)).await;
    assert_eq!(refusal(cancel().await), fine());
    assert_eq!(ended(&clients).await, "UPDATE_ROLLBACK_COMPLETE");
    assert!(fake.look(|aws| aws.pipelines.is_empty()));
    let last = |fake: &FakeAws| {
        fake.look(|aws| {
            let stack = aws.stacks.named(NAME).expect("the stack");
            stack.last_token().map(str::to_owned)
        })
    };
    assert_eq!(last(&fake).as_deref(), Some("two"));
}

#[tokio::test(start_paused = true)]
async fn failed_deletion_can_be_retried() {
    let (fake, clients) = world_with_stack(false).await;
    fake.fail_resource("Repository", ResourceAction::Delete, "not allowed", 1);
    assert_eq!(delete(&clients, "two").await, fine());
    assert_eq!(ended(&clients).await, "DELETE_FAILED");
    let stack = described(&clients, NAME).await.expect("the stack");
    assert_eq!(
        stack.stack_status_reason(),
        Some("The following resource(s) failed to delete: [Repository]. ")
    );
    let id = stack.stack_id().expect("an id").to_owned();
    assert_eq!(delete(&clients, "three").await, fine());
    assert_eq!(ended(&clients).await, "none");
    let by_id = described(&clients, &id).await.expect("the deleted stack");
    let status = by_id.stack_status().expect("a status").as_str();
    assert_eq!(status, "DELETE_COMPLETE");
    assert!(by_id.deletion_time().is_some());
    assert!(!events(&clients, &id).await.is_empty());
    fake.look(|aws| assert!(aws.codecommit.repositories.is_empty() && aws.made.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn creation_can_be_deleted_while_it_runs_and_an_update_cannot() {
    let (fake, clients) = new_world(Options::default());
    assert_eq!(create(&clients, &template(), "one").await, fine());
    while fake.look(|aws| aws.codecommit.repositories.is_empty()) {
        sleep(Duration::from_secs(1)).await;
    }
    let (_, message) = update(&clients, &template(), "two").await;
    assert!(
        message.contains("is in CREATE_IN_PROGRESS state and can not be updated"),
        "{message}"
    );
    assert_eq!(delete(&clients, "three").await, fine());
    assert_eq!(status(&clients).await, "DELETE_IN_PROGRESS");
    assert_eq!(
        delete(&clients, "four").await,
        fine(),
        "again changes nothing"
    );
    assert_eq!(ended(&clients).await, "none");
    fake.look(|aws| {
        assert!(aws.codecommit.repositories.is_empty() && aws.made.is_empty());
        let stack = aws.stacks.all.values().next().expect("the stack");
        assert_eq!(stack.last_token(), Some("three"));
    });

    let (_, clients) = world_with_stack(false).await;
    assert_eq!(update(&clients, &template(), "two").await, fine());
    let (code, message) = delete(&clients, "three").await;
    assert_eq!(code, "ValidationError");
    assert!(
        message.ends_with("cannot be deleted while in status UPDATE_IN_PROGRESS"),
        "{message}"
    );
}
