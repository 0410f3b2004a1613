//! Which executions are started again.

use aws_sdk_codepipeline::types::SourceRevision;
use aws_smithy_types::DateTime;

use super::*;

/// An execution from second 100 to second 200.
fn execution(status: PipelineExecutionStatus, commit: Option<&str>) -> PipelineExecutionSummary {
    let revision = |commit| {
        let revision = SourceRevision::builder().action_name(executions::SOURCE);
        revision.revision_id(commit).build().expect("a revision")
    };
    PipelineExecutionSummary::builder()
        .pipeline_execution_id("canceled")
        .status(status)
        .start_time(DateTime::from_secs(100))
        .last_update_time(DateTime::from_secs(200))
        .set_source_revisions(commit.map(|commit| vec![revision(commit)]))
        .build()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn canceled() -> CanceledExecution {
    let listed = [execution(PipelineExecutionStatus::Cancelled, Some("c0"))];
    CanceledExecution::newest(&listed).expect("a canceled execution")
}

#[test]
fn execution_in_another_status_is_not_found() {
    for status in PipelineExecutionStatus::values() {
        let status = PipelineExecutionStatus::from(*status);
        let is_canceled = status == PipelineExecutionStatus::Cancelled;
        let found = CanceledExecution::newest(&[execution(status.clone(), Some("c0"))]);
        assert_eq!(found.is_some(), is_canceled, "{status}");
    }
}

#[test]
fn canceled_execution_before_a_newer_one_is_not_found() {
    let older = execution(PipelineExecutionStatus::Cancelled, Some("c0"));
    for status in PipelineExecutionStatus::values() {
        let status = PipelineExecutionStatus::from(*status);
        // It has not read its commit.
        let newer = execution(status, None);
        let found = CanceledExecution::newest(&[newer, older.clone()]);
        assert_eq!(found, None);
    }
    assert_eq!(CanceledExecution::newest(&[]), None);
}

#[test]
fn canceled_rollback_is_not_found() {
    for (kind, is_found) in [
        (ExecutionType::Standard, true),
        (ExecutionType::Rollback, false),
    ] {
        let mut listed = execution(PipelineExecutionStatus::Cancelled, Some("c0"));
        listed.execution_type = Some(kind);
        assert_eq!(CanceledExecution::newest(&[listed]).is_some(), is_found);
    }
}

#[test]
fn update_while_the_execution_ran_canceled_it() {
    for (update, is_cause) in [(99, false), (100, true), (210, true), (211, false)] {
        for others in [vec![], vec![at(0), at(900)]] {
            let mut updates = others;
            updates.push(at(update));
            assert_eq!(canceled().ran_during(&updates), is_cause, "{update}");
        }
    }
    assert!(!canceled().ran_during(&[]));
}

#[test]
fn execution_of_yesterday_is_not_recent() {
    let day = MAX_AGE.as_secs();
    assert!(canceled().is_recent(at(200 + day - 1)));
    assert!(!canceled().is_recent(at(200 + day)));
    // CodePipeline's clock may be ahead.
    assert!(canceled().is_recent(at(100)));
}
