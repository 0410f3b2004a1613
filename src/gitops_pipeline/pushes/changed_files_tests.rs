use std::time::{Duration, SystemTime};

use crate::gitops_pipeline::pushes::BranchPush;
use crate::gitops_pipeline::pushes::changed_files::{ExecutionNeed, ListedExecution, find_need};

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn execution(started: u64, commit: Option<&str>) -> ListedExecution {
    ListedExecution {
        started: Some(at(started)),
        commit: commit.map(ToOwned::to_owned),
        is_in_progress: true,
    }
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

#[test]
fn push_without_its_execution_needs_one() {
    let executions = [execution(5, Some("a"))];
    assert_eq!(
        find_need(&push("a", "b"), "b", &executions),
        ExecutionNeed::Unmet
    );
}

#[test]
fn executed_push_needs_no_second_execution() {
    let one = [execution(10, Some("b")), execution(5, Some("a"))];
    assert_eq!(find_need(&push("a", "b"), "b", &one), ExecutionNeed::Met);
    // A later push that did not match moved the branch.
    assert_eq!(find_need(&push("a", "b"), "c", &one), ExecutionNeed::Met);
}

#[test]
fn late_event_does_not_start_an_older_commit() {
    let later = [execution(12, Some("c")), execution(5, Some("a"))];
    assert_eq!(find_need(&push("a", "b"), "c", &later), ExecutionNeed::Met);
}

#[test]
fn force_push_to_an_executed_commit_needs_an_execution() {
    let earlier = [execution(8, Some("b")), execution(5, Some("a"))];
    assert_eq!(
        find_need(&push("b", "a"), "a", &earlier),
        ExecutionNeed::Unmet
    );
}

#[test]
fn branch_that_returns_needs_an_execution() {
    let mut created = push("", "a");
    created.old_commit = None;
    let earlier = [execution(5, Some("a"))];
    let need = |executions: &[ListedExecution]| find_need(&created, "a", executions);
    assert_eq!(need(&earlier), ExecutionNeed::Unmet);
    assert_eq!(need(&[execution(11, Some("a"))]), ExecutionNeed::Met);
    let later = [execution(12, Some("b"))];
    assert_eq!(find_need(&created, "b", &later), ExecutionNeed::Met);
}

#[test]
fn execution_that_reads_its_source_is_awaited() {
    let reading = [execution(12, None), execution(5, Some("a"))];
    assert_eq!(
        find_need(&push("a", "b"), "b", &reading),
        ExecutionNeed::Unknown
    );
    assert_eq!(find_need(&push("a", "b"), "b", &[]), ExecutionNeed::Unknown);
    let mut stopped = reading;
    stopped[0].is_in_progress = false;
    assert_eq!(
        find_need(&push("a", "b"), "b", &stopped),
        ExecutionNeed::Unmet
    );
}

#[test]
fn event_without_a_time_relies_on_the_latest_execution() {
    let mut untimed = push("a", "b");
    untimed.time = None;
    let one = [execution(12, Some("b"))];
    assert_eq!(find_need(&untimed, "b", &one), ExecutionNeed::Met);
    assert_eq!(find_need(&untimed, "c", &one), ExecutionNeed::Unmet);
}
