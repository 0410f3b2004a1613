//! The step that the plan chooses in each situation of a credential.

use super::*;
use crate::mirror_credential::intent_log::Tombstone;
use crate::mirror_credential::messages;
use crate::mirror_credential::plan::step::{CredentialStep, SecretStep, Step};
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{SecretState, State};

fn exists(state: &mut State) {
    state.user.exists = true;
}

fn same(_: &mut Spec) {}

plan_table! {
        settled_resource_is_done: step(same, &settled()) => Step::Done;
        new_user_and_no_secret_creates_the_secret: step(same, &state(fresh(), exists)) => SecretStep::CreateSecret;
        create_with_an_unread_secret_reads_it: step(
                same,
                &state(fresh(), |k| {
                    k.user.exists = true;
                    k.secret = SecretState::Unread;
                }),
            ) => SecretStep::ReadSecret;
        user_with_a_history_needs_the_secret_read: step(same, &state(settled(), |k| k.secret = SecretState::Unread)) => SecretStep::ReadSecret;
        claim_without_intent_writes_the_intent: step(
                same,
                &state(claimed(), |k| k.log.issue_intent_written = false),
            ) => CredentialStep::WriteIssueIntent;
        claim_with_intent_issues: step(same, &claimed()) => CredentialStep::Issue;
        issued_login_is_stored: step(
                same,
                &state(claimed(), |k| k.login.issued = Some(issued(Some("a+b=")))),
            ) => CredentialStep::Store;
        password_with_a_slash_is_reset: step(
                same,
                &state(claimed(), |k| k.login.issued = Some(issued(Some("a/b=")))),
            ) => CredentialStep::Reset("NEW".to_owned());
        unknown_password_is_reset: step(
                same,
                &state(claimed(), |k| k.login.issued = Some(issued(None))),
            ) => CredentialStep::Reset("NEW".to_owned());
        claim_of_a_peer_without_a_login_is_taken_over: step(same, &state(claimed(), |k| k.log.claim = None)) => SecretStep::Claim(1);
        peer_that_took_over_is_waited_for: step(
                same,
                &state(claimed(), |k| {
                    k.log.claim = None;
                    k.log.claim_lost_at = Some(at(3599));
                }),
            ) => SecretStep::WaitForPeer;
        orphan_of_an_earlier_intent_is_reset: step(
                same,
                &state(claimed(), |k| {
                    k.user.credentials = vec![credential("LOST")];
                    k.log.issue_intent_written = false;
                }),
            ) => CredentialStep::Reset("LOST".to_owned());
        uncertain_call_waits_for_iam: step(
                same,
                &state(claimed(), |k| k.login.uncertain_since = Some(at(3595))),
            ) => CredentialStep::WaitForIam;
        changed_serial_claims_first: step(|d| d.rotation_serial = Some("2".to_owned()), &settled()) => SecretStep::Claim(2);
        new_login_is_verified_before_it_replaces_one: step(
                |d| {
                    d.rotation_serial = Some("2".to_owned());
                    d.repository_names = vec!["r".to_owned()];
                },
                &state(settled(), |k| {
                    present(k, |s| {
                        s.log.current = Some(login(1, "CUR"));
                        s.log.claim = 2;
                    });
                    k.log.claim = Some(2);
                    k.login.issued = Some(issued(Some("a")));
                    k.user.credentials.push(credential("NEW"));
                }),
            ) => CredentialStep::VerifyIssued;
        superseded_credential_is_deleted: step(
                same,
                &state(settled(), |k| {
                    present(k, |s| {
                        s.log.current = Some(login(3, "CUR"));
                        s.log.superseded = vec![login(1, "OLD")];
                    });
                    k.user.credentials.push(credential("OLD"));
                }),
            ) => delete("OLD");
        unlisted_superseded_credential_is_deleted: step(
                same,
                &state(settled(), |k| {
                    present(k, |s| {
                        s.log.current = Some(login(3, "CUR"));
                        s.log.superseded = vec![login(1, "OLD")];
                    });
                }),
            ) => delete("OLD");
        label_of_a_deleted_login_is_dropped: step(
                same,
                &state(settled(), |k| {
                    present(k, |s| {
                        s.log.current = Some(login(3, "CUR"));
                        s.log.superseded = vec![login(1, "OLD")];
                    });
                    k.login.deleted_credentials.push("OLD".to_owned());
                }),
            ) => SecretStep::DropOldLogin(1);
        inactive_credential_is_activated: step(
                same,
                &state(settled(), |k| k.user.credentials[0].active = false),
            ) => CredentialStep::Activate("CUR".to_owned());
        login_for_repositories_is_verified: step(|d| d.repository_names = vec!["r".to_owned()], &settled()) => CredentialStep::VerifyStored;
        // An Update to another user was interrupted after it had written the tag.
        secret_tagged_with_another_user_is_tagged: step(
                same,
                &state(settled(), |k| {
                    present(k, |s| {
                        s.origin.user_name = Some("user-dev-b".to_owned());
                        s.log.current = Some(login(1, "CUR"));
                    });
                }),
            ) => SecretStep::TagSecret;
        changed_key_changes_the_settings: step(|d| d.settings.kms_key_id = Some("alias/x".to_owned()), &settled()) => SecretStep::ChangeSettings;
        changed_tag_tags_the_secret: step(
                |d| {
                    d.tags.insert("team".to_owned(), "a".to_owned());
                },
                &settled(),
            ) => SecretStep::TagSecret;
        foreign_credential_in_a_free_slot_stays: step(
                same,
                &state(settled(), |k| k.user.credentials.push(credential("HIS"))),
            ) => Step::Done;
        foreign_credential_during_the_intent_rejects: step(
                same,
                &state(claimed(), |k| k.user.credentials = vec![credential("HIS")]),
            ) => Step::Reject(messages::foreign_in_the_way(USER, &[&credential("HIS")]));
        open_intent_is_closed: step(
                same,
                &state(settled(), |k| k.user.issue_intent = Some(issue_intent(0))),
            ) => CredentialStep::CloseIssueIntent;
        lost_user_tags_are_written_again: step(
                same,
                &state(settled(), |k| {
                    k.user.owner = None;
                    k.user.secret_name = None;
                    k.user.issue_intent = None;
                }),
            ) => CredentialStep::CloseIssueIntent;
        later_delete_supersedes: step(
                same,
                &state(settled(), |k| {
                    k.user.tombstone = Some(Tombstone {
                        owner_key: owner().key(),
                        signed_at: at(5),
                        done_at: at(5),
                        ended: "-".to_owned(),
                        unanswered: false,
                    });
                }),
            ) => Step::SupersededByDelete;
        secret_deleted_meanwhile_supersedes: step(same, &state(claimed(), |k| k.secret = SecretState::Absent)) => Step::SupersededByDelete;
}
