use super::*;
use crate::feedback::change_sets::tests::change as undrifted;
use crate::feedback::change_sets::{Creation, Effect, Values};

fn change(id: &str, effect: Effect, drift: DriftStatus) -> Change {
    Change {
        drift: Some(drift),
        ..undrifted(effect, id, "AWS::SQS::Queue")
    }
}

fn read(changes: Vec<Change>, creation: Creation) -> ChangeSet {
    ChangeSet {
        values: Values::default(),
        id: "own".to_owned(),
        creation,
        changes,
        is_partial: false,
    }
}

#[test]
fn changes_of_resources_in_sync_are_not_drift() {
    let changes = vec![
        change("A", Effect::Replace, DriftStatus::InSync),
        change("B", Effect::Modify, DriftStatus::Deleted),
        change("C", Effect::Modify, DriftStatus::NotCompared),
        change("D", Effect::Modify, DriftStatus::Modified),
    ];
    let drifted = Drifted::of(&read(changes, Creation::Complete));
    let ids = drifted.resources.iter().map(|one| one.logical_id.as_str());
    assert_eq!(ids.collect::<Vec<_>>(), ["B", "D"]);
    assert_eq!((drifted.not_compared, drifted.is_partial), (1, true));
    let empty = Drifted::of(&read(vec![], Creation::Empty));
    assert_eq!(empty, Drifted::default());
}
