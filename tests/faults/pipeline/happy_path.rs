//! Each scenario without faults, and its calls.

use crate::fixture::{fake, paused, properties, stack};
use crate::scenario_table::scenarios;
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
                paused(scenario.play(options, None));
            }
        }
    }
}

fn calls(fake: &FakeAws, caller: &str) -> Vec<String> {
    let journal = fake.journal();
    let own = journal.iter().filter(|entry| entry.caller == caller);
    let mut calls: Vec<String> = own.map(|entry| entry.operation.clone()).collect();
    // The number of polls depends on CloudFormation's time.
    calls.dedup();
    calls
}

#[test]
fn calls_of_create_no_op_update_and_delete_are_counted() {
    paused(async {
        let fake = fake(Options::default());
        let mut stack = stack(&fake);
        assert!(stack.create(&properties()).await.is_success());
        assert!(stack.update(&properties(), None).await.is_success());
        assert!(stack.delete().await.is_success());
        let create = calls(&fake, "1-Create.1");
        let no_op = calls(&fake, "2-Update.1");
        let delete = calls(&fake, "3-Delete.1");
        fake_aws::figure!("calls: Create {create:?}");
        fake_aws::figure!("calls: no-op Update {no_op:?}");
        fake_aws::figure!("calls: Delete {delete:?}");
        assert!(create.len() <= 25, "{create:?}");
        assert!(no_op.len() <= 16, "{no_op:?}");
        assert!(delete.len() <= 16, "{delete:?}");
    });
}
