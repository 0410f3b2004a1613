//! Products with one defect each: a check notices it.

use crate::by_hand::create_credential;
use crate::denied::denied_clean_up_after_a_replacement_fails;
use crate::fixture::PROJECT;
use crate::scenarios::Mirrors;
use crate::unseen::create_behind_a_proxy;
use fake_aws::schedules::SingleFault;
use fake_aws::{FaultKind, Options};
use test_support::defects::Defect::{Changes, Reads};
use test_support::defects::{ANY, assert_each_noticed, delete_foreign};
use test_support::runner::{play_called, played, story_called};
use test_support::worlds::{Mixture, Place};

#[test]
fn defect_is_noticed_in_its_story() {
    assert_each_noticed::<Mirrors>();
}

#[test]
fn denied_read_taken_for_an_absence_is_noticed() {
    let defect = Reads("DescribeSecret", "AccessDenied", "ResourceNotFound");
    let play = denied_clean_up_after_a_replacement_fails;
    defect.assert_noticed("a denied clean-up", "DescribeSecret is missing", play);
}

#[test]
fn overlooked_address_of_a_proxy_is_noticed() {
    let play = || create_behind_a_proxy(Options::default());
    play();
    let defect = Reads(ANY, "proxy.", "git-codecommit.");
    defect.assert_noticed("a Create behind a proxy", "Success", play);
}

/// Another person creates it after the first SUCCESS.
#[test]
fn deletion_of_a_later_credential_is_noticed() {
    let defect = Changes("DeleteServiceSpecificCredential", |fake, _, _| {
        create_credential(fake);
        delete_foreign(fake);
    });
    let story = "mirrors_login_created: with a repository";
    let play = || play_called::<Mirrors>(story, &Mixture::default());
    defect.assert_noticed("a later credential", "what is not ours changed", play);
}

/// A killed request may fail, but must not succeed against its story. Only its second delivery has
/// the defect.
#[test]
fn success_of_a_killed_request_is_noticed() {
    let defect = Changes("GitLab.ListProtectedBranches", |fake, invocation, _| {
        if invocation.ends_with(".2") {
            fake.protect(PROJECT, &["main"]);
        }
    });
    let fault = SingleFault {
        caller: "1-Create.1".to_owned(),
        index: 4,
        kind: FaultKind::KilledBefore,
    };
    let place = Place {
        faults: vec![fault],
        ..Place::default()
    };
    let story = story_called::<Mirrors>("mirrors_create_refused: a group alone protects branches");
    let play = |place: &Place| drop(played::<Mirrors>(&story, place));
    assert_eq!(defect.notice(|| play(&Place::default())), None);
    defect.assert_noticed("a killed Create", "Success", || play(&place));
}
