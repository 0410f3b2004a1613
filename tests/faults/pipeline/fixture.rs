//! The project of most tests, and the rest of its account.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::{delete_completely, watch};
use fake_aws::codecommit::Repository;
use fake_aws::{FakeAws, Options, Pipeline, Reaction};
use test_support::custom_resource::{
    CustomResource, ParentStack, StackRequest, answers_are_sound, deliver_all,
};

pub use fake_aws::explore::paused;

/// The stack that holds the custom resource.
pub const PARENT: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/shop/5f3b2c10-0000-11f0-8000-0a0000000000";
/// Another such stack.
pub const OTHER_PARENT: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/other/6f3b2c10-0000-11f0-8000-0a0000000000";
/// The tags of its child stack.
pub const FOREIGN_TAGS: [(&str, &str); 2] = [
    ("cfn-gitops:stack-id", OTHER_PARENT),
    ("cfn-gitops:logical-id", "Project"),
];
/// The child stack.
pub const CHILD: &str = "gitops-dev-shop";
/// The repository that the child stack creates.
pub const REPOSITORY: &str = "codecommit-dev-cfn-shop";
/// The pipeline.
pub const PIPELINE: &str = "codepipeline-dev-cfn-shop";
/// The approval rule template.
pub const RULE: &str = "approval-dev-cfn-shop";
/// A foreign repository.
pub const GIVEN: &str = "given";
/// The branch that reaches `dev`.
pub const BRANCH: &str = "機能/ログイン";

const RESOURCE: CustomResource = CustomResource {
    resource_type: "Custom::GitOpsPipeline",
    logical_id: "Project",
    wire: fake_aws::interceptor::wire,
};

/// A fake AWS with foreign resources.
pub fn fake(options: Options) -> FakeAws {
    let fake = FakeAws::with(options);
    fake.repository(GIVEN);
    fake.repository("codecommit-dev-cfn-other");
    fake.stack("gitops-dev-other", "CREATE_COMPLETE", &FOREIGN_TAGS);
    fake.arrange(|aws| {
        let now = aws.now;
        let template = fake_aws::RuleTemplate {
            id: "foreign".to_owned(),
            description: "Somebody's".to_owned(),
            content: "{}".to_owned(),
            created: now,
            changed: now,
            repositories: [GIVEN.to_owned()].into(),
        };
        let templates = &mut aws.codecommit.rule_templates;
        templates.insert("approval-dev-cfn-other".to_owned(), template);
    });
    fake
}

/// CloudFormation with the project's resource in its stack.
pub fn stack(fake: &FakeAws) -> ParentStack {
    stack_called(fake, PARENT)
}

/// The same in the stack of this ARN.
pub fn stack_called(fake: &FakeAws, arn: &str) -> ParentStack {
    ParentStack::called(fake, RESOURCE, arn)
}

/// A new account with the project's stack, under the [invariants](watch).
pub fn account(options: Options) -> (FakeAws, ParentStack) {
    let fake = fake(options);
    watch(&fake, 1, &[]);
    let stack = stack(&fake);
    (fake, stack)
}

/// The same a minute after the Create of the resource.
pub async fn created_with(options: Options, wanted: &Value) -> (FakeAws, ParentStack) {
    let (fake, mut stack) = account(options);
    stack.create(wanted).await.assert_success();
    tokio::time::sleep(Duration::from_mins(1)).await;
    (fake, stack)
}

pub async fn created(wanted: &Value) -> (FakeAws, ParentStack) {
    created_with(Options::default(), wanted).await
}

/// Plays in a new [`account`]. In the end deletes the resource.
pub fn in_account(play: impl AsyncFnOnce(&FakeAws, &mut ParentStack)) {
    in_account_with(Options::default(), play);
}

/// The same in an account with `options`.
pub fn in_account_with(options: Options, play: impl AsyncFnOnce(&FakeAws, &mut ParentStack)) {
    in_project(async { account(options) }, play);
}

/// Plays with the project of a fixture, under its invariants. In the end deletes the resource.
pub fn in_project(
    project: impl Future<Output = (FakeAws, ParentStack)>,
    play: impl AsyncFnOnce(&FakeAws, &mut ParentStack),
) {
    paused(async {
        let (fake, mut stack) = project.await;
        play(&fake, &mut stack).await;
        if stack.resource.is_some() {
            delete_completely(&mut stack).await;
        }
        answers_are_sound(&fake);
        fake.assert_unbroken();
    });
}

/// The properties that most tests begin with.
pub fn properties() -> Value {
    json!({
        "EnvID": "dev",
        "ProjectID": "shop",
        "BranchMap": {"dev": BRANCH},
        "Tags": [{"Key": "部門", "Value": "販売\u{3000}一"}, {"Key": "Empty", "Value": ""}],
    })
}

/// `properties` with one of them changed.
pub fn with(mut properties: Value, name: &str, value: Value) -> Value {
    properties[name] = value;
    properties
}

/// With an approval rule too.
pub fn ruled() -> Value {
    with(
        properties(),
        "ApprovalRule",
        json!({"ApproversNeeded": "1"}),
    )
}

/// A change of the child stack.
pub fn changed(properties: Value) -> Value {
    with(properties, "Build", json!({"TimeoutInMinutes": "30"}))
}

/// A repository of the other account, with the name of the child stack's: two accounts
/// may have the same names.
pub fn cross_account() -> Value {
    let source = json!({
        "RepositoryArn": fake_aws::other_account::repository_arn(REPOSITORY),
        "RoleArn": fake_aws::other_account::SOURCE_ROLE,
    });
    let key = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd";
    let mut properties = with(properties(), "Source", source);
    properties["ArtifactKeyArn"] = json!(key);
    properties["ArtifactBucketName"] = json!("a-bucket-of-its-own");
    properties
}

/// The repository of the properties.
pub fn repository_of(properties: &Value) -> String {
    if let Some(arn) = properties["Source"]["RepositoryArn"].as_str() {
        return arn.rsplit(':').next().unwrap_or_default().to_owned();
    }
    if let Some(given) = properties["Source"]["RepositoryName"].as_str() {
        return given.to_owned();
    }
    let [environment, project] =
        ["EnvID", "ProjectID"].map(|name| properties[name].as_str().expect("an ID"));
    format!("codecommit-{environment}-cfn-{project}")
}

/// An event that EventBridge has for the function.
pub fn pushed(fake: &FakeAws, name: &str, payload: Value) -> StackRequest {
    StackRequest {
        name: name.to_owned(),
        event: payload,
        signed_at: fake.now(),
        wire: fake_aws::interceptor::wire,
        lifetime: test_support::custom_resource::LAMBDA_MAX_LIFETIME,
    }
}

/// The event that EventBridge has for the function, the only reaction to a push.
pub fn event(reactions: &[Reaction]) -> Value {
    let [Reaction::Event { payload, .. }] = reactions else {
        panic!("not one event for the function: {reactions:?}");
    };
    payload.clone()
}

/// Changes the child stack's repository.
pub fn change_repository(fake: &FakeAws, change: impl FnOnce(&mut Repository)) {
    fake.change(|aws| {
        let held = aws.codecommit.repositories.get_mut(REPOSITORY);
        change(held.expect("the repository"));
    });
}

/// The event rule for pushes, among the made resources.
pub fn event_rule() -> (String, String) {
    let name = "event-rule-dev-codepipeline-exec-cfn-shop";
    ("AWS::Events::Rule".to_owned(), name.to_owned())
}

/// Sets the state of this rule.
pub fn set_event_rule(fake: &FakeAws, state: &str) {
    fake.change(|aws| {
        let rule = aws.made.get_mut(&event_rule()).expect("the rule");
        rule.properties["State"] = json!(state);
    });
}

/// Changes the pipeline at this time.
pub fn change_pipeline(fake: &FakeAws, change: impl FnOnce(&mut Pipeline, Duration)) {
    fake.change(|aws| {
        let now = aws.now;
        change(aws.pipelines.get_mut(PIPELINE).expect("the pipeline"), now);
    });
}

/// Deletes the branches of the child stack's repository.
pub fn delete_branch(fake: &FakeAws) {
    change_repository(fake, |held| held.branches.clear());
}

/// Pushes a commit. EventBridge invokes the function if its rule matches.
pub async fn push(fake: &FakeAws, repository: &str, commit: &str, name: &str) -> Vec<Reaction> {
    let reactions = fake.push(repository, BRANCH, commit);
    deliver_events(fake, &reactions, name).await;
    reactions
}

/// The same to the source of `properties`, whosever it is.
pub async fn push_to(fake: &FakeAws, properties: &Value, commit: &str, name: &str) {
    let repository = repository_of(properties);
    if properties["Source"]["RepositoryArn"].is_null() {
        push(fake, &repository, commit, name).await;
    } else {
        let reactions = fake.push_in_other_account(&repository, BRANCH, commit);
        deliver_events(fake, &reactions, name).await;
    }
}

/// The same beside the test, which awaits its end.
pub fn push_beside(
    fake: &FakeAws,
    properties: Value,
    commit: &'static str,
) -> impl Future<Output = ()> + use<> {
    let fake = fake.clone();
    let pushing = tokio::spawn(Box::pin(async move {
        push_to(&fake, &properties, commit, commit).await;
    }));
    async { pushing.await.expect("no panic in a push") }
}

/// Delivers EventBridge's events of a push to the function.
pub async fn deliver_events(fake: &FakeAws, reactions: &[Reaction], name: &str) {
    deliver_each(fake, &events_of(fake, reactions, name), false).await;
}

/// The events that EventBridge has for the function.
pub fn events_of(fake: &FakeAws, reactions: &[Reaction], name: &str) -> Vec<StackRequest> {
    let events = reactions.iter().filter_map(|reaction| match reaction {
        Reaction::Event { payload, .. } => Some(pushed(fake, name, payload.clone())),
        _ => None,
    });
    events.collect()
}

pub async fn deliver_each(fake: &FakeAws, events: &[StackRequest], twice: bool) {
    for event in events {
        deliver_all(fake, event, twice).await;
    }
    // The pipeline reads its source.
    tokio::time::sleep(Duration::from_secs(10)).await;
}
