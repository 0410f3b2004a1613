//! Products that lack a care: no check notices them without a setting, and one does with it.

use std::time::Duration;

use crate::scenarios::{Scenario, scenarios};
use test_support::careless::{Careless, Lack, assert_each_shown};

const CARELESS: &[Careless] = &[
    Careless {
        beside: "",
        setting: "slow-change-sets",
        lack: Lack::PollsFor("DescribeChangeSet", Duration::from_secs(12)),
        story: "review_behind_the_deployed_branch: of no commit",
        says: "0 notes instead of one",
    },
    Careless {
        beside: "",
        setting: "short-pages",
        lack: Lack::Reads("DescribeChangeSet", "NextToken", "Other"),
        story: "review_behind_the_deployed_branch: of no commit",
        says: "1 notes instead of one",
    },
];

#[test]
fn careless_products_are_noticed_in_unkind_worlds_only() {
    assert_each_shown("review", CARELESS, |story, mixture| {
        let mut known = scenarios().into_iter();
        let scenario = known.find(|known| known.story.name == story);
        let story = scenario.expect("that story").story;
        let mixture = mixture.clone();
        Scenario { story, mixture }.play(&[]);
    });
}
