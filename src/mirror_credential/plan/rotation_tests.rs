//! The plan for rotations as a table.

use crate::clients::gitlab::Mirror;
use crate::common::reason_codes::Code;
use crate::mirror_credential::intent_log::mirrors::{abort_claimant, claimant};
use crate::mirror_credential::intent_log::{Login, version_id};
use crate::mirror_credential::plan::mirrors::tests::{
    change_secret, mirror, mirrored, new_mirror, pushing, record, show_mirrors, value,
};
use crate::mirror_credential::plan::next;
use crate::mirror_credential::plan::step::{
    CredentialStep, MirrorStep, NextStep, SecretStep, defer, reject,
};
use crate::mirror_credential::plan::tests::{
    DONE, at, context, credential, issued, login, noted, state, step, step_table,
};
use crate::mirror_credential::request_context::RotationPhase::{Create, Finish, Set, Test};
use crate::mirror_credential::request_context::{RequestContext, Rotation, RotationPhase};
use crate::mirror_credential::state::{DeliveryError, Issued, LoginTrial, State};
use cfn_custom_resource::Reason;

const VERSION: &str = "5f3b2c10-0000-4000-8000-0a0000000000";

/// Secrets Manager has chosen a version, which has no value.
fn named() -> State {
    state(pushing(), |state| {
        change_secret(state, |secret| {
            secret.log.pending = Some(VERSION.to_owned());
        });
    })
}

fn prepared_login() -> Login {
    Login {
        version_id: VERSION.to_owned(),
        mirrors: 1,
        ..login(4, "NEW")
    }
}

/// `createSecret` has ended.
fn prepared() -> State {
    state(named(), |state| {
        state.user.credentials.push(credential("NEW"));
        change_secret(state, |secret| {
            secret.log.claim = 3;
            secret.log.mirror_intent = Some(version_id(3));
            secret.log.superseded = vec![prepared_login()];
        });
        state.login.stored.insert(VERSION.to_owned(), Some(value(&[8])));
        show_mirrors(state, vec![mirror(7), mirror(8)]);
    })
}

/// `finishSecret` has moved `AWSCURRENT`.
fn rotated() -> State {
    state(prepared(), |state| {
        change_secret(state, |secret| {
            let next = secret.log.superseded.pop();
            secret.log.superseded.extend(secret.log.current.take());
            secret.log.current = next;
            secret.log.pending = None;
        });
    })
}

/// A peer's claim is one minute old.
fn at_work(base: State) -> State {
    state(base, |state| {
        change_secret(state, |secret| secret.log.claim = 2);
        state.mirrors.intent.read_from = Some(version_id(2));
        state.mirrors.intent.content.written = Some(at(3540));
    })
}

/// A reason whose text does not matter.
fn some_reason() -> Reason {
    Reason::new(Code::NothingToRotate, "problem", "Do it")
}

fn plan(phase: RotationPhase, state: &State, change: impl FnOnce(&mut RequestContext)) -> NextStep {
    let mut spec = crate::mirror_credential::plan::tests::spec();
    mirrored(&mut spec);
    let mut context = RequestContext {
        is_create: false,
        rotation: Some(Rotation {
            version_id: VERSION.to_owned(),
            phase,
            is_aborted: false,
        }),
        ..context()
    };
    change(&mut context);
    next(&spec, &context, state)
}

fn rotate(phase: RotationPhase, state: &State) -> NextStep {
    plan(phase, state, |_| {}).map_error(|error| DeliveryError {
        reason: some_reason(),
        ..error
    })
}

/// The next step after a phase of the rotation to `version_id` has failed permanently.
fn abort(version_id: &str, state: &State) -> NextStep {
    plan(Set, state, |context| {
        context.claimant = abort_claimant(version_id);
        let rotation = context.rotation.as_mut().expect("a rotation");
        rotation.is_aborted = true;
    })
}

/// `AWSPENDING` is removed from the prepared version.
fn dropped() -> State {
    state(prepared(), |state| {
        change_secret(state, |secret| secret.log.pending = None);
    })
}

/// A peer has taken the log over, and has finished it.
fn overtaken() -> State {
    state(dropped(), |state| {
        change_secret(state, |secret| {
            secret.log.claim = 5;
            secret.log.saved_specs = vec![noted(6)];
        });
    })
}

fn moves_to(version_id: &str) -> NextStep {
    SecretStep::MoveAwsCurrent(version_id.to_owned()).into()
}

fn rejected() -> NextStep {
    reject(some_reason())
}

/// The new mirror is enabled and has not pushed.
fn enabled() -> State {
    let enabled = Mirror {
        enabled: true,
        ..new_mirror(8)
    };
    state(prepared(), |state| {
        show_mirrors(state, vec![mirror(7), enabled]);
    })
}

step_table! {
    rotate:
    create_without_a_login_claims: Create, named() => SecretStep::Claim;
    create_with_an_open_claim_reads_its_intent: Create, named(), |state| {
        change_secret(state, |secret| secret.log.claim = 2);
    } => MirrorStep::ReadMirrorIntent(version_id(2));
    create_during_a_stack_update_is_deferred:
        Create, at_work(named()) => defer(some_reason());
    create_after_an_aborted_rotation_claims: Create, at_work(named()), |state| {
        state.mirrors.intent.content.claimant = abort_claimant("another");
    } => SecretStep::Claim;
    create_after_an_old_claim_claims: Create, at_work(named()), |state| {
        state.mirrors.intent.content.written = Some(at(0));
    } => SecretStep::Claim;
    create_of_the_same_rotation_claims: Create, at_work(named()), |state| {
        state.mirrors.intent.content.claimant = claimant(Some(VERSION));
    } => SecretStep::Claim;
    late_create_of_an_ended_rotation_is_rejected: Create, pushing(), |state| {
        state.mirrors.intent.content.claimant = claimant(Some(VERSION));
    } => rejected();
    create_with_an_old_claim_keeps_its_label: Create, named(), |state| {
        state.log.claim = Some(2);
        change_secret(state, |secret| {
            secret.log.claim = 2;
            secret.last_changed = Some(at(0));
        });
    } => CredentialStep::WriteIssueIntent;
    test_of_a_new_schedule_is_done: Test, named() => DONE;
    set_before_create_is_rejected: Set, named() => rejected();
    test_without_a_rotation_is_rejected: Test, pushing() => rejected();
    rejection_waits_for_late_labels: Set, pushing(), |state| {
        state.now = at(5);
    } => SecretStep::WaitForPeer;
    set_of_an_aborted_rotation_is_rejected: Set, dropped() => rejected();
    second_create_leaves_the_mirror_disabled: Create, prepared(), |state| {
        show_mirrors(state, vec![mirror(7), new_mirror(8)]);
    } => DONE;
    finish_after_a_stack_update_is_rejected: Finish, prepared(), |state| {
        change_secret(state, |secret| secret.log.claim = 5);
    } => rejected();
    set_without_one_of_its_mirrors_is_rejected: Set, prepared(), |state| {
        state.login.stored.insert(VERSION.to_owned(), Some(value(&[8, 9])));
    } => rejected();
    set_verifies_the_login_first: Set, prepared(), |state| {
        state.login.trial = LoginTrial::Untried;
    } => CredentialStep::VerifyStored;
    set_enables_the_mirror: Set, prepared(), |state| {
        show_mirrors(state, vec![mirror(7), new_mirror(8)]);
    } => MirrorStep::EnableMirrors(vec![record(8)]);
    second_set_is_done: Set, prepared() => DONE;
    test_syncs_the_mirror: Test, enabled() => MirrorStep::SyncMirrors(vec![record(8)]);
    second_test_is_done: Test, prepared() => DONE;
    finish_moves_aws_current: Finish, prepared() => moves_to(VERSION);
    second_finish_retires_the_old_mirror:
        Finish, rotated() => MirrorStep::RetireMirrors(vec![record(7)]);
    finish_deactivates_the_old_credential: Finish, rotated(), |state| {
        show_mirrors(state, vec![mirror(8)]);
    } => CredentialStep::Deactivate("CUR".to_owned());
    finish_keeps_the_inactive_credential: Finish, rotated(), |state| {
        show_mirrors(state, vec![mirror(8)]);
        state.user.credentials[0].active = false;
    } => CredentialStep::CloseIssueIntent;
    finish_drops_the_label_of_a_deleted_credential: Finish, rotated(), |state| {
        show_mirrors(state, vec![mirror(8)]);
        state.user.credentials.remove(0);
    } => SecretStep::drop_login(&Login { mirrors: 1, ..login(1, "CUR") });
    test_after_finish_is_done: Test, rotated() => DONE;
}

step_table! {
    step:
    stack_update_keeps_the_label_of_a_recent_rotation: mirrored, named(), |state| {
        change_secret(state, |secret| secret.last_changed = Some(at(3540)));
    } => DONE;
}

step_table! {
    abort:
    abort_drops_the_pending_label_first:
        VERSION, prepared() => SecretStep::drop_pending(VERSION);
    abort_of_a_prepared_rotation_claims: VERSION, dropped() => SecretStep::Claim;
    abort_with_the_claim_of_its_phase_claims_again: VERSION, dropped(), |state| {
        state.log.claim = Some(5);
        change_secret(state, |secret| secret.log.claim = 5);
    } => SecretStep::Claim;
    abort_with_its_claim_copies_the_current_login: VERSION, dropped(), |state| {
        state.log.claim = Some(5);
        state.mirrors.intent.content.claimant = abort_claimant(VERSION);
        change_secret(state, |secret| secret.log.claim = 5);
    } => SecretStep::CopyCurrentVersion;
    abort_during_a_stack_update_is_done: VERSION, dropped(), |state| {
        change_secret(state, |secret| secret.log.claim = 5);
    } => DONE;
    abort_of_a_current_version_is_done: VERSION, rotated() => DONE;
    abort_keeps_a_stored_credential_until_its_mirror_is_retired: VERSION, overtaken(), |state| {
        state.login.issued = Some(issued(None));
    } => MirrorStep::RetireMirrors(vec![record(8)]);
    abort_deletes_an_unstored_credential: VERSION, overtaken(), |state| {
        state.login.issued = Some(Issued { id: "LOST".to_owned(), ..issued(None) });
    } => CredentialStep::DeleteCredential("LOST".to_owned());
    abort_drops_a_former_version_of_the_current_login: VERSION, overtaken(), |state| {
        change_secret(state, |secret| secret.log.superseded = vec![login(4, "CUR")]);
    } => SecretStep::drop_login(&login(4, "CUR"));
    abort_without_a_mirror_deletes_the_credential: VERSION, overtaken(), |state| {
        show_mirrors(state, vec![mirror(7)]);
    } => CredentialStep::DeleteCredential("NEW".to_owned());
    abort_without_a_credential_drops_its_label: VERSION, overtaken(), |state| {
        show_mirrors(state, vec![mirror(7)]);
        state.login.deleted_credentials.push("NEW".to_owned());
    } => SecretStep::drop_login(&prepared_login());
}

#[test]
fn superseded_rotation_cannot_finish() {
    let stack_update = |state: &State| step(mirrored, state);
    let claimed = state(prepared(), |state| {
        state.log.claim = Some(5);
        change_secret(state, |secret| {
            secret.log.claim = 5;
            // A version from before the rotation is not a copy.
            secret.log.superseded.push(login(2, "CUR"));
        });
    });
    assert_eq!(
        stack_update(&prepared()),
        MirrorStep::ReadMirrorIntent(version_id(3)).into()
    );
    let with_intent = state(prepared(), |state| {
        state.mirrors.intent.read_from = Some(version_id(3));
    });
    assert_eq!(
        stack_update(&with_intent),
        SecretStep::ClaimIfAllowed.into()
    );
    assert_eq!(
        stack_update(&claimed),
        SecretStep::CopyCurrentVersion.into()
    );
    let copied = state(claimed, |state| {
        change_secret(state, |secret| secret.log.superseded.push(login(6, "CUR")));
    });
    assert_eq!(stack_update(&copied), moves_to(&version_id(6)));
    let restored = state(copied, |state| {
        change_secret(state, |secret| {
            let copy = secret.log.superseded.pop();
            secret.log.superseded.extend(secret.log.current.take());
            secret.log.current = copy;
        });
        state.login.stored.insert(version_id(6), Some(value(&[7])));
    });
    assert_eq!(
        stack_update(&restored),
        SecretStep::drop_pending(VERSION).into()
    );
}
