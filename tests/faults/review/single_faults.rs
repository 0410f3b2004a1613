//! Each story in unkind worlds, and with one fault at every call.

use crate::scenarios::{Scenario, scenarios};
use fake_aws::{FaultKind, Service};
use test_support::single_faults::SingleFaults;
use test_support::worlds::{Mixture, Worlds};

#[test]
fn every_story_ends_as_described() {
    for scenario in scenarios() {
        let calls = scenario.play(&[]).journal().len();
        fake_aws::figure!("calls: {}: {calls}", scenario.story.name);
        assert!(calls > 0);
    }
}

#[test]
fn every_story_has_the_same_end_in_unkind_worlds() {
    let worlds = Worlds {
        scenarios: scenarios(),
        story: |scenario| &scenario.story,
        services: &[
            Service::CloudFormation,
            Service::CodePipeline,
            Service::GitLab,
        ],
    };
    worlds.play_each("stories of reviews", |scenario, mixture| {
        let (story, mixture) = (scenario.story.clone(), mixture.clone());
        Scenario { story, mixture }.play(&[]);
    });
}

fn every_single_fault(
    delivery: &str,
    kinds: &'static [FaultKind],
    one_in: u64,
    what: &str,
) -> usize {
    let mut scenarios = scenarios();
    for scenario in &mut scenarios {
        scenario.mixture = Mixture::called(delivery);
    }
    let all = SingleFaults {
        scenarios,
        story: |scenario: &Scenario| &scenario.story,
        kinds,
        one_in,
        special: 4,
    };
    all.each(what, |scenario, faults| match faults {
        // The health check of the next day, which ends each story alike, has no fault.
        [] => scenario.play_steps(),
        faults => scenario.play(faults),
    })
}

#[test]
fn single_fault_ends_as_described() {
    let what = "single faults at calls of AWS, S3 and GitLab";
    assert!(every_single_fault("", &FaultKind::EACH, 14, what) > 1000);
}

#[test]
fn single_fault_with_every_event_twice_ends_as_described() {
    let kinds = &[
        FaultKind::AnswerLost,
        FaultKind::KilledBefore,
        FaultKind::KilledAfter,
    ];
    let what = "single faults with every event delivered twice";
    assert!(every_single_fault("delivered-twice", kinds, 45, what) > 1000);
}

#[test]
fn call_that_hangs_ends_as_described() {
    let what = "calls that hang";
    assert!(every_single_fault("", &FaultKind::SILENT, 30, what) > 300);
}
