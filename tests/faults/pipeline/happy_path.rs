//! Each scenario without faults, and its calls.

use crate::fixture::{in_account, paused, properties};
use crate::scenarios::scenarios;
use fake_aws::{FakeAws, Options, SeenTokens};

#[test]
fn every_scenario_succeeds_with_every_option() {
    for (seen_tokens, parameters_alone_are_updates, own_token, deletes_during_rollback) in [
        (SeenTokens::SameAnswer, false, false, false),
        (SeenTokens::Refused, true, true, true),
    ] {
        for scenario in scenarios() {
            for delivers_twice in [false, true] {
                let options = Options {
                    seen_tokens,
                    parameters_alone_are_updates,
                    cancellation_has_its_own_token: own_token,
                    deletes_during_rollback,
                    page_length: own_token.then_some(2),
                    ..Options::default()
                };
                let mut scenario = scenario.clone();
                scenario.delivers_twice = delivers_twice;
                paused(scenario.play(options, &[]));
            }
        }
    }
}

fn calls(fake: &FakeAws, caller: &str) -> Vec<String> {
    let own = fake.journal_of(caller).into_iter();
    let mut calls: Vec<String> = own.map(|call| call.operation).collect();
    // The number of polls depends on CloudFormation's time.
    calls.dedup();
    calls
}

#[test]
fn calls_of_create_no_op_update_and_delete_are_counted() {
    in_account(async |fake, stack| {
        stack.create(&properties()).await.assert_success();
        stack.update(&properties(), None).await.assert_success();
        stack.delete().await.assert_success();
        let create = calls(fake, "1-Create.1");
        let no_op = calls(fake, "2-Update.1");
        let delete = calls(fake, "3-Delete.1");
        fake_aws::figure!("calls: Create {create:?}");
        fake_aws::figure!("calls: no-op Update {no_op:?}");
        fake_aws::figure!("calls: Delete {delete:?}");
        assert!(create.len() <= 25, "{create:?}");
        assert!(no_op.len() <= 16, "{no_op:?}");
        assert!(delete.len() <= 16, "{delete:?}");
    });
}
