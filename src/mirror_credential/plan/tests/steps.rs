//! The step that the plan chooses in each situation of a credential.

use super::*;
use crate::mirror_credential::intent_log::Tombstone;
use crate::mirror_credential::messages;
use crate::mirror_credential::plan::issue_intent::may_close_issue_intent;
use crate::mirror_credential::plan::saves_spec_first;
use crate::mirror_credential::plan::step::{CredentialStep, SecretStep, reject};
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{SecretState, State};

fn same(_: &mut Spec) {}

/// IAM may not show yet the changes from before this delivery.
fn unsettle(state: &mut State, change: impl FnOnce(&mut Secret)) {
    state.user_read_at = at(0);
    present(state, |secret| {
        secret.last_changed = Some(at(0));
        change(secret);
    });
}

/// The log has a claim after the login. The secret was last changed at `changed`.
fn open_claim(state: &mut State, changed: u64) {
    present(state, |secret| {
        secret.log.current = Some(login(1, "CUR"));
        secret.log.claim = 2;
        secret.last_changed = Some(at(changed));
    });
}

/// The secret does not name this request.
fn unrecorded(state: &mut State) {
    state.secret.change(|secret| secret.origin.as_of = None);
}

/// The tombstone of a Delete that was signed at `signed`.
fn tombstone(signed: u64) -> Tombstone {
    Tombstone {
        owner_key: owner().key(),
        signed_at: at(signed),
        done_at: at(signed),
        ended: "-".to_owned(),
        unanswered: false,
    }
}

#[test]
fn first_create_saves_its_spec_while_it_issues() {
    let update = RequestContext {
        is_create: false,
        ..context()
    };
    assert!(saves_spec_first(&context(), &claimed()));
    assert!(!saves_spec_first(&update, &claimed()));
    let unclaimed = state(claimed(), |state| state.log.claim = None);
    assert!(!saves_spec_first(&context(), &unclaimed));
    let with_entry = state(claimed(), |state| present(state, |s| s.log.claim = 1));
    assert!(!saves_spec_first(&context(), &with_entry));
}

#[test]
fn issue_intent_is_closed_when_its_credential_is_known() {
    let issued = |change: fn(&mut State)| {
        let base = state(claimed(), |state| {
            state.login.issued = Some(issued(None));
            state.mirrors.intent.ids_committed = true;
        });
        may_close_issue_intent(&state(base, change))
    };
    assert!(issued(|_| {}));
    assert!(!issued(|state| state.login.issued = None));
    assert!(!issued(|state| state.login.may_have_issued = true));
    assert!(!issued(|state| state.log.issue_intent_written = false));
    assert!(!issued(|state| state
        .user
        .issue_intent
        .as_mut()
        .expect("an intent")
        .closed = true));
    // Without mirrors, a spec that was saved after the claim shows it, or a stored login.
    for (entry, closes) in [(0, false), (1, true)] {
        let state = state(claimed(), |state| {
            state.login.issued = Some(super::issued(None));
            present(state, |s| s.log.saved_specs = vec![noted(entry)]);
        });
        assert_eq!(may_close_issue_intent(&state), closes, "{entry}");
        let stored = super::state(claimed(), |state| {
            present(state, |s| s.log.current = Some(login(entry, "CUR")));
        });
        assert_eq!(may_close_issue_intent(&stored), closes, "{entry}");
    }
}

step_table! {
    step:
    finished_resource_is_done_without_a_wait: same, settled(), |state| {
        unsettle(state, |s| s.log.current = Some(login(1, "CUR")));
    } => DONE;
    new_user_and_no_secret_creates_the_secret: same, fresh(), |state| {
        state.user.exists = true;
    } => SecretStep::CreateSecret;
    secret_that_a_create_has_deleted_is_created_again: same, fresh(), |state| {
        state.user.exists = true;
        state.log.has_read_secret = true;
    } => SecretStep::CreateSecret;
    credential_of_another_resource_is_not_foreign: same, fresh(), |state| {
        state.user.exists = true;
        state.user.credentials = vec![credential("HIS")];
        state.login.other_resource_credentials = vec!["HIS".to_owned()];
    } => SecretStep::CreateSecret;
    foreign_credential_waits_for_a_later_read: same, fresh(), |state| {
        state.user.exists = true;
        state.user.credentials = vec![credential("HIS")];
        state.secret_read_after_user = false;
    } => SecretStep::ReadSecret;
    user_with_a_history_needs_the_secret_read: same, settled(), |state| {
        state.secret = SecretState::Unread;
    } => SecretStep::ReadSecret;
    claim_without_intent_writes_the_intent: same, claimed(), |state| {
        state.log.issue_intent_written = false;
    } => CredentialStep::WriteIssueIntent;
    claim_with_intent_issues_without_a_wait: same, claimed(), |state| {
        unsettle(state, |_| {});
    } => CredentialStep::Issue;
    issued_login_is_stored: same, claimed(), |state| {
        state.login.issued = Some(issued(Some("a+b=")));
    } => CredentialStep::Store;
    password_with_a_slash_is_reset: same, claimed(), |state| {
        state.login.issued = Some(issued(Some("a/b=")));
    } => CredentialStep::Reset("NEW".to_owned());
    unknown_password_is_reset: same, claimed(), |state| {
        state.login.issued = Some(issued(None));
    } => CredentialStep::Reset("NEW".to_owned());
    claim_of_a_peer_without_a_login_is_taken_over: same, claimed(), |state| {
        state.log.claim = None;
    } => SecretStep::Claim;
    peer_that_took_over_is_waited_for: same, claimed(), |state| {
        state.log.claim = None;
        state.log.claim_lost_at = Some(at(3599));
    } => SecretStep::WaitForPeer;
    finished_peer_is_not_waited_for: same, settled(), |state| {
        state.log.claim_lost_at = Some(at(3599));
    } => DONE;
    peer_that_verifies_its_login_is_waited_for:
        |d| d.repository_names = vec!["r".to_owned()], claimed(), |state| {
        state.log.claim = None;
        state.log.claim_lost_at = Some(at(0));
        state.log.peer_timeout = Duration::from_hours(2);
    } => SecretStep::WaitForPeer;
    entry_of_a_peer_is_waited_for: same, settled(), |state| {
        state.log.highest_claimed_entry = Some((2, at(3595)));
    } => SecretStep::WaitForPeer;
    name_of_a_deleted_secret_is_waited_for: same, settled(), |state| {
        state.now = at(5);
        present(state, |s| s.deleted_at = Some(at(0)));
    } => SecretStep::WaitForPeer;
    claim_of_a_live_peer_is_taken_over_if_allowed: same, settled(), |state| {
        open_claim(state, 3000);
    } => SecretStep::ClaimIfAllowed;
    live_peer_is_fenced_by_the_tags_first: same, settled(), |state| {
        open_claim(state, 3000);
        unrecorded(state);
    } => SecretStep::TagSecret;
    changed_properties_are_recorded_even_if_nothing_else_changes: same, settled(), |state| {
        state.request.previous.needs_record = true;
        unrecorded(state);
    } => SecretStep::TagSecretIfAllowed;
    request_is_recorded_before_an_earlier_tombstone_is_removed: same, settled(), |state| {
        state.user.tombstone = Some(Tombstone { ended: "another".to_owned(), ..tombstone(0) });
        unrecorded(state);
    } => SecretStep::TagSecretIfAllowed;
    request_that_may_not_be_recorded_continues: same, settled(), |state| {
        state.request.previous.needs_record = true;
        state.log.is_recording_denied = true;
        unrecorded(state);
    } => DONE;
    unchanged_properties_are_not_recorded: same, settled(), |state| unrecorded(state) => DONE;
    claim_of_a_dead_peer_is_concluded: same, settled(), |state| {
        open_claim(state, 0);
    } => SecretStep::SaveSpec;
    own_claim_without_a_new_login_is_concluded: same, settled(), |state| {
        open_claim(state, 3000);
        state.log.claim = Some(2);
    } => SecretStep::SaveSpec;
    credential_of_a_peer_is_reset: same, claimed(), |state| {
        state.user.credentials = vec![credential("LOST")];
        state.log.claim = Some(1);
        present(state, |s| s.log.claim = 1);
    } => CredentialStep::Reset("LOST".to_owned());
    orphan_of_an_earlier_intent_is_reset: same, claimed(), |state| {
        state.user.credentials = vec![credential("LOST")];
        state.log.issue_intent_written = false;
    } => CredentialStep::Reset("LOST".to_owned());
    inactive_orphan_is_deleted: same, claimed(), |state| {
        state.user.credentials = vec![Credential { active: false, ..credential("LOST") }];
        state.log.issue_intent_written = false;
    } => delete("LOST");
    // A person has set it to inactive between the list and the reset.
    inactive_credential_is_not_stored: same, claimed(), |state| {
        state.user.credentials = vec![Credential { active: false, ..credential("NEW") }];
        state.login.issued = Some(issued(Some("a")));
    } => delete("NEW");
    uncertain_call_waits_for_iam: same, claimed(), |state| {
        state.login.uncertain_since = Some(at(3595));
    } => CredentialStep::WaitForIam;
    changed_serial_claims_first: recreated, settled() => SecretStep::Claim;
    claim_before_a_later_login_claims_again: recreated, settled(), |state| {
        present(state, |s| {
            s.log.current = Some(login(3, "CUR"));
            s.log.claim = 2;
        });
        state.log.claim = Some(2);
    } => SecretStep::Claim;
    unlisted_current_credential_is_replaced: same, settled(), |state| {
        state.user.credentials.clear();
    } => SecretStep::Claim;
    unlisted_current_credential_waits_for_iam: same, settled(), |state| {
        state.user.credentials.clear();
        unsettle(state, |s| s.log.current = Some(login(1, "CUR")));
    } => CredentialStep::WaitForIam;
    credential_that_a_peer_superseded_is_deleted: same, settled(), |state| {
        state.login.issued = Some(issued(None));
    } => delete("NEW");
    new_login_is_verified_before_it_replaces_one:
        |d| { recreated(d); d.repository_names = vec!["r".to_owned()]; }, settled(), |state| {
        present(state, |s| {
            s.log.current = Some(login(1, "CUR"));
            s.log.claim = 2;
        });
        state.log.claim = Some(2);
        state.login.issued = Some(issued(Some("a")));
        state.user.credentials.push(credential("NEW"));
    } => CredentialStep::VerifyIssued;
    unlisted_superseded_credential_is_deleted_at_once: same, settled(), |state| {
        unsettle(state, |s| {
            s.log.current = Some(login(3, "CUR"));
            s.log.superseded = vec![login(1, "OLD")];
        });
    } => delete("OLD");
    label_of_a_deleted_login_is_dropped: same, settled(), |state| {
        present(state, |s| {
            s.log.current = Some(login(3, "CUR"));
            s.log.superseded = vec![login(1, "OLD")];
        });
        state.login.deleted_credentials.push("OLD".to_owned());
    } => SecretStep::drop_login(&login(1, "OLD"));
    inactive_credential_is_replaced: same, settled(), |state| {
        state.user.credentials[0].active = false;
    } => SecretStep::Claim;
    inactive_credential_that_cannot_be_replaced_stays:
        |d| d.repository_names = vec!["r".to_owned()], settled(), |state| {
        state.user.credentials[0].active = false;
        state.login.replacement_error = Some(messages::both_slots_taken(USER));
    } => DONE;
    login_for_repositories_is_verified:
        |d| d.repository_names = vec!["r".to_owned()], settled() => CredentialStep::VerifyStored;
    // An Update to another user was interrupted after it had written the tag.
    secret_tagged_with_another_user_is_tagged: same, settled(), |state| {
        present(state, |s| {
            s.origin.user_name = Some("user-dev-b".to_owned());
            s.log.current = Some(login(1, "CUR"));
        });
    } => SecretStep::TagSecret;
    changed_key_changes_the_settings:
        |d| d.kms_key_id = Some("alias/x".to_owned()), settled() => SecretStep::ChangeSettings;
    changed_tag_tags_the_secret: |d| { d.tags.insert("team".to_owned(), "a".to_owned()); }, settled()
        => SecretStep::TagSecret;
    dropped_tag_untags_the_secret: same, settled(), |state| {
        state.request.previous.tag_keys = vec!["gone".to_owned(), "team".to_owned()];
        present(state, |s| {
            s.log.current = Some(login(1, "CUR"));
            s.tags.insert("team".to_owned(), "a".to_owned());
        });
    } => SecretStep::UntagSecret(vec!["team".to_owned()]);
    foreign_credential_in_a_free_slot_stays: same, settled(), |state| {
        state.user.credentials.push(credential("HIS"));
    } => DONE;
    foreign_credential_during_the_intent_rejects: same, claimed(), |state| {
        state.user.credentials = vec![credential("HIS")];
    } => reject(messages::foreign_in_the_way(USER, &[&credential("HIS")]));
    // A credential that is created after the login is foreign.
    open_intent_of_a_stored_login_is_closed: same, settled(), |state| {
        state.user.issue_intent.as_mut().expect("an intent").closed = false;
        state.user.credentials.push(credential("HIS"));
    } => CredentialStep::CloseIssueIntent;
    // An attempt issues one credential: the earliest one.
    credential_for_a_former_secret_is_deleted: same, settled(), |state| {
        state.user.issue_intent = Some(issue_intent(0));
        let created = at(2);
        let his = Credential { created, ..credential("HIS") };
        state.user.credentials.extend([his, credential("LOST")]);
        present(state, |s| {
            s.log.current = Some(login(1, "CUR"));
            s.arn = "arn:secret-b".to_owned();
        });
    } => delete("LOST");
    lost_tag_of_the_owner_is_written_again: same, settled(), |state| {
        state.user.owner = None;
    } => CredentialStep::CloseIssueIntent;
    later_delete_supersedes: same, settled(), |state| {
        state.user.tombstone = Some(tombstone(5));
    } => reject(messages::superseded_by_delete());
    secret_deleted_meanwhile_supersedes: same, claimed(), |state| {
        state.secret = SecretState::Absent;
    } => reject(messages::superseded_by_delete());
    new_secret_that_is_shown_late_is_waited_for: same, claimed(), |state| {
        state.secret = SecretState::Absent;
        state.log.created_at = Some(at(3595));
    } => SecretStep::WaitForPeer;
    new_secret_that_stays_absent_supersedes: same, claimed(), |state| {
        state.secret = SecretState::Absent;
        state.log.created_at = Some(at(3590));
    } => reject(messages::superseded_by_delete());
    secret_deleted_after_a_lost_claim_supersedes: same, fresh(), |state| {
        state.user.exists = true;
        state.log.claim_lost_at = Some(at(0));
    } => reject(messages::superseded_by_delete());
}
