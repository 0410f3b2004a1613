//! Every fault, and every order of two deliveries.

use std::time::Duration;

use serde_json::{Value, json};

use super::{AGAIN, LONG_ACTION, approving, assert_executions, check_health, update, waiting};
use crate::checks::delete_completely;
use crate::fixture::{CHILD, paused, pushed};
use crate::interleavings::{deliver_both, in_any_order};
use fake_aws::mutants::{
    HttpConnector, HttpRequest, Mutant, Response, assert_noticed, body_of, operation_of,
    replace_body,
};
use fake_aws::schedules::SingleFault;
use fake_aws::{Caller, FakeAws, Options, Schedules};
use test_support::custom_resource::deliver_all;

/// One fault at each call of the Update or of the health check, which Lambda delivers again.
fn every_fault(of_check: bool) -> Schedules {
    let (caller, actions_take) = if of_check {
        ("check", LONG_ACTION)
    } else {
        ("2-Update.1", Duration::ZERO)
    };
    let play = |faults: &[SingleFault], twice: bool| {
        paused(async {
            let (fake, mut stack) = waiting(Options {
                actions_take,
                ..Options::default()
            })
            .await;
            for fault in faults {
                fault.inject(&fake);
            }
            stack.delivers_twice = twice;
            update(&mut stack, &approving()).await.assert_success();
            tokio::time::sleep(LONG_ACTION).await;
            for name in ["check", "later check"] {
                check_health(&fake, name).await;
            }
            assert_executions(&fake, AGAIN);
            delete_completely(&mut stack).await;
            fake
        })
    };
    let calls = play(&[], false).journal_of(caller);
    assert!(calls.len() > 5, "{} calls of {caller}", calls.len());
    let mut schedules = Schedules::default();
    for twice in [false, true] {
        let faults = calls.iter().flat_map(SingleFault::each);
        let name = |fault: &SingleFault| format!("{fault}, twice: {twice}");
        schedules.single_faults(faults, name, |faults| play(faults, twice));
    }
    schedules
}

#[test]
fn single_faults_of_an_update_start_one_execution() {
    every_fault(false).report("single faults of an Update that cancels an execution");
}

#[test]
fn single_faults_of_a_health_check_start_one_execution() {
    every_fault(true).report("single faults of a health check that starts a commit again");
}

/// Two deliveries at once, in every order of their calls and in some at random.
fn at_once(what: &str, other_is_check: bool) {
    in_any_order(what, async |schedule| {
        let (fake, mut stack) = waiting(Options {
            resource_takes: Duration::from_millis(300),
            ..Options::default()
        })
        .await;
        let request = stack.request_update(&approving());
        let other = if other_is_check {
            pushed(&fake, "check", json!({"HealthCheck": {"EnvID": "dev"}}))
        } else {
            request.clone()
        };
        deliver_both(&fake, schedule, ("one", &request), ("zother", &other)).await;
        stack.heard(&request).await.assert_success();
        deliver_all(&fake, &request, false).await;
        check_health(&fake, "later check").await;
        assert_executions(&fake, AGAIN);
        stack.resource = Some((CHILD.to_owned(), approving()));
        delete_completely(&mut stack).await;
    });
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
    async fn pass(self, _: FakeAws, honest: Caller, mut request: HttpRequest) -> Response {
        if operation_of(&request) == "StartPipelineExecution" {
            let body: Value = serde_json::from_str(&body_of(&request)).expect("JSON");
            let body = json!({"name": body["name"]});
            replace_body(&mut request, body.to_string());
        }
        honest.call(request).await
    }
}

#[test]
fn start_without_a_token_is_detected() {
    let play = || at_once("two copies of an Update without tokens", false);
    assert_noticed(StartsWithoutToken, "assertion", play);
}
