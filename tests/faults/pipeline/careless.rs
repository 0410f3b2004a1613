//! Products that lack a care: no check notices them without a setting, and one does with it.

use crate::happy_path::play_in;
use crate::scenarios::scenarios;
use test_support::careless::assert_each_shown;

#[test]
fn careless_products_are_noticed_in_unkind_worlds_only() {
    let scenarios = scenarios();
    assert_each_shown("pipeline_", |story, mixture| {
        let scenario = scenarios.iter().find(|known| known.story.name == story);
        play_in(scenario.expect("that story"), mixture);
    });
}
