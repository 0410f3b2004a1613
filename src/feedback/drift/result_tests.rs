use super::*;
use crate::feedback::change_sets::Values;
use crate::feedback::change_sets::tests::change as undrifted;

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
fn only_drift_is_repaired() {
    let failed = || Creation::Failed("why".to_owned());
    for (drift, creation, expected) in [
        (DriftStatus::Modified, Creation::Complete, Repair::Started),
        (DriftStatus::Deleted, Creation::Complete, Repair::Started),
        (DriftStatus::InSync, Creation::Complete, Repair::None),
        (DriftStatus::NotCompared, Creation::Complete, Repair::None),
        (DriftStatus::Modified, failed(), Repair::None),
    ] {
        let read = read(vec![change("A", Effect::Modify, drift)], creation);
        assert_eq!(Repair::of(&read), expected, "{read:?}");
    }
    assert_eq!(Repair::of(&read(vec![], Creation::Empty)), Repair::None);
}

#[test]
fn repair_that_deletes_a_resource_is_destructive() {
    for effect in [Effect::Replace, Effect::MayReplace, Effect::Remove] {
        for (drift, expected) in [
            (DriftStatus::InSync, Repair::Destructive),
            (DriftStatus::Deleted, Repair::Started),
        ] {
            let modified = change("A", Effect::Modify, DriftStatus::Modified);
            let changes = vec![modified, change("B", effect, drift)];
            let read = read(changes, Creation::Complete);
            assert_eq!(Repair::of(&read), expected, "{read:?}");
        }
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
