//! Every fault, and every order of two deliveries.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use serde_json::{Value, json};

use super::{AGAIN, LONG_ACTION, approving, assert_executions, check_health, update, waiting};
use crate::checks::delete_completely;
use crate::fixture::{CHILD, paused, pushed};
use fake_aws::custom_resource::{deliver_all, deliver_once};
use fake_aws::extent::orders;
use fake_aws::mutants::{Mutant, assert_noticed, body_of, replace_body};
use fake_aws::{
    Caller, FakeAws, Fault, FaultKind, Options, Schedule, Schedules, explore_reduced, sample,
};

/// One fault at each call of the Update or of the health check, which Lambda delivers again.
fn every_fault(of_check: bool, kinds: &[FaultKind]) -> usize {
    let caller = if of_check { "check" } else { "2-Update.1" };
    let play = |fault: Option<Fault>, twice: bool| {
        paused(async move {
            let actions_take = if of_check {
                LONG_ACTION
            } else {
                Duration::ZERO
            };
            let (fake, mut stack) = waiting(Options {
                actions_take,
                ..Options::default()
            })
            .await;
            if let Some(fault) = fault {
                fake.inject(caller, fault);
            }
            stack.delivers_twice = twice;
            let answer = update(&mut stack, &approving()).await;
            assert!(answer.is_success(), "{answer:?}\n{}", fake.transcript());
            tokio::time::sleep(LONG_ACTION).await;
            for name in ["check", "later check"] {
                check_health(&fake, name).await;
            }
            assert_executions(&fake, AGAIN);
            assert_eq!(fake.faults_left(), 0, "struck nothing");
            delete_completely(&mut stack).await;
            fake
        })
    };
    let calls = play(None, false).calls_of(caller);
    assert!(calls > 5, "{calls} calls of {caller}");
    let mut schedules = Schedules::default();
    for twice in [false, true] {
        for call in 0..calls {
            for kind in kinds {
                let name = format!("{kind:?} at {caller}#{call}, twice: {twice}");
                schedules.run(name, || play(Some(Fault::at(call, *kind)), twice));
            }
        }
    }
    schedules.finish()
}

#[test]
fn single_faults_of_an_update_start_one_execution() {
    let schedules = every_fault(false, &FaultKind::EACH);
    fake_aws::figure!(
        "schedules: {schedules} single faults of an Update that cancels an execution"
    );
}

#[test]
fn single_faults_of_a_health_check_start_one_execution() {
    let schedules = every_fault(true, &FaultKind::EACH);
    fake_aws::figure!(
        "schedules: {schedules} single faults of a health check that starts a commit again"
    );
}

/// Two deliveries at once, in every order of their calls and in some at random.
fn at_once(what: &str, other_is_check: bool) {
    let run = |schedule: Schedule| async move {
        fastrand::seed(schedule.seed());
        let resource_takes = Duration::from_millis(300);
        let (fake, mut stack) = waiting(Options {
            resource_takes,
            ..Options::default()
        })
        .await;
        let (id, old) = stack.resource.clone().expect("created");
        let request = stack.request("Update", Some(&id), &approving(), Some(&old));
        let other = if other_is_check {
            pushed(&fake, "check", json!({"HealthCheck": {"EnvID": "dev"}}))
        } else {
            request.clone()
        };
        fake.obey(&schedule);
        let (one, another) = (fake.caller("one"), fake.caller("zother"));
        let later = async {
            tokio::time::sleep(Duration::from_millis(schedule.seed() * 570 % 9_000)).await;
            deliver_once(&fake, &another, &other).await
        };
        schedule
            .both(deliver_once(&fake, &one, &request), later)
            .await;
        assert!(
            stack.heard(&request).await.is_success(),
            "{}",
            fake.transcript()
        );
        deliver_all(&fake, &request, false).await;
        check_health(&fake, "later check").await;
        assert_executions(&fake, AGAIN);
        stack.resource = Some((CHILD.to_owned(), approving()));
        delete_completely(&mut stack).await;
    };
    let explored = orders(explore_reduced, 5_000, run);
    let runs = sample(60, 4, run);
    fake_aws::figure!(
        "schedules: {} interleavings of {what}, and {runs} at random",
        explored.runs
    );
    assert!(explored.complete, "{what}: not every order was tried");
}

#[test]
fn two_copies_of_an_update_start_one_execution() {
    at_once("two copies of an Update that cancels an execution", false);
}

#[test]
fn update_and_a_health_check_start_one_execution() {
    at_once(
        "an Update that cancels an execution and a health check",
        true,
    );
}

/// Starts executions without the token.
#[derive(Clone, Copy, Debug)]
struct StartsWithoutToken;

impl Mutant for StartsWithoutToken {
    fn pass(self, _: FakeAws, honest: Caller, mut request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        if target.ends_with(".StartPipelineExecution") {
            let body: Value = serde_json::from_str(&body_of(&request)).expect("JSON");
            let body = json!({"name": body["name"]});
            replace_body(&mut request, body.to_string());
        }
        honest.call(request)
    }
}

#[test]
fn start_without_a_token_is_detected() {
    let play = || at_once("two copies of an Update without tokens", false);
    let first = assert_noticed(StartsWithoutToken, "assertion", play);
    fake_aws::figure!("mutant StartsWithoutToken: noticed: {first}");
}
