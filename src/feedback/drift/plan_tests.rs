//! The table of a comparison's plan.

use super::*;
use crate::feedback::change_sets::Effect;

type Planned = Next<DriftStep, Found, ()>;

fn change(id: &str, drift: DriftStatus) -> Change {
    Change {
        effect: Effect::Modify,
        logical_id: id.to_owned(),
        resource_type: "AWS::SQS::Queue".to_owned(),
        drift: Some(drift),
    }
}

fn state(change_set: ChangeSetState) -> DriftState {
    DriftState {
        stack: Some(StackState::Ready {
            parameters: vec!["Size".to_owned()],
            capabilities: vec![],
        }),
        change_set,
        created_id: Some("own".to_owned()),
        creations: 0,
        is_repaired: false,
    }
}

fn read(changes: Vec<Change>, progress: Progress) -> ChangeSet {
    ChangeSet {
        id: "own".to_owned(),
        progress,
        changes,
        is_partial: false,
    }
}

#[test]
fn earlier_change_set_is_deleted_first() {
    let mut state = state(ChangeSetState::Unknown);
    assert_eq!(
        next(&state, false),
        Planned::Apply(DriftStep::DeleteChangeSet)
    );
    state.change_set = ChangeSetState::Absent;
    assert_eq!(
        next(&state, false),
        Planned::Apply(DriftStep::CreateChangeSet)
    );
    state.stack = None;
    assert_eq!(next(&state, false), Planned::Apply(DriftStep::ReadStack));
}

#[test]
fn only_drift_is_repaired() {
    let drifted = read(vec![change("A", DriftStatus::Modified)], Progress::Complete);
    let state = state(ChangeSetState::Read(drifted.clone()));
    assert_eq!(
        next(&state, true),
        Planned::Apply(DriftStep::ExecuteChangeSet)
    );
    assert_eq!(
        next(&state, false),
        Planned::Apply(DriftStep::DeleteChangeSet)
    );
    for (drift, progress) in [
        (DriftStatus::InSync, Progress::Complete),
        (DriftStatus::NotCompared, Progress::Complete),
        (DriftStatus::Modified, Progress::Failed("why".to_owned())),
    ] {
        let state = DriftState {
            change_set: ChangeSetState::Read(read(vec![change("A", drift)], progress)),
            ..state.clone()
        };
        assert_eq!(
            next(&state, true),
            Planned::Apply(DriftStep::DeleteChangeSet)
        );
    }
}

#[test]
fn changes_of_resources_in_sync_are_not_drift() {
    let changes = vec![
        change("A", DriftStatus::InSync),
        change("B", DriftStatus::Deleted),
        change("C", DriftStatus::NotCompared),
        change("D", DriftStatus::Modified),
    ];
    let state = state(ChangeSetState::Gone(read(changes, Progress::Complete)));
    let Planned::Done(Found::Compared(drifted)) = next(&state, false) else {
        panic!("not compared");
    };
    let ids: Vec<&str> = drifted
        .resources
        .iter()
        .map(|one| one.logical_id.as_str())
        .collect();
    assert_eq!((ids, drifted.not_compared), (vec!["B", "D"], 1));
    assert_eq!(drifted.parameters, ["Size"]);
}

#[test]
fn empty_change_set_is_no_drift_and_a_failed_one_no_result() {
    let of = |progress| state(ChangeSetState::Gone(read(vec![], progress)));
    assert!(matches!(
        next(&of(Progress::Empty), false),
        Planned::Done(Found::Compared(drifted)) if drifted.resources.is_empty()
    ));
    assert_eq!(
        next(&of(Progress::Failed("why".to_owned())), false),
        Planned::Done(Found::Nothing("why".to_owned()))
    );
}

#[test]
fn stack_without_resources_or_in_progress_is_not_compared() {
    let mut state = state(ChangeSetState::Unknown);
    state.stack = Some(StackState::Missing);
    assert!(matches!(
        next(&state, true),
        Planned::Done(Found::Nothing(_))
    ));
    state.stack = Some(StackState::Unready("UPDATE_IN_PROGRESS".to_owned()));
    assert!(matches!(
        next(&state, true),
        Planned::Done(Found::Nothing(_))
    ));
}

#[test]
fn another_change_set_is_not_executed() {
    let drifted = read(vec![change("A", DriftStatus::Modified)], Progress::Complete);
    let another = ChangeSet {
        id: "another".to_owned(),
        ..drifted
    };
    for found in [
        ChangeSetState::Read(another),
        ChangeSetState::OfAnotherPrincipal,
    ] {
        let planned: Planned = next(&state(found), true);
        assert!(
            matches!(planned, Next::Done(Found::Nothing(_))),
            "{planned:?}"
        );
    }
}

#[test]
fn repair_that_deletes_a_resource_is_not_executed() {
    for effect in [Effect::Replace, Effect::MayReplace, Effect::Remove] {
        for (drift, is_executed) in [(DriftStatus::InSync, false), (DriftStatus::Deleted, true)] {
            let deletes = Change {
                effect,
                ..change("B", drift)
            };
            let changes = vec![change("A", DriftStatus::Modified), deletes];
            let state = state(ChangeSetState::Read(read(changes, Progress::Complete)));
            let expected = if is_executed {
                DriftStep::ExecuteChangeSet
            } else {
                DriftStep::DeleteChangeSet
            };
            assert_eq!(next(&state, true), Planned::Apply(expected), "{effect:?}");
        }
    }
}
