//! Stacks with a credential, and checks of the resources that a request left unchanged.

use std::time::Duration;

use serde_json::Value;

use crate::checks::one_live_login;
use crate::cloudformation::{ParentStack, stack};
use crate::{USER, fake, properties};
use fake_aws::explore::paused;
use fake_aws::iam::User;
use fake_aws::{FakeAws, Options};

/// The secret of [`USER`].
pub const NAME: &str = "codecommit-mirror/user-dev-codecommit-mirroring";

/// The tag of a Delete that overtook its Create.
pub const TOMBSTONE: &str = "cfn-gitops:deletion";

/// The ARN of another stack.
pub const OTHER_STACK: &str = "arn:aws:cloudformation:eu-central-1:123456789012:stack/other/6f3b2c10-0000-11f0-8000-0a0000000000";

/// Plays with the stack in a new account.
pub fn in_account<T>(play: impl AsyncFnOnce(&FakeAws, &mut ParentStack) -> T) -> T {
    in_account_with(Options::default(), play)
}

/// The same in an account with `options`.
pub fn in_account_with<T>(
    options: Options,
    play: impl AsyncFnOnce(&FakeAws, &mut ParentStack) -> T,
) -> T {
    paused(async {
        let fake = fake(options);
        let mut stack = stack(&fake);
        let result = play(&fake, &mut stack).await;
        fake.assert_unbroken();
        result
    })
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

/// Plays an hour after the Create.
pub fn after_create(play: impl AsyncFnOnce(&FakeAws, &mut ParentStack)) {
    in_account(async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        tokio::time::sleep(Duration::from_hours(1)).await;
        play(fake, stack).await;
    });
}

/// Creates, and expects a rejection with these parts in its reason, which changed nothing.
pub async fn assert_rejected(
    fake: &FakeAws,
    stack: &mut ParentStack,
    properties: &Value,
    says: &[&str],
) {
    let before = state(fake);
    let answer = stack.create(properties).await;
    answer.assert_reason(says);
    assert_eq!(state(fake), before, "something was touched");
    fake.assert_unbroken();
}

/// Everything that a request could change. On a user that no resource owns, the Delete of a
/// rejected Create may leave its tombstone.
pub fn state(fake: &FakeAws) -> String {
    fake.look(|aws| {
        let mut iam = aws.iam.latest().clone();
        for user in iam.users.values_mut().filter(|user| !is_owned(user)) {
            user.tags.remove(TOMBSTONE);
        }
        format!("{iam:?} {:?}", aws.secrets)
    })
}

fn is_owned(user: &User) -> bool {
    user.tags.contains_key("cfn-gitops:stack-id")
}

pub fn holds(fake: &FakeAws) {
    fake.assert_holds(|aws| one_live_login(aws, NAME, USER));
}
