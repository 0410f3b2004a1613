//! Every order, loss and duplication of events.
//!
//! An event only reports that its execution changed: the function reads the execution itself. So an
//! order of late, lost and repeated events is the set of the moments at which one is delivered, and
//! all these sets are all orders. The execution that an event names is the one that changed last.

use crate::approvals::statuses;
use crate::fixture::{SHOP, deliver, deliver_once, in_account};
use crate::scripts::{Script, Step, script_of, scripts};
use fake_aws::{FakeAws, Schedules};

/// Of scripts with more moments, every set of the last ones is tried, and no event before.
const MAX_MOMENTS: usize = 6;

fn moments(script: &Script) -> usize {
    let steps = script.steps.iter();
    steps.filter(|step| step.has_event()).count()
}

/// Plays the script, and delivers an event at the moments in `delivered`. The second delivery of
/// each has nothing to post.
async fn play(fake: &FakeAws, script: &Script, delivered: u32) {
    let earlier = moments(script).saturating_sub(MAX_MOMENTS);
    let mut moment = 0;
    for step in &script.steps {
        step.take(fake, SHOP).await;
        if !step.has_event() {
            continue;
        }
        let is_delivered = moment >= earlier && delivered >> (moment - earlier) & 1 == 1;
        moment += 1;
        if !is_delivered {
            continue;
        }
        deliver_once(fake, SHOP, step.subject(), &format!("event-{moment}")).await;
        let again = format!("event-{moment}-again");
        let posted = deliver_once(fake, SHOP, step.subject(), &again).await;
        assert_eq!(posted, 0, "posted again");
    }
}

#[test]
fn lost_late_and_repeated_events_end_in_the_last_state() {
    let mut schedules = Schedules::default();
    for script in scripts() {
        for delivered in 0..1_u32 << moments(&script).min(MAX_MOMENTS) {
            schedules.run(format!("{}: {delivered:b}", script.name), || {
                in_account(async |fake| {
                    play(fake, &script, delivered).await;
                    script.ends_for_good(fake).await;
                });
            });
        }
    }
    let schedules = schedules.report("sets of delivered events");
    assert!(schedules > 500);
}

/// CloudFormation has removed the change set, and *Retry failed actions* creates none.
#[test]
fn retry_of_failed_actions_is_shown_with_its_remedy() {
    const GONE: &str = "ChangeSet [changeset-dev-shop] does not exist (Service: AmazonCloudFormation; \
        Status Code: 404; Error Code: ChangeSetNotFound; Request ID: 1; Proxy: null)";
    in_account(async |fake| {
        let first = script_of("failed deployment").steps;
        let retry = [
            Step::Retry("e1"),
            Step::Deploy("e1"),
            Step::Deployed("e1", Some(GONE)),
            Step::End("e1", "Failed"),
        ];
        // It fails before the event of its start is handled.
        for steps in [&first[..], &retry] {
            for step in steps {
                step.take(fake, SHOP).await;
            }
            for name in ["event", "again"] {
                deliver(fake, SHOP, ("e1", None), name).await;
            }
        }
        assert_eq!(statuses(fake, "/shop").len(), 2);
        let shown = statuses(fake, "/shop").pop().unwrap_or_default();
        assert!(shown.contains("Retry all actions of the stage"), "{shown}");
        assert!(shown.chars().count() < 255, "{shown}");
    });
}
