//! One fault at every call of every request of every scenario. None makes a request fail that would
//! have succeeded.

use crate::fixture::paused;
use crate::scenarios::{Scenario, scenarios};
use fake_aws::{FaultKind, Options, SeenTokens};
use test_support::single_faults::SingleFaults;

fn every_single_fault(
    options: &Options,
    delivers_twice: bool,
    kinds: &'static [FaultKind],
    what: &str,
) -> usize {
    let mut scenarios = scenarios();
    if matches!(options.seen_tokens, SeenTokens::Refused) {
        // A process that ends between the deletion and the second creation then fails the request,
        // with a reason that names this.
        let is_created_twice = |name: &str| name.starts_with("pipeline_with_a_late_role");
        scenarios.retain(|scenario| !is_created_twice(&scenario.story.name));
    }
    for scenario in &mut scenarios {
        scenario.delivers_twice = delivers_twice;
    }
    let all = SingleFaults {
        scenarios,
        story: |scenario: &Scenario| &scenario.story,
        kinds,
        one_in: 8,
        special: 2,
    };
    all.each(what, |scenario, faults| {
        paused(scenario.play(options.clone(), faults))
    })
}

#[test]
fn single_faults_break_no_invariant_and_fail_no_request() {
    let (options, what) = (Options::default(), "single faults in all");
    assert!(every_single_fault(&options, false, &FaultKind::EACH, what) > 1000);
}

#[test]
fn single_faults_with_duplicate_delivery_and_rejected_tokens() {
    let options = Options {
        seen_tokens: SeenTokens::Refused,
        page_length: Some(4),
        parameters_alone_are_updates: true,
        ..Options::default()
    };
    let kinds = &[
        FaultKind::AnswerLost,
        FaultKind::KilledBefore,
        FaultKind::KilledAfter,
    ];
    let what = "single faults with every request delivered twice";
    assert!(every_single_fault(&options, true, kinds, what) > 1000);
}

#[test]
fn lost_connections_break_no_invariant() {
    let (options, what) = (Options::default(), "calls that hang");
    assert!(every_single_fault(&options, false, &FaultKind::SILENT, what) > 300);
}
