//! Every order, loss and duplication of events.
//!
//! An event only reports that its execution changed: the function reads the execution itself. So an
//! order of late, lost and repeated events is the set of the moments at which one is delivered, and
//! all these sets are all orders. The execution that an event names is the one that changed last.

use crate::approvals::statuses;
use crate::checks::check;
use crate::fixture::{SHOP, catch_up, deliver, deliver_once, in_account};
use crate::scripts::{Script, Step, scripts};
use fake_aws::{FakeAws, Schedules};

/// Of scripts with more moments, every set of the last ones is tried, and no event before.
const MAX_MOMENTS: usize = 6;

/// Plays the script, and delivers an event at the moments in `delivered`. The second delivery of
/// each has nothing to post.
async fn play(fake: &FakeAws, script: &Script, delivered: u32) {
    let with_event = |step: &&Step| step.has_event();
    let moments = script.steps.iter().filter(with_event).count();
    let earlier = moments.saturating_sub(MAX_MOMENTS);
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

/// After a health check GitLab is right, and a second one has nothing to post.
async fn finish(fake: &FakeAws, script: &Script) {
    catch_up(fake, SHOP, "health check").await;
    check(fake, SHOP, &script.expected);
    let posted = catch_up(fake, SHOP, "second health check").await;
    assert_eq!(posted, 0, "posted again");
    check(fake, SHOP, &script.expected);
}

#[test]
fn lost_late_and_repeated_events_end_in_the_last_state() {
    let mut schedules = Schedules::default();
    for script in scripts() {
        let moments = script.steps.iter().filter(|step| step.has_event()).count();
        for delivered in 0..1_u32 << moments.min(MAX_MOMENTS) {
            schedules.run(format!("{}: {delivered:b}", script.name), || {
                in_account(async |fake| {
                    play(fake, &script, delivered).await;
                    finish(fake, &script).await;
                });
            });
        }
    }
    let schedules = schedules.report("sets of delivered events");
    assert!(schedules > 500);
}

/// Without any loss, the health check posts only what no event is about.
#[test]
fn delivered_events_leave_the_health_check_nothing_to_post() {
    for script in scripts() {
        in_account(async |fake| {
            script.play(fake).await;
            if script.left == 0 {
                check(fake, SHOP, &script.expected);
            }
            let posted = catch_up(fake, SHOP, "health check").await;
            assert_eq!(posted, script.left, "{}", script.name);
        });
    }
}

/// CloudFormation has removed the change set, and *Retry failed actions* creates none.
#[test]
fn retry_of_failed_actions_is_shown_with_its_remedy() {
    const GONE: &str = "ChangeSet [changeset-dev-shop] does not exist (Service: AmazonCloudFormation; \
        Status Code: 404; Error Code: ChangeSetNotFound; Request ID: 1; Proxy: null)";
    in_account(async |fake| {
        let first = [
            Step::Source("e1", 0),
            Step::Wait("e1"),
            Step::Approve("e1"),
            Step::Deployed("e1", Some("Table already exists")),
            Step::End("e1", "Failed"),
        ];
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
