//! Invariants for any number of concurrent requests. `make scale` tries a thousand.

use std::time::Duration;

use crate::measured::{MAX_TIME, Measured, Run, assert_cost_is_linear, run};
use crate::stacks::Content;

/// Enough for every bucket to run dry, and few enough for every `make test`.
const STACKS: usize = 60;

/// Between two attempts of the SDK's.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

fn all_succeed(about: &Run) -> Vec<Measured> {
    let all = run(about);
    for measured in &all {
        let first: Vec<&String> = measured.failed.iter().take(3).collect();
        assert!(
            measured.failed.is_empty(),
            "{}\n{first:#?}",
            measured.told(about)
        );
    }
    all
}

#[test]
fn many_stacks_get_responses_in_time_under_throttling() {
    for content in Content::ALL {
        let about = Run::of(STACKS, content);
        let all = all_succeed(&about);
        let throttled: usize = all.iter().map(|one| one.calls.throttled).sum();
        assert!(throttled > 0, "nothing was throttled: {about:?}");
    }
}

#[test]
fn stacks_get_responses_at_a_quarter_of_the_rates() {
    all_succeed(&Run {
        share: 0.25,
        ..Run::of(STACKS, Content::Credential)
    });
}

#[test]
fn stacks_get_responses_with_ten_concurrent_invocations() {
    // "New AWS accounts have reduced concurrency" (Lambda quotas): they start with ten.
    all_succeed(&Run {
        concurrency: 10,
        ..Run::of(STACKS, Content::Both)
    });
}

#[test]
fn no_stack_waits_much_longer_than_the_others() {
    let about = Run::of(STACKS, Content::Credential);
    for measured in all_succeed(&about) {
        assert!(
            measured.took < measured.median * 3 + LONGEST_PAUSE,
            "the slowest is starved: {}",
            measured.told(&about)
        );
    }
}

#[test]
fn same_run_has_the_same_result() {
    let about = Run::of(10, Content::Both);
    assert_eq!(run(&about), run(&about));
}

/// Between the last change that IAM lets through and the last answer: a login is accepted, and
/// calls to other services end.
const REMAINDER: Duration = Duration::from_secs(10);

#[test]
fn time_is_that_of_iams_rate_and_one_pause() {
    let about = Run::of(STACKS, Content::Credential);
    for measured in all_succeed(&about) {
        assert!(
            measured.took < measured.ideal.mul_f64(MAX_TIME) + LONGEST_PAUSE + REMAINDER,
            "{}",
            measured.told(&about)
        );
    }
}

#[test]
fn cost_of_a_stack_does_not_grow_with_their_number() {
    for content in [Content::Credential, Content::Pipeline] {
        let (few, many) = (Run::of(10, content), Run::of(STACKS, content));
        assert_cost_is_linear(&all_succeed(&few), &few, &all_succeed(&many), &many);
    }
}
