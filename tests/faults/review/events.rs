//! Every order, repetition and loss of the events of several pushes.

use std::time::Duration;

use serde_json::Value;

use crate::checks::{Others, check_harmless, check_note};
use crate::fixture::{
    CART, LOGIN, NOTE_TEXT, Output, changed, check_health, check_health_for_a_day, deliver_once,
    in_account, push, succeed,
};
use fake_aws::{FakeAws, Schedules};

/// The builds of two pushes of one branch and of one push of another branch, which have ended in
/// this order, and their events.
struct Pushes {
    builds: Vec<String>,
    events: Vec<Value>,
}

impl Pushes {
    async fn of(fake: &FakeAws, ends: [usize; 3]) -> Self {
        let pushes = [(LOGIN, "c1"), (CART, "c2"), (LOGIN, "c3")];
        let builds = pushes.map(|(branch, commit)| push(fake, branch, commit));
        let mut events = vec![Value::Null; builds.len()];
        for at in ends {
            tokio::time::sleep(Duration::from_secs(1)).await;
            events[at] = succeed(fake, &builds[at], &Output::of(changed()));
        }
        let builds = builds.to_vec();
        Pushes { builds, events }
    }

    fn check(&self, fake: &FakeAws, others: &Others) {
        check_harmless(fake, others);
        check_note(fake, LOGIN.1, &self.builds[2], NOTE_TEXT);
        check_note(fake, CART.1, &self.builds[1], NOTE_TEXT);
    }
}

/// All orders of three events.
const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

async fn deliver(fake: &FakeAws, event: &Value, name: &str) {
    let answer = deliver_once(fake, event, name).await;
    answer.expect("not killed").expect("a review");
}

#[test]
fn events_in_any_order_end_in_the_heads_note() {
    let mut schedules = Schedules::default();
    for order in ORDERS {
        // One event, or none, is delivered again after all.
        for again in [None, Some(0), Some(1), Some(2)] {
            schedules.run(format!("{order:?}, then {again:?}"), || {
                in_account(async |fake| {
                    let pushes = Pushes::of(fake, order).await;
                    let others = Others::of(fake);
                    for at in order.into_iter().chain(again) {
                        deliver(fake, &pushes.events[at], &format!("event-{at}")).await;
                    }
                    // Without the health check.
                    pushes.check(fake, &others);
                    check_health_for_a_day(fake).await;
                    pushes.check(fake, &others);
                });
            });
        }
    }
    schedules.report("orders of the events of three pushes");
}

/// The builds end in any order as well: an old commit's build may take longest.
#[test]
fn lost_events_are_repeated_by_the_health_check() {
    let mut schedules = Schedules::default();
    for ends in ORDERS {
        let delivered = |order: [usize; 3]| (0..order.len()).map(move |number| (order, number));
        for (order, delivered) in ORDERS.into_iter().flat_map(delivered) {
            let name = format!("ended {ends:?}: {delivered} events of {order:?}");
            schedules.run(name, || {
                in_account(async |fake| {
                    let pushes = Pushes::of(fake, ends).await;
                    let others = Others::of(fake);
                    for at in &order[..delivered] {
                        deliver(fake, &pushes.events[*at], &format!("event-{at}")).await;
                    }
                    check_health(fake, "health check").await;
                    pushes.check(fake, &others);
                });
            });
        }
    }
    schedules.report("losses of the events of three pushes");
}
