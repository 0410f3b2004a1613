//! One fault at every call of every request of every story. None makes a request fail that would
//! have succeeded.

use crate::scenarios::Pipelines;
use fake_aws::{FaultKind, Options, SeenTokens};
use test_support::runner::Account;
use test_support::single_faults::play_with_single_faults;
use test_support::worlds::{Delivery, Place};

fn every_single_fault(place: &Place, kinds: &[FaultKind], what: &str) -> usize {
    let mut stories = Pipelines::stories();
    if matches!(place.options.seen_tokens, SeenTokens::Refused) {
        // A process that ends between the deletion and the second creation then fails the request,
        // with a reason that names this.
        stories.retain(|story| !story.name.starts_with("pipeline_with_a_late_role"));
    }
    play_with_single_faults::<Pipelines>(what, &stories, place, kinds, 8)
}

#[test]
fn single_faults_break_no_invariant_and_fail_no_request() {
    let what = "single faults in all";
    assert!(every_single_fault(&Place::default(), &FaultKind::EACH, what) > 1000);
}

#[test]
fn single_faults_with_duplicate_delivery_and_rejected_tokens() {
    let mut place = Place::from(Options {
        seen_tokens: SeenTokens::Refused,
        page_length: Some(4),
        parameters_alone_are_updates: true,
        ..Options::default()
    });
    place.delivery = Delivery::Twice;
    let kinds = &[
        FaultKind::AnswerLost,
        FaultKind::KilledBefore,
        FaultKind::KilledAfter,
    ];
    let what = "single faults with every request delivered twice";
    assert!(every_single_fault(&place, kinds, what) > 1000);
}

#[test]
fn lost_connections_break_no_invariant() {
    let what = "calls that hang";
    assert!(every_single_fault(&Place::default(), &FaultKind::SILENT, what) > 300);
}
