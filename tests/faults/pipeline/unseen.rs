//! Reads that do not show what a request has done: an invocation must not do it again without end.

use crate::fixture::paused;
use crate::scenarios::scenarios;
use fake_aws::Options;
use fake_aws::interceptor::assert_ends_with_frozen_reads;

#[test]
fn change_that_no_read_shows_is_not_repeated_without_end() {
    let scenarios = scenarios();
    let plays = scenarios.iter().map(|scenario| {
        let play = || drop(paused(scenario.play(Options::default(), &[])));
        (scenario.story.name.clone(), play)
    });
    assert!(assert_ends_with_frozen_reads(plays) > 100);
}
