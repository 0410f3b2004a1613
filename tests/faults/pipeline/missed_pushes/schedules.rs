//! Every time of two events and a health check, every fault, and two health checks at once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::canceled::canceled;
use super::{
    INTERVAL, assert_commits, check_health, commits, deployed, health_check, lose_push,
    started_by_function,
};
use crate::checks::delete_completely;
use crate::fixture::{BRANCH, REPOSITORY, paused};
use crate::interleavings::deliver_both;
use fake_aws::interceptor::{body_of, replace_body};
use fake_aws::schedules::{Moment, SingleFault};
use fake_aws::{Caller, FakeAws, Schedule, Schedules, sample};
use test_support::custom_resource::{ParentStack, deliver_all};
use test_support::defects::Defect::{Changes, Sends};

/// When an event is delivered, in seconds after the push before the health check: never, once or
/// twice. The check begins after [`CHECK`] seconds, and takes its second look a minute later.
const DELIVERIES: [&[u64]; 8] = [
    &[],
    &[0],
    &[CHECK],
    &[50],
    &[85],
    &[85, 86],
    &[0, 85],
    &[200],
];

/// When the health check begins.
const CHECK: u64 = 20;

/// Why the branch's tip has no execution that deploys it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    LostEvent,
    Cancellation,
}

const CAUSES: [Cause; 2] = [Cause::LostEvent, Cause::Cancellation];

impl Cause {
    /// The project that lacks the execution, and the lost event.
    async fn play(self) -> (FakeAws, ParentStack, Value) {
        match self {
            Cause::LostEvent => {
                let (fake, stack) = deployed().await;
                let event = lose_push(&fake, "commit-2");
                (fake, stack, event)
            }
            Cause::Cancellation => {
                let (fake, stack) = canceled().await;
                (fake, stack, Value::Null)
            }
        }
    }

    /// One execution is started.
    #[track_caller]
    fn assert_started_once(self, fake: &FakeAws) {
        match self {
            Cause::LostEvent => assert_commits(fake, &["commit-1", "commit-2"]),
            Cause::Cancellation => assert_commits(fake, &["commit-1", "commit-1"]),
        }
    }
}

/// Two pushes and the deliveries of their events around a health check. Returns how many executions
/// the function started.
async fn play(second_push: u64, second: &str, first_at: &[u64], second_at: &[u64]) -> usize {
    let (fake, mut stack) = deployed().await;
    let first_event = lose_push(&fake, "commit-2");
    // The second event exists only after its push, which is number 0.
    let mut second_event = Value::Null;
    let mut times: Vec<(u64, usize)> = vec![(second_push, 0)];
    times.extend(first_at.iter().map(|at| (*at, 1)));
    times.extend(second_at.iter().map(|at| (second_push.max(*at), 2)));
    times.sort_unstable();
    let began = tokio::time::Instant::now();
    let checking = tokio::spawn({
        let fake = fake.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(CHECK)).await;
            check_health(&fake, "check").await;
        }
    });
    for (at, what) in times {
        tokio::time::sleep_until(began + Duration::from_secs(at)).await;
        match what {
            0 => second_event = lose_push(&fake, second),
            1 => drop(fake.send_event(&first_event)),
            _ => drop(fake.send_event(&second_event)),
        }
    }
    checking.await.expect("no panic in a check");
    tokio::time::sleep(INTERVAL).await;
    check_health(&fake, "second check").await;
    let healed = started_by_function(&fake);
    let found = commits(&fake);
    let context = format!("{found:?}");
    assert_eq!(found.last().map(|last| &**last), Some(second), "{context}");
    tokio::time::sleep(INTERVAL).await;
    check_health(&fake, "third check").await;
    let started = started_by_function(&fake);
    assert_eq!(started, healed, "nothing more: {context}");
    delete_completely(&mut stack).await;
    healed
}

#[test]
fn last_execution_has_the_tip_whatever_happens_to_events() {
    let mut schedules = Schedules::one_in(5);
    let mut none = 0;
    for second_push in [0, CHECK, 50, 80] {
        // A new commit, and a branch that is rewound.
        for second in ["commit-3", "commit-1"] {
            for first_at in DELIVERIES {
                for second_at in DELIVERIES {
                    let name = format!("{second} at {second_push}: {first_at:?}, {second_at:?}");
                    schedules.run(name, || {
                        let started = paused(play(second_push, second, first_at, second_at));
                        none += usize::from(started == 0);
                        // A second start needs an event that was delivered after the first one.
                        let is_late = first_at.iter().any(|at| *at > CHECK + 60);
                        let most = if is_late || second_push > CHECK { 2 } else { 1 };
                        assert!(started <= most, "{started} starts");
                        // Both events in their order.
                        let first = first_at.iter().max();
                        let in_order = first.is_some_and(|at| *at < CHECK)
                            && second_at.first().is_some_and(|at| *at < CHECK);
                        let is_complete = in_order && second_push == 0;
                        assert!(!is_complete || started == 0, "{started} starts");
                    });
                }
            }
        }
    }
    schedules.report(&format!("times of two pushes, their events and a health check; of those that ran, {none} without a start"));
}

#[test]
fn event_at_each_call_of_a_health_check_deploys_the_tip() {
    for cause in CAUSES {
        let mut schedules = Schedules::default();
        for times in [1, 2] {
            for is_after in [false, true] {
                let name = |call| format!("{times} at {call}, after: {is_after}");
                schedules.each_call(name, |call| {
                    event_at(cause, Moment { call, is_after }, times)
                });
            }
        }
        let count = schedules.report(&format!("events at the calls of a health check, {cause:?}"));
        assert!(count > 60);
    }
}

/// Plays an event that arrives at a call of the health check: the lost one after all, or that of a
/// push after the cancellation. Returns whether the check has such a call.
fn event_at(cause: Cause, moment: Moment, times: usize) -> bool {
    let lost = Arc::new(Mutex::new(Value::Null));
    let arriving = Arc::clone(&lost);
    let arrive = move |fake: &FakeAws| {
        let lost = arriving.lock().expect("no panic").clone();
        let event = match cause {
            Cause::LostEvent => lost,
            Cause::Cancellation => lose_push(fake, "commit-2"),
        };
        for _ in 0..times {
            fake.send_event(&event);
        }
    };
    let is_of_check = |_: &FakeAws, caller: &Caller| caller.name() == "check";
    let calls = moment.play(is_of_check, arrive, async |_| {
        let (fake, mut stack, event) = cause.play().await;
        *lost.lock().expect("no panic") = event;
        check_health(&fake, "check").await;
        for name in ["second check", "third check"] {
            tokio::time::sleep(INTERVAL).await;
            check_health(&fake, name).await;
        }
        let found = commits(&fake);
        let tip = fake.look(|aws| aws.codecommit.repositories[REPOSITORY].branches[BRANCH].clone());
        assert_eq!(found.last(), Some(&tip));
        assert!(started_by_function(&fake) <= 1, "{found:?}");
        delete_completely(&mut stack).await;
    });
    calls > moment.call
}

#[test]
fn single_faults_of_a_health_check_start_one_execution() {
    for cause in CAUSES {
        let play = |faults: &[SingleFault]| {
            paused(async {
                let (fake, mut stack, _) = cause.play().await;
                for fault in faults {
                    fault.inject(&fake);
                }
                let check = health_check(&fake, "check");
                deliver_all(&fake, &check, false).await;
                tokio::time::sleep(INTERVAL).await;
                check_health(&fake, "later check").await;
                cause.assert_started_once(&fake);
                delete_completely(&mut stack).await;
                fake
            })
        };
        let calls = play(&[]).journal_of("check.1");
        assert!(calls.len() > 5, "{} calls", calls.len());
        let mut schedules = Schedules::default();
        let faults = calls.iter().flat_map(SingleFault::each);
        let name = |fault: &SingleFault| format!("{:?} at #{}", fault.kind, fault.index);
        schedules.single_faults(faults, name, play);
        schedules.report(&format!(
            "single faults of a health check that starts a missed push, {cause:?}"
        ));
    }
}

/// Two health checks at once.
fn at_once(cause: Cause, orders: u64) -> u64 {
    sample(orders, 4, async |schedule: Schedule| {
        fastrand::seed(schedule.seed());
        let (fake, mut stack, _) = cause.play().await;
        let check = health_check(&fake, "check");
        deliver_both(&fake, &schedule, ("one", &check), ("zother", &check)).await;
        tokio::time::sleep(INTERVAL).await;
        check_health(&fake, "later check").await;
        cause.assert_started_once(&fake);
        delete_completely(&mut stack).await;
    })
}

#[test]
fn two_health_checks_start_one_execution() {
    for cause in CAUSES {
        let runs = at_once(cause, 80);
        fake_aws::figure!(
            "schedules: {runs} orders of two health checks that find a missed push, {cause:?}"
        );
    }
}

#[test]
fn other_starts_are_noticed() {
    const START: &str = "StartPipelineExecution";
    let without_token = Changes(START, |_, _, request| {
        let mut body: Value = serde_json::from_str(&body_of(request)).expect("JSON");
        body.as_object_mut().expect("members").remove("clientRequestToken");
        replace_body(request, body.to_string());
    });
    // It fixes the commit of the first look.
    let of_a_commit = Sends(
        START,
        r#""name":"#,
        r#""sourceRevisions":[{"actionName":"Source","revisionType":"COMMIT_ID",
            "revisionValue":"commit-1"}],"name":"#,
    );
    for (defect, cause, name) in [
        (without_token, Cause::LostEvent, "starts without a token"),
        (
            without_token,
            Cause::Cancellation,
            "starts after a cancellation without a token",
        ),
        (of_a_commit, Cause::LostEvent, "starts of a commit"),
    ] {
        defect.assert_noticed(name, "assertion", || {
            at_once(cause, 640);
        });
    }
}
