//! Every order, loss and duplication of events.
//!
//! An event only reports that its execution changed: the function reads the execution itself. So an
//! order of late, lost and repeated events is the set of the moments at which one is delivered, and
//! all these sets are all orders. The execution that an event names is the one that changed last.

use crate::fixture::{SHOP, deliver_once, in_account};
use crate::scenarios::{Scenario, event, scenarios, take};
use fake_aws::{FakeAws, Schedules};

/// Of stories with more moments, every set of the last ones is tried, and no event before.
const MAX_MOMENTS: usize = 6;

/// Plays the story, and delivers an event at the moments in `delivered`. The second delivery of each
/// has nothing to post.
async fn play(fake: &FakeAws, scenario: &Scenario, delivered: u32) {
    let earlier = scenario.events().count().saturating_sub(MAX_MOMENTS);
    let mut moment = 0;
    for action in &scenario.actions {
        take(action, fake, SHOP).await;
        let Some(event) = event(action) else {
            continue;
        };
        let is_delivered = moment >= earlier && delivered >> (moment - earlier) & 1 == 1;
        moment += 1;
        if !is_delivered {
            continue;
        }
        deliver_once(fake, SHOP, event, &format!("event-{moment}")).await;
        let again = format!("event-{moment}-again");
        let posted = deliver_once(fake, SHOP, event, &again).await;
        assert_eq!(posted, 0, "posted again");
    }
}

#[test]
fn lost_late_and_repeated_events_end_in_the_last_state() {
    let mut schedules = Schedules::one_in(6);
    for scenario in scenarios() {
        let moments = scenario.events().count().min(MAX_MOMENTS);
        for delivered in 0..1_u32 << moments {
            schedules.run(format!("{}: {delivered:b}", scenario.name()), || {
                in_account(async |fake| {
                    play(fake, scenario, delivered).await;
                    scenario.ends_without_events(fake).await;
                });
            });
        }
    }
    let schedules = schedules.report("sets of delivered events");
    assert!(schedules > 500);
}
