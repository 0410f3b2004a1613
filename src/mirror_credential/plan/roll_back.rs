//! The rollback of a failed delivery of CloudFormation's request. A rotation is aborted instead.

use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::state::{Secret, State};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollBackStep {
    /// Delete the mirrors that this delivery created.
    DeleteMirrors,
    /// Delete the credential with this ID, which no version of the secret names.
    DeleteCredential(String),
    DeleteResource {
        /// A call to issue whose outcome is unknown may have issued a credential.
        waits_for_iam: bool,
    },
    /// Close the issue intent: it has issued no credential that is left.
    CloseIssueIntent,
}

/// Whether this delivery may have left something to undo.
pub fn may_have_left(state: &State) -> bool {
    state.login.issued.is_some() || state.log.claim.is_some() || !state.created.mirrors.is_empty()
}

/// The steps of the rollback, in their order, if the secret is `secret` now: the response to a
/// store may have been lost, and a peer may have continued since. A rollback `for_delete` makes
/// room for a Delete that came after the request.
pub fn roll_back(
    context: &RequestContext,
    state: &State,
    secret: Option<&Secret>,
    for_delete: bool,
) -> Vec<RollBackStep> {
    let (login, created) = (&state.login, &state.created);
    let mut steps = Vec::new();
    let current = secret.and_then(Secret::current);
    let has_stored = current.is_some_and(|current| created.storing_entry == Some(current.entry));
    if !has_stored {
        steps.push(RollBackStep::DeleteMirrors);
    }
    if let Some(issued) = &login.issued {
        let mut named = secret.into_iter().flat_map(Secret::logins);
        if named.all(|named| named.credential_id != issued.id) {
            steps.push(RollBackStep::DeleteCredential(issued.id.clone()));
        }
    }
    // The resources of a peer that holds the log stay.
    let Some(secret) = secret.filter(|secret| state.log.claim == Some(secret.log.claim)) else {
        return steps;
    };
    // So does the login of a peer.
    let stored = created.stored_credential.as_ref();
    let is_own = |id: &String| has_stored || stored == Some(id);
    let is_new = context.is_create || (for_delete && context.has_created(secret));
    if is_new && current.is_none_or(|current| is_own(&current.credential_id)) {
        let waits_for_iam = login.uncertain_since.is_some();
        steps.push(RollBackStep::DeleteResource { waits_for_iam });
    } else if state.log.issue_intent_written && stored.is_none() && !login.may_have_issued {
        steps.push(RollBackStep::CloseIssueIntent);
    }
    steps
}

#[cfg(test)]
#[path = "roll_back_tests.rs"]
mod tests;
