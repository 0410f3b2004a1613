//! Two deliveries for a credential without mirrors at once, in every order of their calls.
//!
//! Orders that differ only by swapping reads which cannot see each other's neighbours are tried
//! once.

use std::time::Duration;

use crate::checks::{at_rest, nothing_remains};
use crate::fixture::{SECRET, bare, fake, options, serial, stack};
use fake_aws::explore::orders;
use fake_aws::extent::some_or;
use fake_aws::{Explored, Fault, FaultKind, Options, Schedule, explore_ends, sample};
use test_support::custom_resource::{INVENTED_ID, answers_are_sound, deliver_both, deliver_once};

/// The ID that a first delivery of the Create answered when it failed. CloudFormation invents none
/// then.
const ID_OF_FAILED_CREATE: &str = SECRET;

/// More orders than any of these explorations has.
const MAX_ORDERS: usize = 40_000;

fn prompt() -> Options {
    options(|options| options.plain_passwords = true)
}

fn late() -> Options {
    Options {
        lists_late: Duration::from_secs(4),
        tags_late: Duration::from_secs(3),
        ..prompt()
    }
}

fn report(what: &str, explored: Explored) {
    fake_aws::figure!(
        "schedules: {} interleavings of {what} ({} more were the same as one of these)",
        explored.runs,
        explored.repeated
    );
    assert!(explored.complete, "{what}: not every order was tried");
}

/// A Create and its Delete, which has `id` and may come first, last, or in between. In every
/// order nothing remains, even after the Create is delivered again.
fn delete_overtakes_create(what: &str, options: &Options, id: &str) {
    let explored = orders(explore_ends, MAX_ORDERS, async |schedule| {
        let fake = fake(options.clone());
        let mut stack = stack(&fake);
        let create = stack.request("Create", None, &bare(), None);
        let delete = stack.request("Delete", Some(id), &bare(), None);
        deliver_both(&fake, &schedule, ("create", &create), ("delete", &delete)).await;
        stack.heard(&delete).await.assert_success();
        fake.assert_holds_in("after both", nothing_remains);
        if id != INVENTED_ID {
            // A Delete of existing resources does not wait until IAM shows its tombstone. Lambda
            // waits a minute before it delivers an event again.
            // https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        // Lambda delivers the Create again.
        deliver_once(&fake, "create again", &create).await;
        fake.assert_holds_in("after the Create came again", nothing_remains);
        answers_are_sound(&fake);
        fake.assert_unbroken();
    });
    report(what, explored);
}

#[test]
fn superseding_delete_leaves_nothing_in_any_order() {
    let what = "a Create and the Delete that overtakes it";
    delete_overtakes_create(what, &prompt(), INVENTED_ID);
    let what = "a Create and the Delete that overtakes it, with IAM late";
    delete_overtakes_create(what, &late(), INVENTED_ID);
}

#[test]
fn delete_by_id_overtakes_second_delivery_in_any_order() {
    let what = "a Create's second delivery and the Delete by the ID of its failed first one";
    delete_overtakes_create(what, &prompt(), ID_OF_FAILED_CREATE);
    let what = &format!("{what}, IAM late");
    delete_overtakes_create(what, &late(), ID_OF_FAILED_CREATE);
}

/// Two copies of one request: both answer the same, and it ends as one would have.
async fn two_copies(schedule: Schedule, options: Options, update: bool) {
    let fake = fake(options);
    let mut stack = stack(&fake);
    let request = if update {
        stack.create(&bare()).await.assert_success();
        tokio::time::sleep(Duration::from_secs(60)).await;
        stack.request_update(&serial(&bare(), 2))
    } else {
        stack.request("Create", None, &bare(), None)
    };
    deliver_both(&fake, &schedule, ("one", &request), ("other", &request)).await;
    stack.heard(&request).await.assert_success();
    let answers = request.responses(&fake);
    let mut answers = answers.iter().map(|answer| answer.json());
    let first = answers.next();
    assert!(answers.all(|answer| Some(answer) == first));
    fake.assert_holds_in("after both", |aws| at_rest(aws, &bare(), false));
    stack.resource = Some((SECRET.to_owned(), bare()));
    stack.delete().await.assert_success();
    fake.assert_holds_in("after the Delete", nothing_remains);
    answers_are_sound(&fake);
    fake.assert_unbroken();
}

#[test]
fn two_copies_of_one_create_end_as_one_in_any_order() {
    for (options, what) in [
        (prompt(), "two copies of one Create"),
        (late(), "two copies of one Create, with IAM late"),
    ] {
        let explored = orders(explore_ends, MAX_ORDERS, |schedule| {
            two_copies(schedule, options.clone(), false)
        });
        report(what, explored);
    }
}

#[test]
fn two_copies_of_one_rotation_end_as_one_in_hundreds_of_orders() {
    let runs = sample(some_or(400, 10_000), 0, |schedule| {
        two_copies(schedule, prompt(), true)
    });
    fake_aws::figure!("schedules: {runs} interleavings of two copies of one rotation, at random");
}

/// A Create's second delivery is still running when the Update comes. The Update's first delivery
/// is killed when it has issued a credential, and the second one takes over.
async fn second_delivery_meets_update(schedule: Schedule, options: Options) {
    let fake = fake(options);
    let mut stack = stack(&fake);
    let create = stack.request("Create", None, &bare(), None);
    let rotated = serial(&bare(), 2);
    let issue = "CreateServiceSpecificCredential";
    fake.inject("killed", Fault::on(issue, 0, FaultKind::KilledAfter));
    fake.obey(&schedule);
    let (_, update) = schedule
        .both(deliver_once(&fake, "second", &create), async {
            deliver_once(&fake, "first", &create).await;
            stack.heard(&create).await.assert_success();
            let update = stack.request("Update", Some(SECRET), &rotated, Some(&bare()));
            deliver_once(&fake, "killed", &update).await;
            update
        })
        .await;
    assert_eq!(fake.faults_left(), 0);
    deliver_once(&fake, "takes over", &update).await;
    stack.heard(&update).await.assert_success();
    fake.assert_holds_in("after the Update", |aws| at_rest(aws, &bare(), false));
    answers_are_sound(&fake);
    fake.assert_unbroken();
}

#[test]
fn second_delivery_of_create_keeps_the_updates_intent() {
    let mut runs = 0;
    for options in [prompt(), late()] {
        runs += sample(some_or(200, 20_000), 0, |schedule| {
            second_delivery_meets_update(schedule, options.clone())
        });
    }
    fake_aws::figure!("schedules: {runs} orders of a Create's second delivery and an Update");
}
