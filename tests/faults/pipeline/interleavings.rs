//! Two deliveries at once: in every order of the calls that they make at the same time, and in
//! many orders at random in which one also waits for the other.
//!
//! Orders that differ only by swapping reads which cannot see each other's neighbours are tried
//! once.

use std::time::Duration;

use crate::checks::{assert_nothing_remains, assert_runs, delete_completely};
use crate::fixture::{
    BRANCH, CHILD, REPOSITORY, account, changed, event, properties, pushed, ruled,
};
use fake_aws::explore::orders;
use fake_aws::{FakeAws, Options, Schedule, SeenTokens, explore_reduced, sample};
use test_support::custom_resource::{
    INVENTED_ID, ParentStack, StackRequest, answers_are_sound, deliver_once,
};

/// More runs than the explorations of whole orders need.
const LIMIT: usize = 5_000;

/// Runs at random, beside.
const SAMPLES: u64 = 60;

/// How often in such a run a call may be held back until the other delivery has woken from a
/// pause.
const HOLDS: usize = 4;

/// Runs `run` in every order, and then in some at random, where the product's own pauses differ
/// from run to run too.
// Its callers pass closures.
#[allow(clippy::needless_pass_by_value)]
pub fn in_any_order(what: &str, run: impl AsyncFn(&Schedule)) {
    let run = async |schedule: Schedule| {
        fastrand::seed(schedule.seed());
        run(&schedule).await;
    };
    let explored = orders(explore_reduced, LIMIT, &run);
    let at_random = sample(SAMPLES, HOLDS, &run);
    fake_aws::figure!(
        "schedules: {} interleavings of {what} ({} more were the same as one of these), and \
         {at_random} at random",
        explored.runs,
        explored.repeated
    );
    assert!(explored.complete, "{what}: not every order was tried");
}

/// The same with the project's stack in a new account.
// Its callers pass closures.
#[allow(clippy::needless_pass_by_value)]
fn with_stack(
    what: &str,
    options: &Options,
    run: impl AsyncFn(&FakeAws, &mut ParentStack, &Schedule),
) {
    in_any_order(what, async |schedule| {
        let (fake, mut stack) = account(options.clone());
        run(&fake, &mut stack, schedule).await;
        answers_are_sound(&fake);
        fake.assert_unbroken();
    });
}

fn prompt() -> Options {
    Options {
        resource_takes: Duration::from_millis(300),
        ..Options::default()
    }
}

fn refusing() -> Options {
    Options {
        seen_tokens: SeenTokens::Refused,
        parameters_alone_are_updates: true,
        ..prompt()
    }
}

/// Delivers two requests at once. In a run at random, the second one begins at any time while the
/// first one runs.
pub async fn deliver_both(
    fake: &FakeAws,
    schedule: &Schedule,
    (one, first): (&str, &StackRequest),
    (other, second): (&str, &StackRequest),
) {
    fake.obey(schedule);
    let later = async {
        tokio::time::sleep(Duration::from_millis(schedule.seed() * 570 % 9_000)).await;
        deliver_once(fake, other, second).await
    };
    schedule.both(deliver_once(fake, one, first), later).await;
}

/// A Create that CloudFormation cancels: its Delete has a generated ID and may come first,
/// last, or in between. In every order nothing remains, even after the Create is delivered again.
#[test]
fn superseding_delete_leaves_nothing_in_any_order() {
    for (what, options, wanted) in [
        ("a Create", prompt(), properties()),
        ("a Create with an approval rule", refusing(), ruled()),
    ] {
        let what = format!("{what} and the Delete that overtakes it");
        with_stack(&what, &options, async |fake, stack, schedule| {
            let create = stack.request("Create", None, &wanted, None);
            let delete = stack.request("Delete", Some(INVENTED_ID), &wanted, None);
            deliver_both(fake, schedule, ("create", &create), ("delete", &delete)).await;
            stack.heard(&delete).await.assert_success();
            assert_nothing_remains(fake);
            // Lambda delivers the Create again.
            deliver_once(fake, "create again", &create).await;
            assert_nothing_remains(fake);
        });
    }
}

/// Two copies of one request: both answer the same, and it ends as one would have.
fn two_copies(what: &str, options: &Options, request_type: &str) {
    with_stack(what, options, async |fake, stack, schedule| {
        if request_type != "Create" {
            created(stack).await;
        }
        let request = match request_type {
            "Create" => stack.request("Create", None, &ruled(), None),
            "Update" => stack.request_update(&changed(ruled())),
            _ => stack.request("Delete", Some(CHILD), &changed(ruled()), None),
        };
        let operations = fake.count("CreateStack") + fake.count("UpdateStack");
        deliver_both(fake, schedule, ("one", &request), ("other", &request)).await;
        stack.heard(&request).await.assert_success();
        let answers = request.responses(fake);
        assert_eq!(answers.len(), 2, "each delivery answers");
        assert_eq!(answers[0].json(), answers[1].json());
        let begins = |status: &&str| ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"].contains(status);
        let began = fake.look(|aws| {
            let stacks = aws.stacks.all.values();
            stacks.flat_map(|stack| stack.course()).filter(begins).count()
        });
        let expected = match request_type {
            "Create" => 1,
            "Update" => operations + 1,
            _ => operations,
        };
        // The stacks of others begin nothing.
        assert_eq!(began, expected, "operations");
        if request_type != "Delete" {
            stack.resource = Some((CHILD.to_owned(), changed(ruled())));
            stack.delete().await.assert_success();
        }
        assert_nothing_remains(fake);
    });
}

/// Creates the project, a minute ago.
async fn created(stack: &mut ParentStack) {
    stack.create(&properties()).await.assert_success();
    tokio::time::sleep(Duration::from_mins(1)).await;
}

#[test]
fn two_copies_of_one_create_end_as_one_in_any_order() {
    two_copies("two copies of one Create", &prompt(), "Create");
    let what = "two copies of one Create, tokens refused";
    two_copies(what, &refusing(), "Create");
}

#[test]
fn two_copies_of_one_change_end_as_one_in_any_order() {
    two_copies("two copies of one Update", &prompt(), "Update");
    two_copies("two copies of one Delete", &refusing(), "Delete");
}

/// The first push, as EventBridge's event.
fn first_push(fake: &FakeAws) -> StackRequest {
    let event = event(&fake.push(REPOSITORY, BRANCH, "commit-1"));
    pushed(fake, "push", event)
}

/// A first push that comes twice, or that meets an Update.
#[test]
fn first_push_starts_one_run_in_any_order() {
    for (what, is_update) in [
        ("two copies of a first push", false),
        ("a first push and an Update", true),
    ] {
        with_stack(what, &prompt(), async |fake, stack, schedule| {
            created(stack).await;
            let push = first_push(fake);
            let wanted = changed(properties());
            let other = if is_update {
                stack.request_update(&wanted)
            } else {
                push.clone()
            };
            deliver_both(fake, schedule, ("push", &push), ("zother", &other)).await;
            // Lambda retries a failed invocation.
            deliver_once(fake, "push again", &push).await;
            if is_update {
                stack.heard(&other).await.assert_success();
                stack.resource = Some((CHILD.to_owned(), wanted));
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert_runs(fake, &[("commit-1", 1)]);
            delete_completely(stack).await;
        });
    }
}

/// A first push while the resource is deleted.
#[test]
fn first_push_and_a_delete_leave_nothing_in_any_order() {
    let what = "a first push and a Delete";
    with_stack(what, &prompt(), async |fake, stack, schedule| {
        created(stack).await;
        let push = first_push(fake);
        let delete = stack.request("Delete", Some(CHILD), &properties(), None);
        deliver_both(fake, schedule, ("push", &push), ("zdelete", &delete)).await;
        deliver_once(fake, "push again", &push).await;
        stack.heard(&delete).await.assert_success();
        assert_nothing_remains(fake);
    });
}
