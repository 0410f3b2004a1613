//! Events that nothing is reported about, each with its reason.

use serde_json::Value;

use crate::fixture::{CHILD, Reporting, SHOP, event, in_account};
use crate::scenarios::play_steps;
use crate::steps::waiting;
use fake_aws::{AwsState, FakeAws};
use test_support::child_settings::set_child_settings;
use test_support::custom_resource::{StackRequest, answered_once};

/// Why the function ignores the event.
async fn because(fake: &FakeAws, request: &StackRequest) -> String {
    let answer = answered_once(fake, &request.name, request).await;
    let answer = answer.expect("not killed").expect("an outcome");
    let because = answer["Ignored"].as_str();
    because.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

type Change = fn(&mut AwsState);

const RUN: &str = "run-1";

const NO_STACK: &str = "no stack of a pipeline has the name";
const NO_GITLAB: &str =
    "the pipeline has no GitLab in its properties, or GitLab has not shown its project yet";

fn remove_gitlab(aws: &mut AwsState) {
    set_child_settings(aws, CHILD, |settings| settings["Report"] = Value::Null);
}

#[test]
fn execution_that_is_not_reported_has_a_reason() {
    let unknown = Reporting {
        project_id: "unknown",
        ..SHOP
    };
    let no_commit = "the execution does not exist, or has not read its commit yet";
    let rows: [(Reporting, Change, &str); 3] = [
        (unknown, |_| {}, NO_STACK),
        (SHOP, remove_gitlab, NO_GITLAB),
        (SHOP, |_| {}, no_commit),
    ];
    for (of, change, reason) in rows {
        in_account(async |fake| {
            fake.arrange(change);
            for (name, action) in [("execution", None), ("approval", Some("Approval"))] {
                let event = event(fake, of, (RUN, action), name);
                assert_eq!(because(fake, &event).await, reason);
            }
        });
    }
}

#[test]
fn event_of_an_approval_describes_its_pipelines_stack_once() {
    in_account(async |fake| {
        play_steps(fake, &waiting(RUN, 0), |_| ()).await;
        let event = event(fake, SHOP, (RUN, Some("Approval")), "asked");
        let answer = answered_once(fake, "asked", &event).await;
        answer.expect("not killed").expect("a report");
        let mut calls = fake.journal_of("asked");
        calls.retain(|call| call.operation == "DescribeStacks");
        calls.retain(|call| call.params["StackName"] == CHILD);
        assert_eq!(calls.len(), 1, "{calls:?}");
    });
}
