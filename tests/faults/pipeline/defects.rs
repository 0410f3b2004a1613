//! Products with one defect each: a check notices it.

use crate::happy_path::play_in;
use crate::scenarios::scenarios;
use test_support::defects::assert_each_noticed;

#[test]
fn defect_is_noticed_in_its_story() {
    let scenarios = scenarios();
    assert_each_noticed("pipeline_", |story, mixture| {
        let scenario = scenarios.iter().find(|known| known.story.name == story);
        play_in(scenario.expect("that story"), mixture);
    });
}
