//! Products that lack a care: no check notices them without a setting, and one does with it.

use crate::happy_path::play_in;
use crate::scenarios::scenario_called;
use test_support::careless::assert_each_shown;

#[test]
fn careless_products_are_noticed_in_unkind_worlds_only() {
    assert_each_shown("mirrors_", |story, mixture| {
        play_in(&scenario_called(story), mixture);
    });
}
