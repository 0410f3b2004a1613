//! The table of a comparison's plan.

use std::collections::BTreeMap;

use super::*;
use crate::feedback::change_sets::Effect;

type Planned = Next<DriftStep, Found, CallError>;

fn change(id: &str, drift: DriftStatus) -> Change {
    Change {
        effect: Effect::Modify,
        logical_id: id.to_owned(),
        resource_type: "AWS::SQS::Queue".to_owned(),
        is_updated: false,
        is_deleted: false,
        drift: Some(drift),
        properties: BTreeMap::new(),
    }
}

fn state(may_exist: bool, comparison: impl Into<Option<ComparisonResult>>) -> DriftState {
    DriftState {
        stack: Some(StackState::Ready {
            parameters: vec!["Size".to_owned()],
            capabilities: vec![],
        }),
        may_exist,
        comparison: comparison.into(),
        is_deploying: Some(false),
        is_repaired: false,
    }
}

fn read(changes: Vec<Change>, creation: Creation) -> ComparisonResult {
    ComparisonResult::Read(ChangeSet {
        id: "own".to_owned(),
        creation,
        changes,
        is_partial: false,
    })
}

#[track_caller]
fn applies(state: &DriftState, repairs: bool, step: DriftStep) {
    assert_eq!(next(state, repairs), Planned::Apply(step));
}

#[test]
fn earlier_change_set_is_deleted_first() {
    let mut state = state(true, None);
    applies(&state, false, DriftStep::DeleteChangeSet);
    state.may_exist = false;
    applies(&state, false, DriftStep::Compare);
    state.stack = None;
    applies(&state, false, DriftStep::ReadStack);
}

#[test]
fn only_drift_is_repaired() {
    let drifted = read(vec![change("A", DriftStatus::Modified)], Creation::Complete);
    let state = state(true, drifted);
    applies(&state, true, DriftStep::ExecuteChangeSet);
    applies(&state, false, DriftStep::DeleteChangeSet);
    for (drift, creation) in [
        (DriftStatus::InSync, Creation::Complete),
        (DriftStatus::NotCompared, Creation::Complete),
        (DriftStatus::Modified, Creation::Failed("why".to_owned())),
    ] {
        let state = DriftState {
            comparison: Some(read(vec![change("A", drift)], creation)),
            ..state.clone()
        };
        applies(&state, true, DriftStep::DeleteChangeSet);
    }
}

#[test]
fn changes_of_resources_in_sync_are_not_drift() {
    let replaced = Change {
        effect: Effect::Replace,
        ..change("A", DriftStatus::InSync)
    };
    let changes = vec![
        replaced,
        change("B", DriftStatus::Deleted),
        change("C", DriftStatus::NotCompared),
        change("D", DriftStatus::Modified),
    ];
    let state = state(false, read(changes, Creation::Complete));
    let Planned::Done(Found::Compared(drifted)) = next(&state, true) else {
        panic!("not compared");
    };
    let ids: Vec<&str> = drifted
        .resources
        .iter()
        .map(|one| one.logical_id.as_str())
        .collect();
    assert_eq!((ids, drifted.not_compared), (vec!["B", "D"], 1));
    assert!(drifted.is_partial);
    assert_eq!(drifted.repair, Repair::Destructive);
    assert_eq!(drifted.parameters, ["Size"]);
}

#[test]
fn empty_change_set_is_no_drift_and_a_failed_one_no_result() {
    let of = |creation| state(false, read(vec![], creation));
    assert!(matches!(
        next(&of(Creation::Empty), false),
        Planned::Done(Found::Compared(drifted)) if drifted == Drifted { parameters: vec!["Size".to_owned()], ..Drifted::default() }
    ));
    assert_eq!(
        next(&of(Creation::Failed("why".to_owned())), false),
        Planned::Done(Found::Nothing("why".to_owned()))
    );
}

#[test]
fn stack_without_resources_or_in_progress_is_not_compared() {
    let mut state = state(true, None);
    let unready = StackState::Unready("UPDATE_IN_PROGRESS".to_owned());
    for stack in [StackState::Missing, unready] {
        state.stack = Some(stack);
        let planned = next(&state, true);
        assert!(matches!(planned, Planned::Done(Found::Nothing(_))));
    }
}

#[test]
fn impossible_comparison_is_no_result() {
    let planned = next(&state(true, ComparisonResult::Impossible("why")), true);
    assert_eq!(planned, Planned::Done(Found::Nothing("why".to_owned())));
}

#[test]
fn repair_that_deletes_a_resource_is_not_executed() {
    for effect in [Effect::Replace, Effect::MayReplace, Effect::Remove] {
        for (drift, expected) in [
            (DriftStatus::InSync, DriftStep::DeleteChangeSet),
            (DriftStatus::Deleted, DriftStep::ExecuteChangeSet),
        ] {
            let deletes = Change {
                effect,
                ..change("B", drift)
            };
            let changes = vec![change("A", DriftStatus::Modified), deletes];
            let state = state(true, read(changes, Creation::Complete));
            applies(&state, true, expected);
        }
    }
}

#[test]
fn repair_waits_until_no_execution_is_in_progress() {
    let drifted = read(vec![change("A", DriftStatus::Modified)], Creation::Complete);
    let mut state = state(true, drifted);
    for (is_deploying, expected) in [
        (None, DriftStep::ReadExecutions),
        (Some(true), DriftStep::DeleteChangeSet),
        (Some(false), DriftStep::ExecuteChangeSet),
    ] {
        state.is_deploying = is_deploying;
        applies(&state, true, expected);
    }
    (state.is_deploying, state.may_exist) = (Some(true), false);
    let Planned::Done(Found::Compared(drifted)) = next(&state, true) else {
        panic!("not compared");
    };
    assert_eq!(drifted.repair, Repair::Deploying);
}
