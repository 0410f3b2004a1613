//! Approvals by tags in GitLab: events in each order, deliveries at once, changes and faults at
//! each call. Exactly the request whose tag was created is approved, at most once.

use std::sync::{Arc, Mutex};

use crate::approvals::{pipeline, waiting};
use crate::fixture::{SHOP, check_health, deliver, event, fake};
use crate::gitlab_approvals::{
    ANN, BOB, RUN, SUBJECT, Scene, delete, in_scene, request, tag_event,
};
use crate::steps::ReportWord;
use fake_aws::schedules::{Moment, SingleFault};
use fake_aws::{Caller, FakeAws, Schedule, Schedules, sample};
use test_support::custom_resource::{answered_once, deliver_both};

/// Orders at random of each pair of deliveries.
const SAMPLES: u64 = 24;

#[test]
fn lost_doubled_and_reversed_events_end_in_one_approval() {
    let mut schedules = Schedules::default();
    // Three of: the event of the request, that of the tag, and a health check. The tag is created
    // before one of them.
    for number in 0..27 * 4 {
        let (created, order) = (number % 4, [number / 36, number / 12 % 3, number / 4 % 3]);
        schedules.run(format!("{order:?}, created before {created}"), || {
            in_scene(async |scene| {
                for (at, call) in order.into_iter().chain([2, 2]).enumerate() {
                    if at == created {
                        scene.tag(ANN, &scene.deploy);
                    }
                    let name = format!("call-{at}");
                    match call {
                        0 => deliver(&scene.fake, SHOP, SUBJECT, &name).await,
                        1 => scene.tell(&scene.deploy, &name).await,
                        _ => drop(check_health(&scene.fake).await),
                    }
                }
                scene.assert_decided(&scene.deploy);
                assert_eq!(scene.fake.count("PutApprovalResult"), 1);
            });
        });
    }
    schedules.report("orders of events of tags");
}

/// Two events of tags at once, or an event and the report of the request.
#[test]
fn deliveries_at_once_end_in_one_answer() {
    let mut orders = 0;
    for (rejects, with_report) in [(false, false), (false, true), (true, false), (true, true)] {
        orders += sample(SAMPLES, 0, async |schedule: Schedule| {
            let scene = Scene::begin(&fake(&[SHOP]).await).await;
            let fake = &scene.fake;
            let mut decisive = &scene.deploy;
            if rejects {
                scene.tag(BOB, decisive);
                decisive = &scene.reject;
            }
            scene.tag(ANN, decisive);
            let first = tag_event(fake, &scene.deploy, "first");
            let second = if with_report {
                event(fake, SHOP, SUBJECT, "second")
            } else {
                tag_event(fake, decisive, "second")
            };
            deliver_both(fake, &schedule, ("first", &first), ("second", &second)).await;
            scene.assert_decided(decisive);
            fake.assert_unbroken();
        });
    }
    fake_aws::figure!("schedules: {orders} orders of two deliveries about tags");
}

/// Actions of other people or CodePipeline during a delivery.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    /// Bob rejects.
    Rejected,
    /// Ann deletes the tag.
    Deleted,
    /// The execution is stopped and abandoned.
    Stopped,
    /// The next execution waits, with another change set.
    Superseded,
    /// The approval was rejected in AWS, and the stage was retried.
    Retried,
}
use Change::{Deleted, Rejected, Retried, Stopped, Superseded};

fn happen(change: Change, scene: &Scene) {
    let steps: &[ReportWord] = match change {
        Rejected => return scene.tag(BOB, &scene.reject),
        Deleted => return scene.fake.change(|aws| delete(aws, ANN, &scene.deploy)),
        // The request has ended.
        _ if scene.answer().is_some() => return,
        Stopped => &[ReportWord::End(RUN, "Stopped")],
        Superseded => &[
            ReportWord::End(RUN, "Stopped"),
            ReportWord::Source("run-2", 1),
            ReportWord::Request("run-2"),
        ],
        Retried => &[ReportWord::Reject(RUN), ReportWord::Request(RUN)],
    };
    for step in steps {
        step.take_at_once(&scene.fake, SHOP);
    }
    scene.fake.change(|aws| {
        request(aws, "token-2");
        if change == Stopped {
            pipeline(aws).running.clear();
        }
    });
}

/// Delivers the tag's event, and the change happens at this moment. Returns whether the delivery
/// has such a call.
fn play(change: Change, moment: Moment) -> bool {
    let is_delivery = |_: &FakeAws, caller: &Caller| caller.name() == "tag.1";
    let shared: Arc<Mutex<Option<Scene>>> = Arc::default();
    // Whether the request had ended, and the number of tags that had been read.
    let before = Arc::new(Mutex::new((false, 0)));
    let (of_change, seen_before) = (Arc::clone(&shared), Arc::clone(&before));
    let at_moment = move |fake: &FakeAws| {
        let scene = of_change.lock().expect("no panic");
        let scene = scene.as_ref().expect("a scene");
        let read = fake.count("GitLab.GetTag");
        *seen_before.lock().expect("no panic") = (scene.answer().is_some(), read);
        happen(change, scene);
    };
    let calls = moment.play(is_delivery, at_moment, async |seen| {
        let scene = Scene::begin(&fake(&[SHOP]).await).await;
        scene.tag(ANN, &scene.deploy);
        let (fake, deploy) = (scene.fake.clone(), scene.deploy.clone());
        *shared.lock().expect("no panic") = Some(scene);
        let event = tag_event(&fake, &deploy, "tag.1");
        let _ = answered_once(&fake, "tag.1", &event).await;
        if seen.calls() > moment.call {
            let scene = shared.lock().expect("no panic").take().expect("a scene");
            let (had_ended, tags_read) = *before.lock().expect("no panic");
            check(change, &scene, had_ended, tags_read).await;
        }
    });
    calls > moment.call
}

async fn check(change: Change, scene: &Scene, had_ended: bool, tags_read: usize) {
    let fake = &scene.fake;
    let status = || scene.answer().map(|(status, _)| status);
    // Both tags and the next two are read. Before the answer, both are read again.
    if matches!(change, Rejected | Deleted) && !had_ended && tags_read <= 4 {
        assert_ne!(status(), Some("Succeeded"), "{change:?} was overlooked");
    }
    check_health(fake).await;
    match change {
        Rejected => assert!(status().is_some(), "nothing was decided"),
        Deleted => {}
        _ if had_ended => scene.assert_decided(&scene.deploy),
        Stopped => assert_eq!(status(), Some("Abandoned")),
        Superseded | Retried => {
            let expected = (change == Superseded).then_some("Abandoned");
            assert_eq!((waiting(fake), status()), (Some("token-2"), expected));
        }
    }
    fake.assert_unbroken();
}

// claim: change-at-each-call-approves-no-other-request
#[test]
fn change_at_each_call_approves_no_other_request() {
    let mut schedules = Schedules::default();
    for change in [Rejected, Deleted, Stopped, Superseded, Retried] {
        for is_after in [false, true] {
            let moment = |call| Moment { call, is_after };
            let name = |call| format!("{change:?} at {:?}", moment(call));
            schedules.each_call(name, |call| play(change, moment(call)));
        }
    }
    let schedules = schedules.report("changes while a tag approves");
    assert!(schedules > 150);
}

/// Each fault at a call of a delivery that approves.
fn faults() -> Vec<SingleFault> {
    let journal = in_scene(async |scene| {
        scene.tag(ANN, &scene.deploy);
        scene.tell(&scene.deploy, "tag").await;
        scene.fake.journal_of("tag.1")
    });
    let faults = journal.iter().flat_map(SingleFault::each_different);
    faults.collect()
}

#[test]
fn single_fault_ends_in_one_approval_by_the_tag() {
    let mut schedules = Schedules::default();
    schedules.single_faults(faults(), SingleFault::to_string, |faults| {
        in_scene(async |scene| {
            scene.tag(ANN, &scene.deploy);
            for fault in faults {
                fault.inject(&scene.fake);
            }
            scene.tell(&scene.deploy, "tag").await;
            check_health(&scene.fake).await;
            scene.assert_decided(&scene.deploy);
            scene.fake.clone()
        })
    });
    let schedules = schedules.report("single faults while a tag approves");
    assert!(schedules > 50);
}
