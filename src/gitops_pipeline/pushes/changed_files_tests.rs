use aws_sdk_codepipeline::types::PipelineExecutionStatus::{InProgress, Stopped};
use aws_sdk_codepipeline::types::PipelineExecutionSummary;
use aws_smithy_types::DateTime;

use crate::gitops_pipeline::pushes::BranchPush;
use crate::gitops_pipeline::pushes::changed_files::{ExecutionNeed, find_need};
use crate::gitops_pipeline::pushes::missed_push::tests::{
    PERSON, at, names, pushed, started_by, without_commit,
};

fn since(started: i64, mut execution: PipelineExecutionSummary) -> PipelineExecutionSummary {
    execution.start_time = Some(DateTime::from_secs(started));
    execution
}

fn execution(started: i64, commit: &str) -> PipelineExecutionSummary {
    since(started, pushed(commit))
}

/// A person deploys a commit again.
fn undo(started: i64, commit: &str) -> PipelineExecutionSummary {
    since(started, started_by(PERSON, commit))
}

/// A push at the tenth second.
fn push(old: &str, new: &str) -> BranchPush {
    BranchPush {
        names: None,
        repository_arn: None,
        branch: "development".to_owned(),
        commit: Some(new.to_owned()),
        old_commit: Some(old.to_owned()),
        time: Some(at(10)),
    }
}

/// The push that created the branch.
fn creation(new: &str) -> BranchPush {
    BranchPush {
        old_commit: None,
        ..push("", new)
    }
}

fn without_time(push: BranchPush) -> BranchPush {
    BranchPush { time: None, ..push }
}

/// One test for each row: the push, the branch's tip, the executions, and whether another one is
/// needed.
macro_rules! needs {
    ($($name:ident: $push:expr, $tip:literal, $executions:expr => $need:ident;)*) => {
        $(
            #[test]
            fn $name() {
                let need = find_need(&$push, $tip, &$executions, &names());
                assert_eq!(need, ExecutionNeed::$need);
            }
        )*
    };
}

needs! {
    push_without_its_execution_needs_one: push("a", "b"), "b", [execution(5, "a")] => Unmet;
    executed_push_needs_no_second_execution:
        push("a", "b"), "b", [execution(10, "b"), execution(5, "a")] => Met;
    later_unmatched_push_needs_no_execution:
        push("a", "b"), "c", [execution(10, "b"), execution(5, "a")] => Met;
    late_event_does_not_start_an_older_commit:
        push("a", "b"), "c", [execution(12, "c"), execution(5, "a")] => Met;
    force_push_to_an_executed_commit_needs_an_execution:
        push("b", "a"), "a", [execution(8, "b"), execution(5, "a")] => Unmet;
    branch_that_returns_needs_an_execution: creation("a"), "a", [execution(5, "a")] => Unmet;
    branch_that_returned_has_its_execution: creation("a"), "a", [execution(11, "a")] => Met;
    later_push_of_a_returned_branch_is_executed:
        creation("a"), "b", [execution(12, "b")] => Met;
    execution_that_reads_its_source_is_awaited:
        push("a", "b"), "b", [since(12, without_commit(InProgress)), execution(5, "a")] => Unknown;
    first_execution_is_awaited: push("a", "b"), "b", [] => Unknown;
    stopped_execution_is_not_awaited:
        push("a", "b"), "b", [since(12, without_commit(Stopped)), execution(5, "a")] => Unmet;
    event_without_a_time_relies_on_the_latest_execution:
        without_time(push("a", "b")), "b", [execution(12, "b")] => Met;
    undo_is_not_overruled_by_an_event_of_an_earlier_push:
        push("a", "b"), "c", [undo(20, "a"), execution(12, "c"), execution(5, "a")] => Met;
    undo_does_not_hide_a_push:
        push("a", "b"), "b", [undo(8, "z"), execution(5, "a")] => Unmet;
    tip_that_a_person_started_needs_no_execution:
        push("a", "b"), "b", [undo(8, "b"), execution(5, "a")] => Met;
    event_without_a_time_may_be_of_a_later_push:
        without_time(push("a", "b")), "c", [execution(12, "b")] => Unmet;
}
