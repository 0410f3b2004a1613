//! Invariants for any number of concurrent requests. `make scale` tries a thousand.

use std::time::Duration;

use crate::measured::{MAX_TIME, Measured, Run, assert_cost_is_linear, run};
use crate::stacks::Content;

/// Enough for every bucket to run dry, and few enough for every `make test`.
const STACKS: usize = 60;

/// Between two attempts of the SDK's.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Between the last change that IAM lets through and the last answer: a login is accepted, and
/// calls to other services end.
const REMAINDER: Duration = Duration::from_secs(10);

fn all_succeed(about: &Run) -> Vec<Measured> {
    let all = run(about);
    for measured in &all {
        let first: Vec<&String> = measured.failed.iter().take(3).collect();
        assert!(first.is_empty(), "{}\n{first:#?}", measured.told(about));
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
        if content != Content::Both {
            let few = Run::of(10, content);
            assert_cost_is_linear(&all_succeed(&few), &few, &all, &about);
        }
        if content == Content::Credential {
            for measured in &all {
                assert_none_is_starved(measured, &about);
            }
        }
    }
}

fn assert_none_is_starved(measured: &Measured, about: &Run) {
    let rate = measured.ideal.mul_f64(MAX_TIME) + REMAINDER;
    let slowest = rate.min(measured.median * 3) + LONGEST_PAUSE;
    assert!(measured.took < slowest, "{}", measured.told(about));
}

#[test]
fn stacks_get_responses_at_low_rates_and_concurrency() {
    all_succeed(&Run {
        share: 0.25,
        ..Run::of(STACKS, Content::Credential)
    });
    // "New AWS accounts have reduced concurrency" (Lambda quotas): they start with ten.
    all_succeed(&Run {
        concurrency: 10,
        ..Run::of(STACKS, Content::Both)
    });
}
