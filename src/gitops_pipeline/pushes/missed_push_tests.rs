//! Which pushes are missed.

use aws_sdk_codepipeline::types::{
    ExecutionTrigger, ExecutionType, PipelineExecutionStatus, SourceRevision, TriggerType,
};
use aws_smithy_types::DateTime;

use super::PushVerdict::{Canceled, Executed, Lost, Undone};
use super::*;

const OWN: &str = "arn:aws:sts::123456789012:assumed-role/role-dev-cfn-gitops/cfn-gitops-dev";
const OWN_ROLE: &str = "arn:aws:iam::123456789012:role/role-dev-cfn-gitops";
pub const PERSON: &str = "arn:aws:sts::123456789012:assumed-role/Administrator/jane";

pub fn names() -> ResourceNames {
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

pub fn pushed(commit: &str) -> PipelineExecutionSummary {
    of(commit, TriggerType::CloudWatchEvent, "")
}

pub fn started_by(caller: &str, commit: &str) -> PipelineExecutionSummary {
    of(commit, TriggerType::StartPipelineExecution, caller)
}

/// A push's execution that ended so before it read a commit.
pub fn without_commit(status: PipelineExecutionStatus) -> PipelineExecutionSummary {
    let execution = PipelineExecutionSummary::builder();
    execution.status(status).build()
}

#[track_caller]
fn assert_verdict(listed: &[PipelineExecutionSummary], expected: &PushVerdict<'_>) {
    let found = verdict("tip", listed, &names(), at(200));
    assert_eq!(found, *expected, "{listed:?}");
}

#[test]
fn rollbacks_and_starts_by_people_do_not_show_pushes() {
    let rollback = of("c0", TriggerType::ManualRollback, "");
    for other in [rollback, started_by(PERSON, "c0")] {
        assert_verdict(&[other.clone(), pushed("tip")], &Executed);
        assert_verdict(&[other.clone(), pushed("c1")], &Undone("c1"));
        assert_verdict(&[other], &Executed);
    }
    for own in [OWN, OWN_ROLE] {
        assert_verdict(&[started_by(own, "c0"), pushed("tip")], &Lost("c0"));
    }
    for resource in [
        "role/role-dev-cfn-gitops-provisioning",
        "assumed-role/role-dev-cfn-gitops-provisioning/jane",
        "user/:role/role-dev-cfn-gitops",
        "user/:assumed-role/role-dev-cfn-gitops/jane",
    ] {
        let other = format!("arn:aws:iam::123456789012:{resource}");
        assert_verdict(&[started_by(&other, "c0"), pushed("tip")], &Executed);
    }
    // A person has started the tip.
    assert_verdict(&[started_by(PERSON, "tip"), pushed("c1")], &Executed);
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
            for (before, expected) in [
                (pushed("tip"), Executed),
                (pushed("c1"), Undone("c1")),
                (undo.clone(), Executed),
            ] {
                assert_verdict(&[undo.clone(), before.clone()], &expected);
                // CodePipeline rolls the undo back by itself.
                let rollback = of("c1", TriggerType::AutomatedRollback, "");
                assert_verdict(&[rollback, undo.clone(), before], &expected);
            }
        }
        for newer in [pushed("c0"), started_by(OWN, "c0")] {
            assert_verdict(&[newer, undo.clone(), pushed("tip")], &Lost("c0"));
        }
    }
    for tip in [started_by(PERSON, "tip"), manual("tip"), unknown("tip")] {
        assert_verdict(&[tip, pushed("c1")], &Executed);
    }
    let rollback = of("c0", TriggerType::AutomatedRollback, "");
    assert_verdict(&[rollback.clone(), pushed("c1")], &Lost("c1"));
    assert_verdict(&[rollback], &Executed);
    assert_verdict(&[], &Executed);
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
        assert_verdict(&listed, &Lost("c1"));
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
    let earlier_image = with_image(again.clone(), "i1");
    for (undo, before) in [
        (vec![earlier_image], with_image(pushed("c1"), "i2")),
        (vec![again.clone()], pushed("c2")),
        (vec![again.clone(), started_by(PERSON, "c0")], pushed("c1")),
        (vec![again, manual.clone()], pushed("c1")),
        (vec![manual], pushed("c1")),
    ] {
        let expected = Undone(commit_of(&before).expect("a commit"));
        assert_verdict(
            &[&undo[..], &[before.clone(), pushed("c1")]].concat(),
            &expected,
        );
    }
}

#[test]
fn execution_of_a_person_without_a_commit_is_an_undo() {
    let mut early = started_by(PERSON, "c0");
    early.source_revisions = None;
    early.status = Some(PipelineExecutionStatus::Failed);
    assert_verdict(&[early.clone(), pushed("c1")], &Undone("c1"));
    // It may read the tip.
    early.status = Some(PipelineExecutionStatus::InProgress);
    assert_verdict(&[early, pushed("c1")], &Executed);
    let event = without_commit(PipelineExecutionStatus::Failed);
    let listed = [event, started_by(PERSON, "c0"), pushed("c1")];
    assert_verdict(&listed, &Lost("c1"));
}

#[test]
fn newest_execution_with_a_commit_decides_behind_one_failure() {
    use PipelineExecutionStatus::{Cancelled, Failed, Stopped, Stopping, Superseded};
    let rollback = of("c0", TriggerType::ManualRollback, "");
    let person = started_by(PERSON, "c0");
    let cases: &[(&[PipelineExecutionStatus], PushVerdict<'_>)] = &[
        (&[Failed], Lost("c1")),
        (&[Superseded], Lost("c1")),
        (&[Failed, Failed], Executed),
        (&[Superseded, Failed], Executed),
        (&[Cancelled, Cancelled, Failed], Lost("c1")),
        (&[Failed, Cancelled, Failed], Executed),
        (&[Stopped], Executed),
        (&[Stopping], Executed),
        (&[Failed, Stopped], Executed),
    ];
    for (statuses, expected) in cases {
        let early = statuses.iter().cloned().map(without_commit);
        let early: Vec<_> = early.collect();
        assert_verdict(&[&early[..], &[pushed("c1")]].concat(), expected);
        let between = [rollback.clone(), person.clone(), pushed("c1")];
        assert_verdict(&[&early[..], &between].concat(), expected);
        assert_verdict(&[&early[..], &[pushed("tip")]].concat(), &Executed);
    }
    assert_verdict(&[without_commit(Failed)], &Executed);
}

#[test]
fn nothing_is_missed_while_an_execution_reads_its_source() {
    let reading = without_commit(PipelineExecutionStatus::InProgress);
    assert_verdict(&[reading.clone(), pushed("c1")], &Executed);
    assert_verdict(&[pushed("c1"), reading], &Executed);
}

/// A push's execution of `c0` that ended in `status`.
fn ended(status: PipelineExecutionStatus) -> PipelineExecutionSummary {
    let mut execution = pushed("c0");
    execution.status = Some(status);
    execution
}

pub fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The verdict on an execution that ran from second 100 to second 200.
fn canceled(commit: &str) -> PushVerdict<'_> {
    Canceled(commit, at(100)..=at(210))
}

#[test]
fn only_a_newest_canceled_execution_is_started_again() {
    use PipelineExecutionStatus::Cancelled;
    for status in PipelineExecutionStatus::values() {
        let status = PipelineExecutionStatus::from(*status);
        let is_canceled = status == Cancelled;
        let expected = if is_canceled {
            canceled("c0")
        } else {
            Lost("c0")
        };
        assert_verdict(&[ended(status.clone())], &expected);
        // The newer one has not read its commit.
        let listed = [without_commit(status), ended(Cancelled)];
        let found = verdict("tip", &listed, &names(), at(200));
        assert!(!matches!(found, Canceled(..)), "{listed:?}");
    }
    let mut of_tip = pushed("tip");
    of_tip.status = Some(Cancelled);
    assert_verdict(&[of_tip, pushed("c1")], &canceled("tip"));
    let mut rollback = ended(Cancelled);
    rollback.execution_type = Some(ExecutionType::Rollback);
    assert_verdict(&[rollback, pushed("c1")], &Undone("c1"));
}

#[test]
fn execution_canceled_a_day_ago_is_not_started_again() {
    let listed = [ended(PipelineExecutionStatus::Cancelled)];
    let day = MAX_AGE.as_secs();
    for (now, expected) in [
        (200 + day - 1, canceled("c0")),
        (200 + day, Lost("c0")),
        // CodePipeline's clock may be ahead.
        (100, canceled("c0")),
    ] {
        assert_eq!(
            verdict("tip", &listed, &names(), at(now)),
            expected,
            "{now}"
        );
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
        assert_verdict(&listed, &Executed);
    }
    // It may not have been canceled.
    let unknown_end = [ended(status())];
    assert_verdict(&unknown_end, &Lost("c0"));
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
