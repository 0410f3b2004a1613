//! The deployment of an earlier commit again: GitLab shows it as deployed, even if events are lost,
//! late or repeated.

use crate::fixture::{COMMITS, SHOP, catch_up, deliver_once, in_account, records};
use crate::scripts::Step::{Approve, Deployed, End, Reject, Retry};
use crate::scripts::{Script, Step, waiting};
use fake_aws::{FakeAws, Schedules};

fn deployed(id: &'static str, commit: usize) -> Vec<Step> {
    let approved = [Approve(id), Deployed(id, None), End(id, "Succeeded")];
    [&waiting(id, commit)[..], &approved].concat()
}

/// Both commits are deployed. Then an execution of the first one starts, and takes these steps.
fn script(name: &'static str, steps: &[Step]) -> Script {
    let (good, bad) = (deployed("e1", 0), deployed("e2", 1));
    Script::new(name, &[&good, &bad, &waiting("e3", 0), steps])
}

/// The undos with the present commit of the environment.
fn scripts() -> Vec<(Script, usize)> {
    let (success, failure) = (Some("success"), Some("failed"));
    let (pending, canceled) = (Some("pending"), Some("canceled"));
    let failed = [
        Approve("e3"),
        Deployed("e3", Some("no")),
        End("e3", "Failed"),
    ];
    let succeeded = [Approve("e3"), Deployed("e3", None), End("e3", "Succeeded")];
    let rejected = [Reject("e3"), End("e3", "Failed")];
    let again = [Retry("e3"), Step::Wait("e3")];
    let restored = |script: Script| script.ends_with(0, "e3", "success", success, success);
    vec![
        (restored(script("undone", &succeeded)), 0),
        (
            script("waiting", &[]).ends_with(0, "e3", "running", pending, success),
            1,
        ),
        (
            script("rejected", &rejected).ends_with(0, "e3", "canceled", canceled, success),
            1,
        ),
        (
            script("stopped", &[End("e3", "Stopped")])
                .ends_with(0, "e3", "canceled", canceled, success),
            1,
        ),
        (
            script("canceled by an update", &[End("e3", "Cancelled")])
                .ends_with(0, "e3", "canceled", canceled, success),
            1,
        ),
        (
            script("failed", &failed).ends_with(0, "e3", "failed", success, failure),
            1,
        ),
        (
            restored(script(
                "rejected, then retried",
                &[&rejected[..], &again, &succeeded].concat(),
            )),
            0,
        ),
        (
            script(
                "undone, then deployed again",
                &[&succeeded[..], &deployed("e4", 1)].concat(),
            )
            .ends_with(1, "e4", "success", success, success),
            1,
        ),
    ]
}

/// The commit that GitLab shows as the present deployment of the environment.
fn current(fake: &FakeAws) -> Option<String> {
    let deployments = records(fake).deployments.into_iter().rev();
    let mut successes = deployments.filter(|one| one.state == "success");
    Some(successes.next()?.sha)
}

#[test]
fn undo_is_reported_whichever_event_is_lost() {
    let mut schedules = Schedules::default();
    for (script, present) in scripts() {
        for lost in 0..=script.steps.len() {
            let name = format!("{}: without event {lost}", script.name);
            schedules.run(name, || {
                in_account(async |fake| {
                    script.play_steps(fake, 0..lost).await;
                    if let Some(step) = script.steps.get(lost) {
                        step.take(fake, SHOP).await;
                        script.play_steps(fake, lost + 1..script.steps.len()).await;
                    }
                    script.ends_for_good(fake).await;
                    assert_eq!(current(fake).as_deref(), Some(COMMITS[present]));
                });
            });
        }
    }
    schedules.report("undos of which an event is lost");
}

/// A health check at any time, and no event at all.
#[test]
fn undo_is_reported_by_the_health_check_alone() {
    let mut schedules = Schedules::default();
    for (script, present) in scripts() {
        for at in 0..script.steps.len() {
            let name = format!("{}: a check after step {at}", script.name);
            schedules.run(name, || {
                in_account(async |fake| {
                    for (number, step) in script.steps.iter().enumerate() {
                        step.take(fake, SHOP).await;
                        if number == at {
                            catch_up(fake, SHOP, "early check").await;
                        }
                    }
                    script.ends_for_good(fake).await;
                    let shown = current(fake);
                    // Lost records of the first deployments are not repeated after later ones.
                    let is_known = shown.is_none() || shown.as_deref() == Some(COMMITS[present]);
                    assert!(is_known || present == 1, "{shown:?}");
                });
            });
        }
    }
    schedules.report("undos that only health checks report");
}

/// EventBridge delivers each earlier event once more, after everything else.
#[test]
fn late_events_do_not_change_what_an_undo_shows() {
    let mut schedules = Schedules::default();
    for (script, present) in scripts() {
        for late in 0..script.steps.len() {
            let name = format!("{}: event {late} again", script.name);
            schedules.run(name, || {
                in_account(async |fake| {
                    script.play(fake).await;
                    let step = script.steps[late];
                    if step.has_event() {
                        deliver_once(fake, SHOP, step.subject(), "late").await;
                    }
                    script.ends_for_good(fake).await;
                    assert_eq!(current(fake).as_deref(), Some(COMMITS[present]));
                });
            });
        }
    }
    schedules.report("undos with a repeated event");
}
