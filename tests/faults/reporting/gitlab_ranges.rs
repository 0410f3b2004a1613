//! Which commits are new: those since the last deployed one, if a person has looked at that one.
//! Otherwise an author of the changes could approve them by a tag.

use std::time::Duration;

use crate::fixture::{BRANCH, COMMITS};
use crate::gitlab_approvals::{
    ANN, DAN, DEPLOYED, approve_run_0, executions, project, roll_back_to,
};
use crate::gitlab_attacks::assert_refused;
use fake_aws::AwsState;

/// The summary of the function's approval.
const SUMMARY: &str = "cfn-gitops: the change set has no changes";

/// How the approval of the last deployed execution ended.
fn end_approval_of_run_0(aws: &mut AwsState, status: &'static str) {
    executions(aws)[0].actions[0].status = status;
}

/// Before this one, an execution of `commit` was approved by the function.
fn function_approves(aws: &mut AwsState, commit: &str) {
    executions(aws)[0].changed -= Duration::from_mins(1);
    let mut run = executions(aws)[0].clone();
    "run-00".clone_into(&mut run.id);
    run.revision = Some(commit.to_owned());
    run.changed = aws.now;
    run.actions[0].text = Some(SUMMARY);
    executions(aws).insert(1, run);
}

/// So many commits are between the last deployed one and the one that waits.
pub fn put_between(aws: &mut AwsState, number: usize) {
    let between = (0..number).map(|at| format!("between-{at}"));
    let ends = [DEPLOYED, COMMITS[0]].map(str::to_owned);
    let [first, last] = ends.map(std::iter::once);
    let line: Vec<String> = first.chain(between).chain(last).collect();
    let pairs = line
        .windows(2)
        .map(|pair| (pair[1].clone(), pair[0].clone()));
    project(aws).records.history.parents.extend(pairs);
    project(aws).commits.extend(line);
}

// claim: commit-that-ran-before-is-not-approved
#[test]
#[allow(clippy::too_many_lines)] // A table.
fn tag_decides_nothing_if_no_person_saw_a_former_commit() {
    const NONE: &str = "none of the latest";
    const SAME: &str = "its commit is the last";
    const MERGE: &str = "merge requests";
    const UNKNOWN: &str = "does not show the commits";
    assert_refused(&[
        ("first deployment", NONE, ANN, |aws, _| {
            executions(aws).remove(0);
        }),
        ("only what the function approved", NONE, ANN, |aws, _| {
            approve_run_0(aws, Some(SUMMARY));
        }),
        ("deployed without an approval", NONE, ANN, |aws, _| {
            executions(aws)[0].actions.clear();
        }),
        ("author of what needed no approval", MERGE, DAN, |aws, _| {
            function_approves(aws, COMMITS[0]);
            executions(aws)[1].actions.clear();
        }),
        ("approval that waits", NONE, ANN, |aws, _| {
            end_approval_of_run_0(aws, "InProgress");
        }),
        ("approval that was rejected", NONE, ANN, |aws, _| {
            end_approval_of_run_0(aws, "Failed");
        }),
        ("approval of an unknown state", NONE, ANN, |aws, _| {
            end_approval_of_run_0(aws, "Skipped");
        }),
        ("approval of an earlier attempt", NONE, ANN, |aws, _| {
            let now = aws.now;
            executions(aws)[0].begin("Approval", now);
            executions(aws)[0].end("Approval", "Skipped", None, now);
        }),
        ("approval of another action", NONE, ANN, |aws, _| {
            executions(aws)[0].actions[0].name = "Review";
        }),
        ("rolled back to what needed none", NONE, ANN, |aws, _| {
            executions(aws)[0].actions.clear();
            roll_back_to(aws, DEPLOYED);
        }),
        (
            "author of what the function approved",
            MERGE,
            DAN,
            |aws, _| {
                function_approves(aws, COMMITS[0]);
            },
        ),
        ("deployed before", SAME, ANN, |aws, _| {
            executions(aws)[0].revision = Some(COMMITS[0].to_owned());
        }),
        (
            "deployed before, with another image",
            SAME,
            DAN,
            |aws, _| {
                executions(aws)[0].revision = Some(COMMITS[0].to_owned());
                function_approves(aws, COMMITS[0]);
            },
        ),
        ("rolled back to the same", SAME, ANN, |aws, _| {
            executions(aws)[0].revision = Some(COMMITS[0].to_owned());
            roll_back_to(aws, COMMITS[0]);
        }),
        // The function approved the commit that the rollback deployed again.
        ("rolled back to what nobody saw", NONE, ANN, |aws, _| {
            approve_run_0(aws, Some(SUMMARY));
            roll_back_to(aws, DEPLOYED);
        }),
        ("rolled back to what is not listed", NONE, ANN, |aws, _| {
            roll_back_to(aws, "long-ago");
        }),
        ("older than the deployed one", UNKNOWN, ANN, |aws, _| {
            executions(aws)[0].revision = Some(COMMITS[1].to_owned());
            let (tip, parent) = (COMMITS[1].to_owned(), COMMITS[0].to_owned());
            let project = project(aws);
            project.branches.insert(BRANCH.to_owned(), tip.clone());
            project.records.history.parents.insert(tip, parent);
        }),
        ("unknown former commit", UNKNOWN, ANN, |aws, _| {
            executions(aws)[0].revision = Some("unknown".to_owned());
        }),
        ("too many commits", "more than 100", ANN, |aws, _| {
            put_between(aws, 100);
        }),
    ]);
}
