//! The account, the GitLab and the stack of most tests.

use std::time::Duration;

use serde_json::{Value, json};

use crate::checks;
use fake_aws::explore::{paused, sample};
use fake_aws::gitlab::REDIRECT_HOST;
use fake_aws::{FakeAws, Options, Schedule};
use test_support::custom_resource::{
    CustomResource, LAMBDA_MAX_LIFETIME, ParentStack, StackRequest, answered_once,
    answers_are_sound,
};
use test_support::{Rotated, Rotation, RotationStep};

/// The user of most tests.
pub const USER: &str = "user-dev-codecommit-mirroring";
/// The user that an Update changes to.
pub const OTHER_USER: &str = "user-dev-other";
/// The project of most tests, and the repository that it is mirrored to.
pub const PROJECT: &str = "platform/team/infra";
pub const REPOSITORY: &str = "codecommit-dev-cfn-infra";
/// A second pair.
pub const OTHER_PROJECT: &str = "platform/network";
pub const OTHER_REPOSITORY: &str = "codecommit-dev-cfn-network";
/// One for a project that is mirrored twice.
pub const THIRD_REPOSITORY: &str = "codecommit-dev-cfn-copy";
/// The secret with GitLab's token.
pub const TOKEN: &str = "gitlab/token";
pub const GITLAB: &str = "https://gitlab.example.com";
/// The secret of the login.
pub const SECRET: &str = "codecommit-mirror/user-dev-codecommit-mirroring";

/// The tag of a Delete that overtook its Create.
pub const TOMBSTONE: &str = "cfn-gitops:deletion";

const STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/mirror/5f3b2c10-0000-11f0-8000-0a0000000000";

const CREDENTIAL: CustomResource = CustomResource {
    resource_type: "Custom::MirrorCredential",
    logical_id: "Credential",
    wire: fake_aws::interceptor::wire,
};

/// A fake AWS with `options`: a user, repositories, and a GitLab with two projects, a token and
/// a manual mirror.
pub fn fake(options: Options) -> FakeAws {
    let fake = FakeAws::with(options);
    fake.user(USER);
    fake.user(OTHER_USER);
    for (project, repository) in [(PROJECT, REPOSITORY), (OTHER_PROJECT, OTHER_REPOSITORY)] {
        fake.repository(repository);
        fake.gitlab_project(project, &["main", "development", "feature"]);
        fake.protect(project, &["main", "dev*"]);
    }
    fake.repository(THIRD_REPOSITORY);
    fake.gitlab_token(TOKEN);
    fake.manual_mirror(PROJECT, "https://backup.example.com/infra.git", None, true);
    fake
}

/// A stack with one credential.
pub fn stack(fake: &FakeAws) -> ParentStack {
    stack_called(fake, STACK)
}

/// The stack of this ARN.
pub fn stack_called(fake: &FakeAws, arn: &str) -> ParentStack {
    ParentStack::called(fake, CREDENTIAL, arn)
}

/// CloudFormation signs a Delete of the stack's resource.
pub fn request_delete(stack: &mut ParentStack) -> StackRequest {
    let (id, properties) = stack.resource.clone().expect("a resource to delete");
    stack.request("Delete", Some(&id), &properties, None)
}

/// The rotation of its secret.
pub fn rotation(fake: &FakeAws) -> Rotation {
    Rotation::of(fake, SECRET, CREDENTIAL.wire)
}

/// Plays with the stack and the rotation of its secret in a new account.
pub fn in_account<T>(play: impl AsyncFnOnce(&FakeAws, &mut ParentStack, &mut Rotation) -> T) -> T {
    in_account_with(Options::default(), play)
}

/// The same in an account with `options`.
pub fn in_account_with<T>(
    options: Options,
    play: impl AsyncFnOnce(&FakeAws, &mut ParentStack, &mut Rotation) -> T,
) -> T {
    paused(async {
        let fake = fake(options);
        let (mut stack, mut rotation) = (stack(&fake), rotation(&fake));
        let result = play(&fake, &mut stack, &mut rotation).await;
        fake.assert_unbroken();
        result
    })
}

/// Plays with a credential without mirrors, an hour after its Create.
pub fn after_create(play: impl AsyncFnOnce(&FakeAws, &mut ParentStack)) {
    in_account(async |fake, stack, _| {
        stack.create(&login()).await.assert_success();
        tokio::time::sleep(Duration::from_hours(1)).await;
        play(fake, stack).await;
    });
}

/// The credential without mirrors is there.
pub fn holds(fake: &FakeAws) {
    fake.assert_holds(|aws| checks::at_rest(aws, &bare(), false));
}

/// Plays in so many orders at random, each in a new account. A call may be held back up to `holds`
/// times.
pub fn in_orders(
    runs: u64,
    holds: usize,
    play: impl AsyncFn(&FakeAws, &mut ParentStack, &mut Rotation, &Schedule),
) {
    in_orders_with(&Options::default(), (runs, holds), play);
}

/// The same in accounts with `options`.
// Its callers pass closures.
#[allow(clippy::needless_pass_by_value)]
pub fn in_orders_with(
    options: &Options,
    (runs, holds): (u64, usize),
    play: impl AsyncFn(&FakeAws, &mut ParentStack, &mut Rotation, &Schedule),
) {
    sample(runs, holds, async |schedule| {
        let fake = fake(options.clone());
        let (mut stack, mut rotation) = (stack(&fake), rotation(&fake));
        play(&fake, &mut stack, &mut rotation, &schedule).await;
        answers_are_sound(&fake);
        fake.assert_unbroken();
    });
}

/// The default options with this change.
pub fn options(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    change(&mut options);
    options
}

/// IAM's lists, tags and logins are late.
pub fn late() -> Options {
    Options {
        lists_late: Duration::from_secs(4),
        tags_late: Duration::from_secs(3),
        login_late: Duration::from_secs(5),
        ..Options::default()
    }
}

/// The properties that most tests begin with: one project.
pub fn properties() -> Value {
    json!({
        "UserName": USER,
        "GitLab": {"Url": GITLAB, "TokenSecretId": TOKEN},
        "Mirrors": [mirror(PROJECT, REPOSITORY)],
    })
}

/// The same with a GitLab at another address, whose token is in this secret.
pub fn elsewhere(token_secret_id: &str) -> Value {
    let url = format!("https://{REDIRECT_HOST}");
    let gitlab = json!({"Url": url, "TokenSecretId": token_secret_id});
    with(properties(), "GitLab", gitlab)
}

/// A credential without mirrors.
pub fn bare() -> Value {
    json!({"UserName": USER})
}

/// A credential without mirrors whose login must be able to push.
pub fn login() -> Value {
    with(bare(), "RepositoryNames", json!([REPOSITORY]))
}

pub fn mirror(project: &str, repository: &str) -> Value {
    json!({
        "GitLabProject": project, "RepositoryName": repository, "RequiredBranches": ["main"],
    })
}

/// `properties` with one of them changed; null removes it.
pub fn with(mut properties: Value, name: &str, value: Value) -> Value {
    let members = properties.as_object_mut().expect("an object");
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    properties
}

/// A new password, because the template changed.
pub fn serial(properties: &Value, number: u32) -> Value {
    let number = json!(number.to_string());
    with(properties.clone(), "RotationSerial", number)
}

/// With both projects.
pub fn both() -> Value {
    let mirrors = json!([
        mirror(PROJECT, REPOSITORY),
        mirror(OTHER_PROJECT, OTHER_REPOSITORY)
    ]);
    with(properties(), "Mirrors", mirrors)
}

/// Rotates. Returns each call: its step, its index in the step, and whether it changes anything.
pub async fn calls_of_a_rotation(rotation: &mut Rotation) -> Vec<(RotationStep, usize, bool)> {
    let before = rotation.fake.journal().len();
    assert_eq!(rotation.rotate().await, Rotated::Finished);
    let journal = rotation.fake.journal();
    let calls = journal[before..].iter().filter_map(|entry| {
        let mut steps = RotationStep::ALL.into_iter();
        let step = steps.find(|step| entry.caller.contains(&format!(".{step}.")))?;
        Some((step, entry.index, !entry.reads()))
    });
    calls.collect()
}

/// The scheduled health check.
pub async fn check_health(fake: &FakeAws) {
    let request = StackRequest {
        name: "health".to_owned(),
        event: json!({"HealthCheck": {"EnvID": "dev"}}),
        signed_at: fake.now(),
        wire: |_, caller| caller.connector(),
        lifetime: LAMBDA_MAX_LIFETIME,
    };
    let answered = answered_once(fake, "health.1", &request).await.expect("it lives");
    answered.unwrap_or_else(|error| panic!("{error}"));
}
