//! One fault at every call of every request and of every step of a rotation, of every story.

use crate::fixture::late;
use crate::scenarios::Mirrors;
use fake_aws::FaultKind;
use test_support::runner::Account;
use test_support::single_faults::play_with_single_faults;
use test_support::worlds::{Delivery, Place};

fn every_single_fault(place: &Place, kinds: &[FaultKind], one_in: u64, what: &str) -> usize {
    play_with_single_faults::<Mirrors>(what, &Mirrors::stories(), place, kinds, one_in)
}

#[test]
fn no_single_fault_stops_a_push_or_leaves_anything_behind() {
    let (place, what) = (Place::default(), "single faults in all");
    assert!(every_single_fault(&place, &FaultKind::EACH, 10, what) > 1000);
}

#[test]
fn single_faults_with_late_iam_and_duplicate_delivery() {
    let mut place = Place::from(late());
    place.delivery = Delivery::Twice;
    let what = "single faults with IAM late and everything delivered twice";
    assert!(every_single_fault(&place, &FaultKind::EACH, 88, what) > 200);
}

#[test]
fn missing_response_never_arrives() {
    let (place, what) = (Place::from(late()), "calls that hang");
    assert!(every_single_fault(&place, &FaultKind::SILENT, 20, what) > 100);
}
