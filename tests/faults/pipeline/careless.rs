//! Products that lack a care: no check notices them without a setting, and one does with it.

use std::time::Duration;

use crate::happy_path::play_in;
use crate::scenarios::scenarios;
use test_support::careless::{ANY, Careless, Lack, assert_each_shown};

const CARELESS: &[Careless] = &[
    Careless {
        beside: "",
        setting: "late-executions",
        lack: Lack::Believes("ListPipelineExecutions", ""),
        story: "pipeline_first_push",
        says: r#"commit-1 {"commit-1": 2}"#,
    },
    // Its tokens show that CloudFormation signed each Create long before.
    Careless {
        beside: "",
        setting: "late-copies",
        lack: Lack::Sends("CreateStack", "gitops-1795176", "gitops-0795176"),
        story: "pipeline_created_again",
        says: "1-Create after",
    },
    Careless {
        beside: "",
        setting: "slow-resources",
        lack: Lack::PollsFor("DescribeStacks", Duration::from_mins(1)),
        story: "pipeline_approval_rule_added_and_removed",
        says: "looking up stack",
    },
    // It does not look again for the stack whose ID `CreateStack` has returned.
    Careless {
        beside: "",
        setting: "late-stacks",
        lack: Lack::Believes("DescribeStacks", "Stack with id arn:"),
        story: "pipeline_create_canceled_at_once: 2s",
        says: "a child stack is left",
    },
    // It does not compare the stack's status with its latest event, which may be an older one.
    Careless {
        beside: "",
        setting: "late-events",
        lack: Lack::Reads("DescribeStackEvents", "PhysicalResourceId", "Other"),
        story: "pipeline_changed",
        says: "CloudFormation gave no reason",
    },
    // No read shows the stack yet, so it sends the creation again, and fails if that is rejected.
    Careless {
        beside: "late-stacks",
        setting: "seen-tokens-refused",
        lack: Lack::Reads("CreateStack", "TokenAlreadyExistsException", "Other"),
        story: "pipeline_create_and_delete",
        says: "has already been used",
    },
    // It does not wait in a status that it does not know.
    Careless {
        beside: "",
        setting: "unknown-statuses",
        lack: Lack::Reads(ANY, "_SETTLING_IN_PROGRESS", "_SETTLING"),
        story: "pipeline_changed",
        says: "it is UPDATE_SETTLING",
    },
    // It does not wait for an execution that reads its source.
    Careless {
        beside: "",
        setting: "slow-sources",
        lack: Lack::Reads("ListPipelineExecutions", "InProgress", "Succeeded"),
        story: "pipeline_first_push",
        says: r#"commit-1 {"commit-1": 2}"#,
    },
];

#[test]
fn careless_products_are_noticed_in_unkind_worlds_only() {
    let scenarios = scenarios();
    assert_each_shown("pipeline", CARELESS, |story, mixture| {
        let scenario = scenarios.iter().find(|known| known.story.name == story);
        play_in(scenario.expect("that story"), mixture);
    });
}
