//! Products that lack a care: no check notices them without a setting, and one does with it.

use crate::scenarios::{Scenario, scenarios};
use test_support::careless::assert_each_shown;

#[test]
fn careless_products_are_noticed_in_unkind_worlds_only() {
    assert_each_shown("review_", |story, mixture| {
        let mut known = scenarios().into_iter();
        let scenario = known.find(|known| known.story.name == story);
        let story = scenario.expect("that story").story;
        let mixture = mixture.clone();
        Scenario { story, mixture }.play(&[]);
    });
}
