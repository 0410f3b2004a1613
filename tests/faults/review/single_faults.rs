//! Each story in unkind worlds, and with one fault at every call.

use crate::scenarios::Reviews;
use fake_aws::FaultKind;
use test_support::runner::Account;
use test_support::single_faults::play_with_single_faults;
use test_support::worlds::{Delivery, Place, play_in_each_world};

#[test]
fn every_story_has_the_same_end_in_unkind_worlds() {
    play_in_each_world::<Reviews>("stories of reviews");
}

fn every_single_fault(delivery: Delivery, kinds: &[FaultKind], one_in: u64, what: &str) -> usize {
    let place = Place {
        delivery,
        ..Place::default()
    };
    play_with_single_faults::<Reviews>(what, &Reviews::stories(), &place, kinds, one_in)
}

#[test]
fn single_fault_ends_as_described() {
    let what = "single faults at calls of AWS, S3 and GitLab";
    assert!(every_single_fault(Delivery::Once, &FaultKind::EACH, 14, what) > 1000);
}

#[test]
fn single_fault_with_every_event_twice_ends_as_described() {
    let kinds = &[
        FaultKind::AnswerLost,
        FaultKind::KilledBefore,
        FaultKind::KilledAfter,
    ];
    let what = "single faults with every event delivered twice";
    assert!(every_single_fault(Delivery::Twice, kinds, 45, what) > 1000);
}

#[test]
fn call_that_hangs_ends_as_described() {
    let what = "calls that hang";
    assert!(every_single_fault(Delivery::Once, &FaultKind::SILENT, 30, what) > 300);
}
