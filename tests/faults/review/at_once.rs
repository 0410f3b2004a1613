//! Deliveries at once, of one event or of the events of two pushes, and with a health check.

use serde_json::Value;

use crate::checks::{Others, check_harmless, check_note};
use crate::fixture::{
    LOGIN, NOTE_TEXT, Output, changed, check_health, check_health_for_a_day, deliver_once, fake,
    push, pushed, succeed,
};
use fake_aws::explore::orders;
use fake_aws::extent::some_or;
use fake_aws::{
    FakeAws, Fault, FaultKind, Schedule, Schedules, clients::Clients, explore_ends, sample,
};

/// Orders at random, of deliveries with too many calls to try all.
fn samples() -> u64 {
    some_or(80, 3000)
}

async fn succeed_once(fake: &FakeAws, event: &Value, name: &str) {
    let answer = deliver_once(fake, event, name).await.expect("not killed");
    answer.unwrap_or_else(|error| panic!("{error}"));
}

/// After one more health check, exactly one note shows the head's build.
async fn finish(fake: &FakeAws, others: &Others, build: &str, text: &str) {
    check_health(fake, "health check").await;
    check_note(fake, LOGIN.1, build, text);
    check_health_for_a_day(fake).await;
    check_harmless(fake, others);
    check_note(fake, LOGIN.1, build, text);
}

/// A failed build needs no change set, so that all orders of the notes' calls can be tried.
#[test]
fn failed_build_twice_at_once_has_one_note() {
    let limit = some_or(400, 20_000);
    let explored = orders(explore_ends, limit, |schedule: Schedule| async move {
        let fake = fake().await;
        let build = push(&fake, LOGIN, "c1");
        let event = fake.end_build(&build, "FAILED");
        let others = Others::of(&fake);
        fake.obey(&schedule);
        let one = succeed_once(&fake, &event, "one");
        let other = succeed_once(&fake, &event, "other");
        schedule.both(one, other).await;
        check_note(&fake, LOGIN.1, &build, "phase `FAILED`");
        finish(&fake, &others, &build, "phase `FAILED`").await;
    });
    let (runs, all) = (explored.runs, explored.complete);
    fake_aws::figure!("schedules: {runs} orders of a failed build's event twice, all: {all}");
}

#[test]
fn doubled_event_at_once_has_one_note() {
    let runs = sample(samples(), 1, |schedule: Schedule| async move {
        let fake = fake().await;
        let (build, event) = pushed(&fake, LOGIN, "c1");
        let others = Others::of(&fake);
        fake.obey(&schedule);
        // The delivery that the other one disturbs may fail. Lambda repeats it.
        let one = deliver_once(&fake, &event, "one");
        let other = deliver_once(&fake, &event, "other");
        let answers = schedule.both(one, other).await;
        if matches!(answers, (Some(Err(_)), _) | (_, Some(Err(_)))) {
            succeed_once(&fake, &event, "again").await;
        }
        check_note(&fake, LOGIN.1, &build, NOTE_TEXT);
        finish(&fake, &others, &build, NOTE_TEXT).await;
    });
    fake_aws::figure!("schedules: {runs} orders of one event twice");
}

/// The second push happens at any moment of the first review.
async fn push_and_deliver(fake: &FakeAws) -> String {
    let clients = Clients::over(fake.connector("person"));
    let listed = clients.codepipeline.list_pipelines().send().await;
    listed.expect("a moment of the schedule");
    let build = push(fake, LOGIN, "c2");
    let event = succeed(fake, &build, &Output::of(changed()));
    // A failed delivery is left to the health check.
    let _ = deliver_once(fake, &event, "later").await;
    build
}

#[test]
fn push_during_a_review_ends_in_the_heads_note() {
    let runs = sample(samples(), 1, |schedule: Schedule| async move {
        let fake = fake().await;
        let (_, event) = pushed(&fake, LOGIN, "c1");
        let others = Others::of(&fake);
        fake.obey(&schedule);
        let earlier = deliver_once(&fake, &event, "earlier");
        let (_, build) = schedule.both(earlier, push_and_deliver(&fake)).await;
        finish(&fake, &others, &build, NOTE_TEXT).await;
    });
    fake_aws::figure!("schedules: {runs} orders of two pushes");
}

/// Two pushes have happened, and the events of both builds arrive at once.
#[test]
fn events_of_two_builds_at_once_end_in_one_note() {
    let runs = sample(samples(), 1, |schedule: Schedule| async move {
        let fake = fake().await;
        // Both builds are of the head: a person has started the second one again.
        let builds = ["c1", "c1"].map(|commit| push(&fake, LOGIN, commit));
        let event = fake.end_build(&builds[0], "FAILED");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let again = succeed(&fake, &builds[1], &Output::of(changed()));
        let others = Others::of(&fake);
        fake.obey(&schedule);
        let one = deliver_once(&fake, &event, "one");
        let other = deliver_once(&fake, &again, "other");
        let _ = schedule.both(one, other).await;
        finish(&fake, &others, &builds[1], NOTE_TEXT).await;
    });
    fake_aws::figure!("schedules: {runs} orders of two builds of a commit");
}

#[test]
fn health_check_beside_a_review_or_another_has_one_note() {
    for (with_review, what) in [
        (true, "a review and a health check"),
        (false, "two health checks"),
    ] {
        let runs = sample(samples() / 3, 1, async |schedule: Schedule| {
            let fake = fake().await;
            let (build, event) = pushed(&fake, LOGIN, "c1");
            let others = Others::of(&fake);
            fake.obey(&schedule);
            let other = check_health(&fake, "other check");
            if with_review {
                let review = deliver_once(&fake, &event, "review");
                let _ = schedule.both(review, other).await;
            } else {
                schedule.both(check_health(&fake, "one check"), other).await;
            }
            finish(&fake, &others, &build, NOTE_TEXT).await;
        });
        fake_aws::figure!("schedules: {runs} orders of {what}");
    }
}

/// One of two deliveries is killed at any call.
#[test]
fn killed_delivery_beside_another_leaves_one_note() {
    let limit = some_or(60, 20_000);
    let (mut schedules, mut tried) = (Schedules::default(), 0);
    for kind in [FaultKind::KilledBefore, FaultKind::KilledAfter] {
        for at in 0..13 {
            let explored = schedules.run(format!("{kind:?} at {at}"), || {
                orders(explore_ends, limit, |schedule: Schedule| async move {
                    let fake = fake().await;
                    let build = push(&fake, LOGIN, "c1");
                    let event = fake.end_build(&build, "FAILED");
                    let others = Others::of(&fake);
                    fake.inject("one", Fault::at(at, kind));
                    fake.obey(&schedule);
                    let one = deliver_once(&fake, &event, "one");
                    let other = deliver_once(&fake, &event, "other");
                    let _ = schedule.both(one, other).await;
                    finish(&fake, &others, &build, "phase `FAILED`").await;
                })
            });
            tried += explored.map_or(0, |explored| explored.runs);
        }
    }
    schedules.finish();
    fake_aws::figure!("schedules: {tried} orders of a killed delivery beside another one");
}
