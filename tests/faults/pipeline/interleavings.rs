//! Two deliveries at once: in every order of the calls that they make at the same time, and in
//! many orders at random in which one also waits for the other.
//!
//! Orders that differ only by swapping reads which cannot see each other's neighbours are tried
//! once.

use std::future::Future;
use std::time::Duration;

use serde_json::Value;

use crate::checks::{assert_nothing_remains, assert_runs, delete_completely, watch};
use crate::fixture::{
    BRANCH, CHILD, REPOSITORY, changed, event, fake, properties, pushed, ruled, stack,
};
use fake_aws::custom_resource::{INVENTED_ID, answers_are_sound, deliver_once};
use fake_aws::extent::orders;
use fake_aws::{Options, Schedule, SeenTokens, explore_reduced, sample};

/// More runs than the explorations of whole orders need.
const LIMIT: usize = 5_000;

/// Runs at random, beside.
const SAMPLES: u64 = 60;

/// How often in such a run a call may be held back until the other delivery has woken from a
/// pause.
const HOLDS: usize = 4;

/// Runs `run` in every order, and then in some at random, where the product's own pauses differ
/// from run to run too.
fn in_any_order<R: Future<Output = ()>>(what: &str, mut run: impl FnMut(Schedule) -> R) {
    let explored = orders(explore_reduced, LIMIT, &mut run);
    let at_random = sample(SAMPLES, HOLDS, &mut run);
    fake_aws::figure!(
        "schedules: {} interleavings of {what} ({} more were the same as one of these), and \
         {at_random} at random",
        explored.runs,
        explored.repeated
    );
    assert!(explored.complete, "{what}: not every order was tried");
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

/// In a run at random the second delivery begins at any time while the first one runs.
async fn later<T>(schedule: &Schedule, work: impl Future<Output = T>) -> T {
    tokio::time::sleep(Duration::from_millis(schedule.seed() * 570 % 9_000)).await;
    work.await
}

/// A Create that CloudFormation cancels: its Delete has a generated ID and may come first,
/// last, or in between. In every order nothing remains, also after the Create is delivered again.
fn delete_overtakes_create(what: &str, options: &Options, wanted: &Value) {
    in_any_order(what, |schedule| {
        let (options, wanted) = (options.clone(), wanted.clone());
        async move {
            fastrand::seed(schedule.seed());
            let fake = fake(options);
            watch(&fake, 1, &[]);
            let mut stack = stack(&fake);
            let create = stack.request("Create", None, &wanted, None);
            let delete = stack.request("Delete", Some(INVENTED_ID), &wanted, None);
            fake.obey(&schedule);
            let (creating, deleting) = (fake.caller("create"), fake.caller("delete"));
            schedule
                .both(
                    deliver_once(&fake, &creating, &create),
                    later(&schedule, deliver_once(&fake, &deleting, &delete)),
                )
                .await;
            let deleted = stack.heard(&delete).await;
            assert!(deleted.is_success(), "{deleted:?}\n{}", fake.transcript());
            assert_nothing_remains(&fake);
            // Lambda delivers the Create again.
            deliver_once(&fake, &fake.caller("create again"), &create).await;
            assert_nothing_remains(&fake);
            answers_are_sound(&fake);
            fake.assert_unbroken();
        }
    });
}

#[test]
fn superseding_delete_leaves_nothing_in_any_order() {
    let what = "a Create and the Delete that overtakes it";
    delete_overtakes_create(what, &prompt(), &properties());
}

#[test]
fn overtaking_delete_leaves_no_approval_rule_in_any_order() {
    let what = "a Create with an approval rule and the Delete that overtakes it";
    delete_overtakes_create(what, &refusing(), &ruled());
}

/// Two copies of one request: both answer the same, and it ends as one would have.
fn two_copies(what: &str, options: &Options, request_type: &'static str) {
    in_any_order(what, |schedule| {
        let options = options.clone();
        async move {
            fastrand::seed(schedule.seed());
            let fake = fake(options);
            watch(&fake, 1, &[]);
            let mut stack = stack(&fake);
            let request = if request_type == "Create" {
                stack.request("Create", None, &ruled(), None)
            } else {
                let created = stack.create(&properties()).await;
                assert!(created.is_success(), "{created:?}");
                tokio::time::sleep(Duration::from_secs(60)).await;
                let (id, old) = stack.resource.clone().expect("created");
                let wanted = changed(ruled());
                let old = (request_type == "Update").then_some(old);
                stack.request(request_type, Some(&id), &wanted, old.as_ref())
            };
            let operations = fake.count("CreateStack") + fake.count("UpdateStack");
            fake.obey(&schedule);
            let (one, other) = (fake.caller("one"), fake.caller("other"));
            schedule
                .both(
                    deliver_once(&fake, &one, &request),
                    later(&schedule, deliver_once(&fake, &other, &request)),
                )
                .await;
            let heard = stack.heard(&request).await;
            assert!(heard.is_success(), "{heard:?}\n{}", fake.transcript());
            let url = request.event["ResponseURL"].as_str().expect("an address");
            let mut answers = fake.responses();
            answers.retain(|delivery| delivery.url == url);
            assert_eq!(answers.len(), 2, "each delivery answers");
            assert!(
                answers
                    .iter()
                    .all(|answer| answer.json() == answers[0].json()),
                "{}",
                fake.transcript()
            );
            let began = fake.look(|aws| {
                let stacks = aws.stacks.all.values();
                let events = stacks.flat_map(|stack| stack.course());
                events
                    .filter(|status| ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"].contains(status))
                    .count()
            });
            let expected = match request_type {
                "Create" => 1,
                "Update" => operations + 1,
                _ => operations,
            };
            // The stacks of others begin nothing.
            assert_eq!(began, expected, "operations\n{}", fake.transcript());
            if request_type != "Delete" {
                stack.resource = Some((CHILD.to_owned(), changed(ruled())));
                let deleted = stack.delete().await;
                assert!(deleted.is_success(), "{deleted:?}\n{}", fake.transcript());
            }
            assert_nothing_remains(&fake);
            answers_are_sound(&fake);
            fake.assert_unbroken();
        }
    });
}

#[test]
fn two_copies_of_one_create_end_as_one_in_any_order() {
    two_copies("two copies of one Create", &prompt(), "Create");
}

#[test]
fn two_copies_of_one_create_end_as_one_with_rejected_tokens() {
    let what = "two copies of one Create, tokens refused";
    two_copies(what, &refusing(), "Create");
}

#[test]
fn two_copies_of_one_update_end_as_one_in_any_order() {
    two_copies("two copies of one Update", &prompt(), "Update");
}

#[test]
fn two_copies_of_one_delete_end_as_one_in_any_order() {
    two_copies("two copies of one Delete", &refusing(), "Delete");
}

/// A first push that meets an Update, or that comes twice.
fn first_push_meets(what: &str, other_is_update: bool) {
    in_any_order(what, |schedule| async move {
        fastrand::seed(schedule.seed());
        let fake = fake(prompt());
        watch(&fake, 1, &[]);
        let mut stack = stack(&fake);
        let created = stack.create(&properties()).await;
        assert!(created.is_success(), "{created:?}");
        tokio::time::sleep(Duration::from_secs(60)).await;
        let event = event(&fake.push(REPOSITORY, BRANCH, "commit-1"));
        let push = pushed(&fake, "push", event);
        let other = if other_is_update {
            let (id, old) = stack.resource.clone().expect("created");
            stack.request("Update", Some(&id), &changed(properties()), Some(&old))
        } else {
            push.clone()
        };
        fake.obey(&schedule);
        let (one, another) = (fake.caller("push"), fake.caller("zother"));
        schedule
            .both(
                deliver_once(&fake, &one, &push),
                later(&schedule, deliver_once(&fake, &another, &other)),
            )
            .await;
        // Lambda retries a failed invocation.
        deliver_once(&fake, &fake.caller("push again"), &push).await;
        if other_is_update {
            let heard = stack.heard(&other).await;
            assert!(heard.is_success(), "{heard:?}\n{}", fake.transcript());
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_runs(&fake, &[("commit-1", 1)]);
        let wanted = if other_is_update {
            changed(properties())
        } else {
            properties()
        };
        stack.resource = Some((CHILD.to_owned(), wanted));
        delete_completely(&mut stack).await;
    });
}

#[test]
fn two_copies_of_a_first_push_start_one_run_in_any_order() {
    first_push_meets("two copies of a first push", false);
}

#[test]
fn first_push_and_an_update_both_take_place_in_any_order() {
    first_push_meets("a first push and an Update", true);
}

/// A first push while the resource is deleted.
#[test]
fn first_push_and_a_delete_leave_nothing_in_any_order() {
    in_any_order("a first push and a Delete", |schedule| async move {
        fastrand::seed(schedule.seed());
        let fake = fake(prompt());
        watch(&fake, 1, &[]);
        let mut stack = stack(&fake);
        let created = stack.create(&properties()).await;
        assert!(created.is_success(), "{created:?}");
        tokio::time::sleep(Duration::from_secs(60)).await;
        let event = event(&fake.push(REPOSITORY, BRANCH, "commit-1"));
        let push = pushed(&fake, "push", event);
        let delete = stack.request("Delete", Some(CHILD), &properties(), None);
        fake.obey(&schedule);
        let (one, another) = (fake.caller("push"), fake.caller("zdelete"));
        schedule
            .both(
                deliver_once(&fake, &one, &push),
                later(&schedule, deliver_once(&fake, &another, &delete)),
            )
            .await;
        deliver_once(&fake, &fake.caller("push again"), &push).await;
        let deleted = stack.heard(&delete).await;
        assert!(deleted.is_success(), "{deleted:?}\n{}", fake.transcript());
        assert_nothing_remains(&fake);
        fake.assert_unbroken();
    });
}
