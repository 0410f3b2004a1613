//! Events that are repeated, late, reordered or interrupted.

use std::time::Duration;

use super::{MATCHING, OTHER, deliver, event_of, running};
use crate::checks::{assert_runs, delete_completely, runs};
use crate::fixture::{PIPELINE, in_project, pushed};
use crate::interleavings::in_any_order;
use fake_aws::{FaultKind, On, Schedules, Service};
use test_support::custom_resource::{deliver_beside, deliver_once};

#[test]
fn repeated_event_starts_once() {
    for later in [0, 30, 3600, 36_000] {
        for files in [MATCHING, OTHER] {
            in_project(running(), async |fake, _| {
                let event = event_of(fake, "commit-2", files);
                let expected: &[(&str, usize)] = if files == MATCHING {
                    &[("commit-1", 1), ("commit-2", 1)]
                } else {
                    &[("commit-1", 1)]
                };
                for time in 0..3 {
                    deliver(fake, &event, &format!("push-{time}")).await;
                    assert_runs(fake, expected);
                    tokio::time::sleep(Duration::from_secs(later)).await;
                }
            });
        }
    }
}

/// Delivers three events in this order, and one of them again: the latest execution that starts has
/// the branch's latest matching commit, and no commit runs twice.
fn in_order(order: [usize; 3], repeated: usize) {
    in_project(running(), async |fake, _| {
        let events = [
            event_of(fake, "commit-2", MATCHING),
            event_of(fake, "commit-3", &[("services/shop/a", "3")]),
            event_of(fake, "commit-4", &[("services/shop/a", "3"), ("b", "1")]),
        ];
        for (index, event) in order.into_iter().chain([repeated]).enumerate() {
            deliver(fake, &events[event], &format!("push-{index}")).await;
        }
        fake.look(|aws| {
            let runs = runs(aws, PIPELINE);
            assert!(runs.values().all(|times| *times == 1), "{runs:?}");
            let latest = aws.pipelines[PIPELINE].executions.last();
            let latest = latest.and_then(|one| one.revision.as_deref());
            // Nothing that matches changed after the third commit.
            let is_right = matches!(latest, Some("commit-3" | "commit-4"));
            assert!(is_right, "{latest:?}");
        });
    });
}

#[test]
fn events_in_any_order_end_with_the_latest_commit() {
    let mut schedules = Schedules::default();
    for first in 0..3 {
        for second in (0..3).filter(|second| *second != first) {
            for repeated in 0..3 {
                let order = [first, second, 3 - first - second];
                schedules.run(format!("{order:?} and {repeated} again"), || {
                    in_order(order, repeated);
                });
            }
        }
    }
    schedules.report("orders of three pushes with Source.Paths");
}

#[test]
fn event_twice_at_once_starts_once_in_any_order() {
    let what = "a push with Source.Paths delivered twice";
    in_any_order(what, async |schedule| {
        let (fake, mut stack) = running().await;
        fake.obey(schedule);
        let event = event_of(&fake, "commit-2", MATCHING);
        let [one, other] = ["one", "other"].map(|name| pushed(&fake, name, event.clone()));
        let later = async {
            tokio::time::sleep(Duration::from_millis(schedule.seed() * 170 % 3_000)).await;
            deliver_once(&fake, "other", &other).await
        };
        let done = schedule.both(deliver_once(&fake, "one", &one), later).await;
        assert_eq!(done, (Some(true), Some(true)));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_runs(&fake, &[("commit-1", 1), ("commit-2", 1)]);
        delete_completely(&mut stack).await;
    });
}

#[test]
fn outage_of_a_service_is_over_before_the_last_delivery() {
    for service in [
        Service::CodeCommit,
        Service::CloudFormation,
        Service::CodePipeline,
    ] {
        in_project(running(), async |fake, _| {
            let event = event_of(fake, "commit-2", MATCHING);
            fake.break_from_now(On::Service(service), FaultKind::InternalError500);
            let delivering = deliver_beside(fake, &pushed(fake, "push", event));
            tokio::time::sleep(Duration::from_secs(100)).await;
            fake.mend();
            delivering.await;
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert_runs(fake, &[("commit-1", 1), ("commit-2", 1)]);
        });
    }
}
