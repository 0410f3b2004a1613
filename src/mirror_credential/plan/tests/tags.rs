//! Requests for a secret that no tags give to a resource. Only the function writes the user's tags.

use super::*;
use crate::common::reason_codes::Code;
use crate::mirror_credential::messages;
use crate::mirror_credential::plan::step::reject;
use crate::mirror_credential::state::DeliveryError;
use cfn_custom_resource::Reason;

/// How the request is for the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// A Create, or an Update that replaces another secret.
    ByProperties,
    /// An Update whose physical ID is the secret's name, or its rollback.
    ByPhysicalId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UserTags {
    OfThis,
    OfAnEarlierSecret,
    Missing,
    OfAnother,
    OfItsFormerName,
}

fn another() -> Owner {
    Owner {
        stack_id: "arn:another".to_owned(),
        logical_id: "Credential".to_owned(),
    }
}

/// The resource's logical ID was changed.
fn former_name() -> Owner {
    let logical_id = "Former".to_owned();
    Owner {
        logical_id,
        ..owner()
    }
}

/// The secret has lost its tags.
fn untagged(named: Named, tags: UserTags) -> State {
    let mut state = settled();
    state.request.previous.keeps_secret = named == Named::ByPhysicalId;
    state.secret.change(|secret| secret.origin = SecretOrigin::default());
    let user = &mut state.user;
    match tags {
        UserTags::OfThis => {}
        UserTags::OfAnEarlierSecret => {
            let intent = user.issue_intent.as_mut().expect("an intent");
            intent.secret_key = intent_log::key("arn:secret-b");
        }
        UserTags::Missing => {
            (user.owner, user.secret_name, user.issue_intent) = (None, None, None);
        }
        UserTags::OfAnother => user.owner = Some(another()),
        UserTags::OfItsFormerName => user.owner = Some(former_name()),
    }
    state
}

fn missing() -> NextStep {
    let tagged = SecretOrigin::default();
    reject(messages::secret_is_untagged(
        NAME,
        &owner(),
        Some(USER),
        &tagged,
    ))
}

fn no_owner() -> NextStep {
    reject(messages::secret_is_held(NAME, &owner(), None))
}

fn changed(spec: &mut Spec) {
    spec.document = serde_json::json!({"UserName": USER, "WaitForSync": false});
}

fn saved(_: &mut Spec) {}

#[test]
fn secret_without_tags_is_adopted_by_no_request() {
    use Named::{ByPhysicalId, ByProperties};
    use UserTags::{Missing, OfAnEarlierSecret, OfAnother, OfItsFormerName, OfThis};
    let held = || reject(messages::user_is_held(USER, &owner(), &another()));
    let renamed = messages::user_is_held(USER, &owner(), &former_name());
    let to_rename =
        "belongs to Former of this very stack. Use another user. To rename the resource, remove it";
    assert!(renamed.to_string().contains(to_rename), "{renamed}");
    for (named, tags, of_changed, of_saved) in [
        (ByProperties, OfThis, missing(), DONE),
        (ByProperties, OfAnEarlierSecret, no_owner(), no_owner()),
        (ByProperties, Missing, no_owner(), no_owner()),
        (ByProperties, OfAnother, held(), held()),
        (
            ByProperties,
            OfItsFormerName,
            reject(renamed.clone()),
            reject(renamed),
        ),
        (ByPhysicalId, OfThis, missing(), DONE),
        (ByPhysicalId, OfAnEarlierSecret, missing(), DONE),
        (ByPhysicalId, Missing, missing(), DONE),
        (ByPhysicalId, OfAnother, held(), held()),
    ] {
        let mut state = untagged(named, tags);
        // A delivery that has begun ends in the same way.
        for has_begun in [false, true] {
            state.request.has_begun = has_begun;
            let found = [step(changed, &state), step(saved, &state)];
            let context = format!("{named:?} {tags:?} {has_begun}");
            assert_eq!(found, [of_changed.clone(), of_saved.clone()], "{context}");
        }
        // The end does not depend on GitLab.
        state.request.has_begun = false;
        state.request.failed_read = Some(DeliveryError {
            reason: Reason::new(Code::GitLabUnreachable, "reading failed", "Try again"),
            is_transient: true,
        });
        assert_eq!(step(saved, &state), of_saved, "{named:?} {tags:?}");
    }
}

/// An Update that changed something, or a loss beside that of the tags.
#[test]
fn rollback_with_something_to_undo_needs_the_tags() {
    let base = || untagged(Named::ByPhysicalId, UserTags::Missing);
    let with = |change: fn(&mut Secret)| state(base(), |state| state.secret.change(change));
    for (what, state) in [
        ("an open claim", with(|secret| secret.log.claim = 2)),
        (
            "another saved spec",
            with(|secret| secret.log.saved_specs.clear()),
        ),
        (
            "another key",
            with(|secret| secret.kms_key_id = Some("alias/k".to_owned())),
        ),
        ("another value", with(|secret| secret.log.current = None)),
        (
            "no credential",
            state(base(), |state| state.user.credentials.clear()),
        ),
    ] {
        assert_eq!(step(saved, &state), missing(), "{what}");
    }
    assert_eq!(step(recreated, &base()), missing());
}

#[test]
fn secret_with_the_tags_of_another_is_given_by_a_person() {
    let state = state(settled(), |state| {
        state.secret.change(|secret| secret.origin.owner = Some(another()));
    });
    let Next::Fail(DeliveryError { reason, .. }) = step(saved, &state) else {
        panic!("not rejected");
    };
    let text = reason.text();
    assert!(
        text.contains("it belongs to Credential of stack arn:another"),
        "{text}"
    );
    assert!(
        text.contains("Key=cfn-gitops:stack-id,Value=arn:stack "),
        "{text}"
    );
    assert!(
        text.contains("If its user has no CodeCommit credential any more either"),
        "{text}"
    );
}
