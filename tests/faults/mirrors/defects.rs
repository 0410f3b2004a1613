//! Products with one defect each: a check notices it.

use crate::by_hand::create_credential;
use crate::denied::denied_clean_up_after_a_replacement_fails;
use crate::happy_path::play_in;
use crate::scenarios::scenario_called;
use crate::unseen::create_behind_a_proxy;
use fake_aws::explore::paused;
use fake_aws::schedules::SingleFault;
use fake_aws::{FaultKind, Options};
use test_support::defects::Defect::{Changes, Invents, Reads};
use test_support::defects::{ANY, assert_each_noticed, delete_foreign};

#[test]
fn defect_is_noticed_in_its_story() {
    assert_each_noticed("mirrors_", |story, mixture| {
        play_in(&scenario_called(story), mixture);
    });
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
    let scenario = scenario_called("mirrors_login_created: with a repository");
    let play = || drop(paused(scenario.play(Options::default(), &[])));
    defect.assert_noticed("a later credential", "what is not ours changed", play);
}

/// A killed request may fail, but must not succeed against its story.
#[test]
fn success_of_a_killed_request_is_noticed() {
    let protected = r#"[{"id":1,"name":"main"}]"#;
    let defect = Invents("GitLab.ListProtectedBranches", 200, protected);
    let fault = SingleFault {
        caller: "1-Create.1".to_owned(),
        index: 4,
        kind: FaultKind::KilledBefore,
    };
    let scenario = scenario_called("mirrors_create_refused: a group alone protects branches");
    let play = || drop(paused(scenario.play(Options::default(), &[fault])));
    defect.assert_noticed("a killed Create", "Success", play);
}
