//! A disabled transition in the status of an execution that has to pass it.

use crate::approvals::pipeline;
use crate::fixture::{COMMITS, SHOP, catch_up, check_health, deliver, in_account, records};
use crate::steps::waiting;
use fake_aws::{FakeAws, FaultKind, On};

const REASON: &str = "Black Friday\n\u{202e}until Monday";

/// The description of the commit's status.
fn description(fake: &FakeAws) -> String {
    let records = records(fake);
    let shown = records.current(COMMITS[0], &SHOP.status());
    shown.last().expect("a status").description.clone()
}

fn freeze(fake: &FakeAws, disabled: &[(&'static str, &'static str)]) {
    fake.change(|aws| pipeline(aws).disabled = disabled.to_vec());
}

#[test]
fn transition_that_holds_nothing_is_not_in_the_status() {
    // It has passed the stage, or a later one replaces it, or no transition is disabled, or they are
    // not known.
    for case in ["passed", "overtaken", "enabled", "unknown"] {
        in_account(async |fake| {
            let steps = waiting("e1", 0);
            let last = if case == "passed" { 4 } else { 2 };
            for step in &steps[..last] {
                step.take(fake, SHOP).await;
            }
            if case == "overtaken" {
                for step in &waiting("e2", 1)[..2] {
                    step.take(fake, SHOP).await;
                }
            }
            if case != "enabled" {
                freeze(fake, &[("Deploy", REASON)]);
            }
            if case == "unknown" {
                fake.break_from_now(On::Operation("GetPipelineState"), FaultKind::Denied);
                deliver(fake, SHOP, steps[1].subject(), "start").await;
                fake.mend();
            } else if case == "passed" {
                fake.change(|aws| pipeline(aws).running = vec![("Approval", Some("token"))]);
                check_health(fake).await;
            } else {
                deliver(fake, SHOP, steps[1].subject(), "start").await;
                catch_up(fake, SHOP, "health check").await;
            }
            assert_eq!(description(fake), "On its way to dev", "{case}");
        });
    }
}
