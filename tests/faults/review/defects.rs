//! Products with one defect each: a check notices it.

use crate::scenarios::{Scenario, scenarios};
use test_support::defects::assert_each_noticed;

#[test]
fn defect_is_noticed_in_its_story() {
    assert_each_noticed("review_", |story, mixture| {
        let mut known = scenarios().into_iter();
        let scenario = known.find(|known| known.story.name == story);
        let story = scenario.expect("that story").story;
        let mixture = mixture.clone();
        Scenario { story, mixture }.play(&[]);
    });
}
