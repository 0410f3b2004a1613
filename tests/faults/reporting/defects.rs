//! Products with one defect each: a check notices it.

use crate::decisions::play_plainly;
use crate::fixture::in_account;
use crate::scenarios::scenario;
use test_support::defects::assert_each_noticed;

#[test]
fn defect_is_noticed_in_its_story() {
    assert_each_noticed("report_", |story, mixture| {
        in_account(async |fake| scenario(story).play_in(fake, mixture).await);
    });
}

#[test]
fn defect_is_noticed_in_its_decision() {
    assert_each_noticed("approve_", |story, _| play_plainly(story));
}
