//! Products that lack a care: no check notices them without a setting, and one does with it.

use std::time::Duration;

use crate::happy_path::play_in;
use crate::scenarios::scenarios;
use test_support::careless::{Careless, Lack, assert_each_shown};

const CARELESS: &[Careless] = &[
    Careless {
        beside: "",
        setting: "late-executions",
        lack: Lack::Believes("ListPipelineExecutions", ""),
        story: "pipeline_first_push",
        says: r#"commit-1 {"commit-1": 2}"#,
    },
    // No event of the stack shows which request began the operation.
    Careless {
        beside: "",
        setting: "late-copies",
        lack: Lack::Reads("DescribeStackEvents", "ClientRequestToken", "Other"),
        story: "pipeline_approval_rule_added_and_removed",
        says: "1-Create after",
    },
    Careless {
        beside: "",
        setting: "slow-resources",
        lack: Lack::PollsFor("DescribeStacks", Duration::from_mins(1)),
        story: "pipeline_approval_rule_added_and_removed",
        says: "looking up stack",
    },
];

#[test]
fn careless_products_are_noticed_in_unkind_worlds_only() {
    let scenarios = scenarios();
    assert_each_shown("pipeline", CARELESS, |story, mixture| {
        let mut scenarios = scenarios.iter();
        let scenario = scenarios.find(|known| known.story.name == story);
        play_in(scenario.expect("that story"), mixture);
    });
}
