//! Stacks: API Reference and User Guide of CloudFormation, at the rules in `tests/fake-aws`.

use aws_sdk_cloudformation::types::Tag;
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

use super::{
    child::{
        NAME, REPOSITORY, ROLE, course, create, delete, described, ended, events, parameter,
        status, template, update, world_with_stack,
    },
    fine, refusal, world_and_clients,
};
use fake_aws::{FakeAws, ResourceAction};

fn has_repository(fake: &FakeAws) -> bool {
    fake.look(|aws| aws.codecommit.repositories.contains_key(REPOSITORY))
}

#[tokio::test(start_paused = true)]
async fn stack_creates_resources_in_order_of_reference() {
    let (fake, clients) = world_and_clients();
    assert_eq!(create(&clients, &template(), "one").await, fine());
    assert_eq!(status(&clients).await, "CREATE_IN_PROGRESS");
    assert!(!has_repository(&fake), "it takes time");
    assert_eq!(ended(&clients).await, "CREATE_COMPLETE");
    let course = course(&clients, NAME).await;
    let at = |event: &str| course.iter().position(|one| one == event).expect(event);
    assert!(at("Repository CREATE_COMPLETE") < at("Pipeline CREATE_IN_PROGRESS"));
    assert!(at("Pipeline CREATE_COMPLETE") < at("EventRule CREATE_IN_PROGRESS"));
    assert!(at("BuildLogGroup CREATE_COMPLETE") < at("EventRule CREATE_IN_PROGRESS"));
    fake.look(|aws| {
        let tags = &aws.codecommit.repositories[REPOSITORY].tags;
        assert_eq!(tags["CreatedBy"], NAME);
        assert_eq!(tags["aws:cloudformation:stack-name"], NAME);
    });
}

#[tokio::test(start_paused = true)]
async fn update_and_deletion_are_described_late() {
    let (fake, clients) = world_with_stack(true).await;
    let late = Duration::from_secs(1);
    fake.options(|options| options.stacks_late = late);
    sleep(late).await;
    let shown_late = async |before: &str, after: &str| {
        assert_eq!(status(&clients).await, before);
        sleep(late).await;
        assert_eq!(status(&clients).await, after);
    };
    let mut changed = template();
    changed["Resources"]["BuildLogGroup"]["Properties"]["RetentionInDays"] = 30.into();
    assert_eq!(update(&clients, &changed, "two").await, fine());
    shown_late("CREATE_COMPLETE", "UPDATE_IN_PROGRESS").await;
    assert_eq!(ended(&clients).await, "UPDATE_COMPLETE");
    assert_eq!(delete(&clients, "three").await, fine());
    shown_late("UPDATE_COMPLETE", "DELETE_IN_PROGRESS").await;
}

#[tokio::test(start_paused = true)]
async fn existing_resource_fails_the_creation_and_survives_it() {
    let (fake, clients) = world_and_clients();
    fake.repository(REPOSITORY);
    assert_eq!(create(&clients, &template(), "one").await, fine());
    assert_eq!(ended(&clients).await, "ROLLBACK_COMPLETE");
    let mut failed = course(&clients, NAME).await;
    failed.retain(|event| event.contains(" CREATE_FAILED "));
    let (first, sibling) = (&failed[0], &failed[1]);
    assert!(first.starts_with("Repository ") && first.contains("already exists"));
    assert!(sibling.ends_with("Resource creation cancelled"));
    let stack = described(&clients, NAME).await.expect("the stack");
    assert_eq!(stack.stack_status_reason(), None);
    fake.look(|aws| {
        let held = &aws.codecommit.repositories[REPOSITORY];
        assert_eq!(held.stack_id, None, "somebody else's");
        assert!(aws.made.is_empty() && aws.pipelines.is_empty());
    });
}

#[tokio::test(start_paused = true)]
async fn retained_resource_survives_rollback_unless_except_on_create() {
    for (policy, survives_rollback) in [
        ("Delete", false),
        ("RetainExceptOnCreate", false),
        ("Retain", true),
    ] {
        let (fake, clients) = world_and_clients();
        let mut retaining = template();
        retaining["Resources"]["Repository"]["DeletionPolicy"] = policy.into();
        fake.fail_resource("EventRule", ResourceAction::Create, "no", 1);
        assert_eq!(create(&clients, &retaining, "one").await, fine());
        assert_eq!(ended(&clients).await, "ROLLBACK_COMPLETE");
        assert_eq!(has_repository(&fake), survives_rollback, "{policy}");
        assert_eq!(delete(&clients, "two").await, fine());
        assert_eq!(ended(&clients).await, "none");
        fake.change(|aws| aws.codecommit.repositories.clear());
        assert_eq!(create(&clients, &retaining, "three").await, fine());
        assert_eq!(ended(&clients).await, "CREATE_COMPLETE");
        assert_eq!(delete(&clients, "four").await, fine());
        assert_eq!(ended(&clients).await, "none");
        assert_eq!(has_repository(&fake), policy != "Delete", "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_and_tags_are_updates_and_policies_are_not() {
    let (fake, clients) = world_with_stack(true).await;
    let refused = (
        "ValidationError".into(),
        "No updates are to be performed.".into(),
    );
    let mut same = template();
    let repository = &mut same["Resources"]["Repository"];
    repository["DeletionPolicy"] = "Retain".into();
    repository["UpdateReplacePolicy"] = "Retain".into();
    same["Description"] = "another".into();
    same["Outputs"]["More"] = json!({"Value": "x"});
    assert_eq!(update(&clients, &same, "two").await, refused);
    assert_eq!(status(&clients).await, "CREATE_COMPLETE");
    same["Resources"]["Repository"]["Metadata"]["RepositoryDeletionPolicy"] = "Retain".into();
    let updated = update(&clients, &same, "two").await;
    assert_eq!(updated, fine(), "its token was not used up");
    assert_eq!(ended(&clients).await, "UPDATE_COMPLETE");
    let course = fake.look(|aws| aws.stacks.named(NAME).expect("the stack").course());
    let expected = [
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
    ];
    assert_eq!(course[2..], expected);
    let again = || {
        let request = clients.cloudformation.update_stack().stack_name(NAME);
        request.role_arn(ROLE).use_previous_template(true)
    };
    let tag = Tag::builder().key("team").value("a").build();
    let tagged = again().tags(tag);
    assert_eq!(refusal(tagged.clone().send().await), fine());
    assert_eq!(ended(&clients).await, "UPDATE_COMPLETE");
    fake.look(|aws| assert_eq!(aws.codecommit.repositories[REPOSITORY].tags["team"], "a"));
    assert_eq!(refusal(tagged.send().await), refused);
    // With a pipeline the rule does not go to the function, so no resource has the parameter.
    let function = parameter("FunctionArn", "arn:aws:lambda:eu-central-1:1:function:f");
    let unused = again().parameters(function);
    assert_eq!(refusal(unused.clone().send().await), refused);
    fake.options(|options| options.parameters_alone_are_updates = true);
    assert_eq!(refusal(unused.send().await), fine());
    assert_eq!(ended(&clients).await, "UPDATE_COMPLETE");
    assert_eq!(delete(&clients, "four").await, fine());
    assert_eq!(ended(&clients).await, "none");
    assert!(has_repository(&fake), "retained");
}

#[tokio::test(start_paused = true)]
async fn rollback_that_fails_waits_until_it_is_continued() {
    let (fake, clients) = world_with_stack(false).await;
    let before = fake.look(|aws| (aws.made.clone(), aws.codecommit.repositories.clone()));
    fake.fail_resource("EventRule", ResourceAction::Update, "no", 1);
    fake.fail_resource("EventRule", ResourceAction::RollBack, "still no", 1);
    assert_eq!(update(&clients, &template(), "two").await, fine());
    assert_eq!(ended(&clients).await, "UPDATE_ROLLBACK_FAILED");
    let continued = send!(clients.cloudformation, continue_update_rollback,
        stack_name: NAME, role_arn: ROLE, client_request_token: "go-on");
    assert_eq!(refusal(continued.await), fine());
    assert_eq!(ended(&clients).await, "UPDATE_ROLLBACK_COMPLETE");
    let after = fake.look(|aws| (aws.made.clone(), aws.codecommit.repositories.clone()));
    assert_eq!(after, before);
    assert!(fake.look(|aws| aws.pipelines.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn failed_deletion_can_be_retried() {
    let (fake, clients) = world_with_stack(false).await;
    fake.fail_resource("Repository", ResourceAction::Delete, "not allowed", 1);
    assert_eq!(delete(&clients, "two").await, fine());
    assert_eq!(ended(&clients).await, "DELETE_FAILED");
    let stack = described(&clients, NAME).await.expect("the stack");
    let reason = "The following resource(s) failed to delete: [Repository]. ";
    assert_eq!(stack.stack_status_reason(), Some(reason));
    assert_eq!(delete(&clients, "three").await, fine());
    assert_eq!(ended(&clients).await, "none");
    let id = stack.stack_id().expect("an id");
    let deleted = described(&clients, id).await.expect("the deleted stack");
    assert!(deleted.deletion_time().is_some());
    assert!(!events(&clients, id).await.is_empty());
    fake.look(|aws| assert!(aws.codecommit.repositories.is_empty() && aws.made.is_empty()));
}
