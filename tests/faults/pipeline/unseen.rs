//! Reads that do not show what a request has done: an invocation must not do it again without end.

use crate::scenarios::Pipelines;
use test_support::runner::play_with_frozen_reads;

#[test]
fn change_that_no_read_shows_is_not_repeated_without_end() {
    assert!(play_with_frozen_reads::<Pipelines>() > 100);
}
