//! Which pushes are missed.

use aws_sdk_codepipeline::types::{
    ExecutionTrigger, ExecutionType, PipelineExecutionStatus, SourceRevision, TriggerType,
};
use aws_smithy_types::DateTime;

use super::*;

const OWN: &str = "arn:aws:sts::123456789012:assumed-role/role-dev-cfn-gitops/cfn-gitops-dev";
const OWN_ROLE: &str = "arn:aws:iam::123456789012:role/role-dev-cfn-gitops";
const PERSON: &str = "arn:aws:sts::123456789012:assumed-role/Administrator/jane";

fn names() -> ResourceNames {
    ResourceNames::new("dev", "shop").expect("names")
}

/// An execution of `commit` that has succeeded, from second 100 to second 200.
fn of(commit: &str, trigger: TriggerType, detail: &str) -> PipelineExecutionSummary {
    let revision = SourceRevision::builder().action_name(executions::SOURCE);
    let revision = revision.revision_id(commit).build().expect("a revision");
    let trigger = ExecutionTrigger::builder().trigger_type(trigger);
    PipelineExecutionSummary::builder()
        .start_time(DateTime::from_secs(100))
        .last_update_time(DateTime::from_secs(200))
        .status(PipelineExecutionStatus::Succeeded)
        .trigger(trigger.trigger_detail(detail).build())
        .source_revisions(revision)
        .build()
}

fn pushed(commit: &str) -> PipelineExecutionSummary {
    of(commit, TriggerType::CloudWatchEvent, "")
}

fn started_by(caller: &str, commit: &str) -> PipelineExecutionSummary {
    of(commit, TriggerType::StartPipelineExecution, caller)
}

/// A push's execution that ended so before it read a commit.
fn without_commit(status: PipelineExecutionStatus) -> PipelineExecutionSummary {
    let execution = PipelineExecutionSummary::builder();
    execution.status(status).build()
}

#[track_caller]
fn assert_executed(listed: &[PipelineExecutionSummary], expected: Option<&str>) {
    assert_eq!(executed_instead_of("tip", listed, &names()), expected);
}

#[test]
fn rollbacks_and_starts_by_people_do_not_show_pushes() {
    let rollback = of("c0", TriggerType::ManualRollback, "");
    for other in [rollback, started_by(PERSON, "c0")] {
        assert_executed(&[other.clone(), pushed("tip")], None);
        assert_executed(&[other.clone(), pushed("c1")], Some("c1"));
        assert_executed(&[other], None);
    }
    for own in [OWN, OWN_ROLE] {
        assert_executed(&[started_by(own, "c0"), pushed("tip")], Some("c0"));
    }
    for resource in [
        "role/role-dev-cfn-gitops-provisioning",
        "assumed-role/role-dev-cfn-gitops-provisioning/jane",
        "user/:role/role-dev-cfn-gitops",
        "user/:assumed-role/role-dev-cfn-gitops/jane",
    ] {
        let other = format!("arn:aws:iam::123456789012:{resource}");
        assert_executed(&[started_by(&other, "c0"), pushed("tip")], None);
    }
    // A person has started the tip.
    assert_executed(&[started_by(PERSON, "tip"), pushed("c1")], None);
}

#[track_caller]
fn assert_undone(listed: &[PipelineExecutionSummary], expected: bool) {
    assert_eq!(is_undone("tip", listed, &names()), expected, "{listed:?}");
}

#[test]
fn newest_execution_of_a_person_with_another_commit_is_an_undo() {
    use PipelineExecutionStatus::{Cancelled, Failed, InProgress, Stopped, Succeeded};
    let manual = |commit| of(commit, TriggerType::ManualRollback, "");
    let unknown = |commit| of(commit, TriggerType::from("FUTURE_VALUE"), "");
    let mut unknown_type = pushed("c0");
    unknown_type.execution_type = Some(ExecutionType::from("FUTURE_VALUE"));
    for undo in [
        started_by(PERSON, "c0"),
        manual("c0"),
        unknown("c0"),
        unknown_type,
    ] {
        for status in [InProgress, Succeeded, Failed, Stopped, Cancelled] {
            let mut undo = undo.clone();
            undo.status = Some(status);
            for before in [pushed("tip"), pushed("c1"), undo.clone()] {
                assert_undone(&[undo.clone(), before.clone()], true);
                // CodePipeline rolls the undo back by itself.
                let rollback = of("c1", TriggerType::AutomatedRollback, "");
                assert_undone(&[rollback, undo.clone(), before], true);
            }
        }
        for newer in [pushed("c0"), started_by(OWN, "c0"), pushed("tip")] {
            assert_undone(&[newer, undo.clone(), pushed("tip")], false);
        }
    }
    for tip in [started_by(PERSON, "tip"), manual("tip"), unknown("tip")] {
        assert_undone(&[tip, pushed("c1")], false);
    }
    let rollback = of("c0", TriggerType::AutomatedRollback, "");
    assert_undone(&[rollback.clone(), pushed("c1")], false);
    assert_undone(&[rollback], false);
    assert_undone(&[], false);
}

/// *Release change*, before a push whose event is lost.
#[test]
fn newest_push_that_a_person_deploys_again_is_no_undo() {
    let again = started_by(PERSON, "c1");
    let rollback = of("c0", TriggerType::AutomatedRollback, "");
    for listed in [
        vec![again.clone(), pushed("c1")],
        vec![again.clone(), again.clone(), pushed("c1"), pushed("c0")],
        vec![again.clone(), started_by(OWN, "c1")],
        vec![rollback.clone(), again.clone(), rollback, pushed("c1")],
    ] {
        assert_undone(&listed, false);
        assert_executed(&listed, Some("c1"));
    }
    let image = |digest| {
        let revision = SourceRevision::builder().action_name("Image");
        revision.revision_id(digest).build().expect("a revision")
    };
    let with_image = |mut execution: PipelineExecutionSummary, digest| {
        let revisions = execution.source_revisions.get_or_insert_default();
        revisions.push(image(digest));
        execution
    };
    let manual = of("c1", TriggerType::ManualRollback, "");
    for listed in [
        // An earlier image.
        vec![
            with_image(again.clone(), "i1"),
            with_image(pushed("c1"), "i2"),
        ],
        vec![again.clone(), pushed("c2"), pushed("c1")],
        vec![again.clone(), started_by(PERSON, "c0"), pushed("c1")],
        vec![again.clone(), manual.clone(), pushed("c1")],
        vec![manual, pushed("c1")],
        vec![again],
    ] {
        assert_undone(&listed, true);
    }
}

#[test]
fn execution_of_a_person_without_a_commit_is_an_undo() {
    let mut early = started_by(PERSON, "c0");
    early.source_revisions = None;
    early.status = Some(PipelineExecutionStatus::Failed);
    assert_undone(&[early.clone(), pushed("c1")], true);
    // It may read the tip.
    early.status = Some(PipelineExecutionStatus::InProgress);
    assert_executed(&[early, pushed("c1")], None);
    let event = without_commit(PipelineExecutionStatus::Failed);
    assert_undone(&[event, started_by(PERSON, "c0")], false);
}

#[test]
fn newest_execution_with_a_commit_decides_behind_one_failure() {
    use PipelineExecutionStatus::{Cancelled, Failed, Stopped, Stopping, Superseded};
    let rollback = of("c0", TriggerType::ManualRollback, "");
    let person = started_by(PERSON, "c0");
    let cases: &[(&[PipelineExecutionStatus], Option<&str>)] = &[
        (&[Failed], Some("c1")),
        (&[Superseded], Some("c1")),
        (&[Failed, Failed], None),
        (&[Superseded, Failed], None),
        (&[Cancelled, Cancelled, Failed], Some("c1")),
        (&[Failed, Cancelled, Failed], None),
        (&[Stopped], None),
        (&[Stopping], None),
        (&[Failed, Stopped], None),
    ];
    for (statuses, expected) in cases {
        let early = statuses.iter().cloned().map(without_commit);
        let early: Vec<_> = early.collect();
        assert_executed(&[&early[..], &[pushed("c1")]].concat(), *expected);
        let between = [rollback.clone(), person.clone(), pushed("c1")];
        assert_executed(&[&early[..], &between].concat(), *expected);
        assert_executed(&[&early[..], &[pushed("tip")]].concat(), None);
    }
    assert_executed(&[without_commit(Failed)], None);
}

#[test]
fn nothing_is_missed_while_an_execution_reads_its_source() {
    let reading = without_commit(PipelineExecutionStatus::InProgress);
    assert_executed(&[reading.clone(), pushed("c1")], None);
    assert_executed(&[pushed("c1"), reading], None);
}

/// A push's execution of `c0` that ended in `status`.
fn ended(status: PipelineExecutionStatus) -> PipelineExecutionSummary {
    let mut execution = pushed("c0");
    execution.status = Some(status);
    execution
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[track_caller]
fn assert_canceled(listed: &[PipelineExecutionSummary], now: u64, expected: Option<&str>) {
    let found = newest_canceled(listed, at(now));
    assert_eq!(found.map(|(commit, _)| commit), expected);
}

#[test]
fn only_a_newest_canceled_execution_is_started_again() {
    use PipelineExecutionStatus::Cancelled;
    for status in PipelineExecutionStatus::values() {
        let status = PipelineExecutionStatus::from(*status);
        let expected = (status == Cancelled).then_some("c0");
        assert_canceled(&[ended(status.clone())], 200, expected);
        // The newer one has not read its commit.
        assert_canceled(&[without_commit(status), ended(Cancelled)], 200, None);
    }
    assert_canceled(&[], 200, None);
    let mut rollback = ended(Cancelled);
    rollback.execution_type = Some(ExecutionType::Rollback);
    assert_canceled(&[rollback], 200, None);
}

#[test]
fn execution_canceled_a_day_ago_is_not_started_again() {
    let canceled = [ended(PipelineExecutionStatus::Cancelled)];
    let day = MAX_AGE.as_secs();
    assert_canceled(&canceled, 200 + day - 1, Some("c0"));
    assert_canceled(&canceled, 200 + day, None);
    // CodePipeline's clock may be ahead.
    assert_canceled(&canceled, 100, Some("c0"));
}

#[test]
fn update_while_the_execution_ran_canceled_it() {
    let canceled = [ended(PipelineExecutionStatus::Cancelled)];
    let (_, ran) = newest_canceled(&canceled, at(200)).expect("a canceled execution");
    for (update, is_cause) in [(99, false), (100, true), (210, true), (211, false)] {
        assert_eq!(ran.contains(&at(update)), is_cause, "{update}");
    }
}

/// Values that the SDK does not have.
#[test]
fn execution_with_an_unknown_value_starts_nothing() {
    let status = || PipelineExecutionStatus::from("FUTURE_VALUE");
    let unknown_trigger = of("c0", TriggerType::from("FUTURE_VALUE"), "");
    let mut unknown_type = pushed("c0");
    unknown_type.execution_type = Some(ExecutionType::from("FUTURE_VALUE"));
    for listed in [
        vec![unknown_trigger],
        vec![unknown_type],
        vec![without_commit(status()), pushed("c0")],
        vec![PipelineExecutionSummary::builder().build(), pushed("c0")],
    ] {
        assert_executed(&listed, None);
    }
    let unknown_end = [ended(status())];
    assert!(newest_canceled(&unknown_end, SystemTime::UNIX_EPOCH).is_none());
    assert!(!executions::status_of(&unknown_end[0]).is_end());
}

#[test]
fn rule_that_started_a_canceled_execution_holds_it() {
    let arn = |rule: EventRule| {
        let name = rule.name(&names());
        format!("arn:aws:events:eu-central-1:123456789012:rule/{name}")
    };
    let by = |detail: &str| is_by_image(&of("c1", TriggerType::CloudWatchEvent, detail), &names());
    assert!(by(&arn(EventRule::Image)));
    assert!(!by(&arn(EventRule::Push)) && !by(""));
}
