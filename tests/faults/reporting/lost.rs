//! Each story without one of its events, with health checks alone, and with an event that comes
//! again at the end.

use crate::fixture::{SHOP, catch_up, deliver_once, in_account};
use crate::scenarios::{event, scenarios, take};
use fake_aws::Schedules;

#[test]
fn story_is_reported_whichever_event_is_lost() {
    let mut schedules = Schedules::one_in(6);
    for scenario in scenarios() {
        for lost in scenario.events() {
            let name = format!("{}: without event {lost}", scenario.name());
            schedules.run(name, || {
                in_account(async |fake| {
                    scenario.play_some(fake, 0..lost).await;
                    take(&scenario.actions[lost], fake, SHOP).await;
                    let rest = lost + 1..scenario.actions.len();
                    scenario.play_some(fake, rest).await;
                    scenario.ends_for_good(fake).await;
                });
            });
        }
    }
    schedules.report("stories of which an event is lost");
}

/// A health check at any time, and no event at all.
#[test]
fn story_is_reported_by_the_health_check_alone() {
    let mut schedules = Schedules::one_in(6);
    for scenario in scenarios() {
        for at in 0..scenario.actions.len() {
            let name = format!("{}: a check after action {at}", scenario.name());
            schedules.run(name, || {
                in_account(async |fake| {
                    for (number, action) in scenario.actions.iter().enumerate() {
                        take(action, fake, SHOP).await;
                        if number == at {
                            catch_up(fake, SHOP, "early check").await;
                        }
                    }
                    scenario.ends_without_events(fake).await;
                });
            });
        }
    }
    schedules.report("stories that only health checks report");
}

/// EventBridge delivers each event once more, after everything else.
#[test]
fn late_event_does_not_change_the_end_of_a_story() {
    let mut schedules = Schedules::one_in(6);
    for scenario in scenarios() {
        for late in scenario.events() {
            let name = format!("{}: event {late} again", scenario.name());
            schedules.run(name, || {
                in_account(async |fake| {
                    scenario.play(fake).await;
                    let event = event(&scenario.actions[late]).expect("an event");
                    deliver_once(fake, SHOP, event, "late").await;
                    scenario.ends_for_good(fake).await;
                });
            });
        }
    }
    schedules.report("stories with a repeated event");
}
