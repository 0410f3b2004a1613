//! Plans a deletion: a pure function of the target and the state.
//!
//! A Delete works from the physical ID alone, or from the properties if CloudFormation generated
//! the ID. It touches only resources whose records name this resource. So the Delete that follows a
//! rejected Create finds nothing to do.
//!
//! A resource that cannot be read may exist, even if no record names it: a user's tags name only
//! its latest secret. Only the ID that the Create responded with shows that it was rejected.

use std::ops::ControlFlow;
use std::ops::ControlFlow::Continue;
use std::time::SystemTime;

use crate::mirror_credential::credential_class::CredentialClass;
use crate::mirror_credential::delete::target::{DeletionScope, DeletionTarget};
use crate::mirror_credential::intent_log::{NO_SECRET, key};
use crate::mirror_credential::plan::classify::{classify, next_deletion};
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::spec::WantedMirror;
use crate::mirror_credential::state::{Credential, DeniedRead, Secret, SecretState, User};
use crate::mirror_credential::timing::{PROPAGATION_TIME, RUNNING_CREATE_TIMEOUT};
use crate::reconcile::{Next, choose, choose_any, choose_if};

#[derive(Clone, Debug)]
pub struct DeletionState {
    /// When the delivery started to read.
    pub started_at: SystemTime,
    /// When it started to read the users: their tags and credentials are at least this recent.
    pub users_read_at: SystemTime,
    /// The users that may hold a credential of the target.
    pub users: Vec<User>,
    pub secret: SecretState,
    /// The denied call, if the function may not read the secret.
    pub denied: Option<DeniedRead>,
    /// No peer can store a login: this delivery holds the log, or no delivery may write the secret.
    pub is_fenced: bool,
    pub is_secret_deleted: bool,
    /// The users with this Delete's tombstone.
    pub tombstones_written: Vec<String>,
    /// Deleted credentials. IAM may still list them.
    pub deleted_credentials: Vec<String>,
    /// The mirrors are deleted, or their GitLab is unreachable.
    pub are_mirrors_deleted: bool,
    /// The mirrors of the properties, until GitLab was searched for others than the recorded ones.
    pub mirrors_to_look_for: Vec<WantedMirror>,
}

impl DeletionState {
    pub fn denied_reads(&self) -> impl Iterator<Item = &DeniedRead> {
        let users = self.users.iter().filter_map(|user| user.denied.as_ref());
        self.denied.iter().chain(users)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteStep {
    WriteTombstone(String),
    /// Write a claim, so that no peer can store a login.
    Fence,
    /// Wait, then read the secret and the users again: AWS may show changes late.
    ReadAgain,
    /// Delete the mirrors that the secret names.
    DeleteMirrors,
    /// Write on the user which credentials its latest intent issued.
    CloseIssueIntent {
        user_name: String,
        /// The credentials of this resource.
        ids: Vec<String>,
    },
    DeleteCredential {
        user_name: String,
        id: String,
    },
    DeleteSecret,
    /// Remove the records from a user that no longer holds anything of this resource.
    ReleaseUser(String),
    /// Look in GitLab for mirrors that no record names.
    LookForMirrors,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteStop {
    Denied(DeniedRead),
    /// The secret of the physical ID exists, and no tags name its owner.
    Untagged,
    /// A later request has changed the secret with this ARN.
    Outdated(String),
}

/// The result of a part of the plan: it breaks with the next step. Otherwise the plan continues.
type DeletePlan = ControlFlow<Next<DeleteStep, (), DeleteStop>>;

pub struct DeletionPlanner<'a> {
    target: &'a DeletionTarget,
    context: &'a RequestContext,
    state: &'a DeletionState,
    /// The secret, if it belongs to this resource.
    secret: Option<&'a Secret>,
}

impl<'a> DeletionPlanner<'a> {
    pub fn new(
        target: &'a DeletionTarget,
        context: &'a RequestContext,
        state: &'a DeletionState,
    ) -> Self {
        let secret = state.secret.present();
        // The secret's tags may be lost: the user's tags name the secret, too.
        let is_recorded = |secret: &Secret| {
            let (owner, name) = (&context.owner, target.secret_name.as_str());
            let mut users = state.users.iter();
            secret.origin.owner.is_none() && users.any(|user| user.records(owner, name, secret))
        };
        DeletionPlanner {
            target,
            context,
            state,
            secret: secret.filter(|secret| context.owns(secret) || is_recorded(secret)),
        }
    }

    pub fn next(&self) -> Next<DeleteStep, (), DeleteStop> {
        self.plan().break_value().unwrap_or(Next::Done(()))
    }

    fn plan(&self) -> DeletePlan {
        choose_if(self.is_of_another_request(), Next::Done(()))?;
        self.check_records()?;
        self.stop_peers()?;
        self.delete_all()
    }

    /// Ends a deletion that the records of the secret and of the users do not allow.
    fn check_records(&self) -> DeletePlan {
        let outdated = self.secret.filter(|secret| self.context.is_outdated(secret));
        let outdated = outdated.map(|secret| DeleteStop::Outdated(secret.arn.clone()));
        let untagged = || self.is_untagged().then_some(DeleteStop::Untagged);
        let denied = || self.denied_call().cloned().map(DeleteStop::Denied);
        choose_any(outdated.or_else(untagged).or_else(denied).map(Next::Fail))
    }

    /// Whether the physical ID names a secret that exists, and no record shows whose it is. Such an
    /// ID is of a response, so the secret was this resource's. A success would leave a login and
    /// mirrors that nothing names any more.
    fn is_untagged(&self) -> bool {
        let secret = self.state.secret.present();
        self.target.has_response()
            && self.secret.is_none()
            && secret.is_some_and(|secret| secret.origin.owner.is_none())
    }

    /// Whether the Create was rejected, and another request of the resource has changed the secret.
    /// CloudFormation has the ID of that request's response, too.
    fn is_of_another_request(&self) -> bool {
        let create = self.target.rejected_create();
        let changed_by = self.secret.map(|secret| secret.origin.changed_by.as_ref());
        create.is_some() && changed_by.is_some_and(|changed_by| changed_by != create)
    }

    /// The first step of all: it stops a Create that is running or that arrives later.
    fn stop_peers(&self) -> DeletePlan {
        let (state, target) = (self.state, self.target);
        if target.needs_tombstone() {
            choose_if(self.shows_another_secret(), DeleteStep::ReadAgain)?;
            // IAM may show a new user late, and a Create that still runs may see it.
            let is_create_unanswered = target.is_create_unanswered();
            let may_exist = |user: &&User| user.exists || is_create_unanswered;
            for user in state.users.iter().filter(may_exist) {
                // The first delivery of the Create may have failed before it changed anything. A
                // second one would create what no stack owns, unless it finds the tombstone.
                let may_be_taken = user.held_by().is_none();
                // A late copy of an earlier Delete must not replace the tombstone of a later one.
                let has_tombstone = state.tombstones_written.contains(&user.name)
                    || self.context.is_outdated_delete(user);
                if (self.is_held(user) || may_be_taken) && !has_tombstone {
                    return choose(DeleteStep::WriteTombstone(user.name.clone()));
                }
            }
        }
        let is_contested = self.secret.is_some_and(|secret| {
            let may_be_written = secret.is_unfinished() || secret.may_rotate();
            may_be_written && !state.is_fenced && secret.deleted_at.is_none()
        });
        choose_if(is_contested, DeleteStep::Fence)?;
        let is_early = target.waits_for_iam() && !self.shows_all_changes();
        choose_if(is_early, DeleteStep::ReadAgain)
    }

    /// Deletes the mirrors first, because they would push with a deleted login. The secret is last:
    /// while it exists, the next delivery finds every resource that is left.
    fn delete_all(&self) -> DeletePlan {
        let state = self.state;
        let names_mirrors = self.secret.is_some_and(|secret| {
            let is_open = secret.is_unfinished() && secret.log.mirror_intent.is_some();
            secret.logins().any(|login| login.mirrors > 0) || is_open
        });
        let has_mirrors = names_mirrors && !state.are_mirrors_deleted;
        choose_if(has_mirrors, DeleteStep::DeleteMirrors)?;
        self.close_issue_intent()?;
        // Without the secret, the function cannot classify credentials.
        let users = state.users.iter().filter(|_| !state.is_secret_deleted);
        for user in users {
            let named = self.secret.into_iter().flat_map(Secret::logins);
            let deletes_foreign = self.target.deletes_foreign && self.is_held(user);
            let class = |credential: &Credential| self.class(credential, user);
            let deleted = &state.deleted_credentials;
            let next = next_deletion(user, named, deleted, class, deletes_foreign);
            let Some((id, is_named)) = next else {
                continue;
            };
            choose_if(!is_named && self.may_be_stale(), DeleteStep::ReadAgain)?;
            // IAM may show a new user late. After the wait, deleting shows whether it exists.
            let is_shown = self.secret.is_none_or(|secret| self.is_shown_by_iam(secret));
            choose_if(!user.exists && !is_shown, DeleteStep::ReadAgain)?;
            let user_name = user.name.clone();
            return choose(DeleteStep::DeleteCredential { user_name, id });
        }
        choose_if(self.secret.is_some(), DeleteStep::DeleteSecret)?;
        // With a tombstone, the records stay: they name the deleted resource.
        if !self.target.needs_tombstone() {
            let held = state.users.iter().find(|user| self.is_held(user));
            choose_any(held.map(|user| DeleteStep::ReleaseUser(user.name.clone())))?;
        }
        // GitLab is read last: it must not delay the deletion of the login.
        choose_if(
            !state.mirrors_to_look_for.is_empty(),
            DeleteStep::LookForMirrors,
        )
    }

    /// Whether a user's tags name another secret of this resource, and IAM may show those that it
    /// had before this secret: a replacement is rolled back as soon as it was created.
    fn shows_another_secret(&self) -> bool {
        let Some(secret) = self.secret.filter(|secret| !self.is_shown_by_iam(secret)) else {
            return false;
        };
        let (owner, name) = (Some(&self.context.owner), Some(&self.target.secret_name));
        self.state.users.iter().any(|user| {
            let is_named = secret.origin.user_name.as_ref() == Some(&user.name);
            is_named && user.owner.as_ref() == owner && user.secret_name.as_ref() != name
        })
    }

    /// Whether IAM shows what the last request that changed `secret` did.
    fn is_shown_by_iam(&self, secret: &Secret) -> bool {
        // Clocks differ. It was changed before this delivery started.
        let soon = self.state.started_at + PROPAGATION_TIME;
        let changed = secret.last_changed;
        let visible = changed.map_or(soon, |time| (time + PROPAGATION_TIME).min(soon));
        self.state.users_read_at >= visible
    }

    fn is_held(&self, user: &User) -> bool {
        let is_recorded = user.owner.as_ref() == Some(&self.context.owner)
            && user.secret_name.as_ref() == Some(&self.target.secret_name);
        // The user's tags may be lost: the secret's tags name the user, too.
        let is_named = user.owner.is_none()
            && self
                .secret
                .is_some_and(|secret| secret.origin.user_name.as_ref() == Some(&user.name));
        user.exists && (is_recorded || is_named)
    }

    fn class(&self, credential: &Credential, user: &User) -> CredentialClass {
        let (name, owner) = (&self.target.secret_name, &self.context.owner);
        classify(credential, user, self.secret, name, owner, &[])
    }

    /// Whether the users' tags may be out of date.
    fn may_be_stale(&self) -> bool {
        let state = self.state;
        self.target.waits_for_iam() && state.users_read_at < state.started_at + PROPAGATION_TIME
    }

    /// Closes an open issue intent before the credentials that it issued are deleted. Otherwise a
    /// second delivery of this Delete, which finds no secret, would delete a credential that
    /// another person has created since.
    fn close_issue_intent(&self) -> DeletePlan {
        let open = self.state.users.iter().find(|user| {
            let intent = user.issue_intent.as_ref();
            let is_open = intent.is_some_and(|intent| !intent.closed);
            self.is_held(user) && is_open
        });
        let Some(user) = open else {
            return Continue(());
        };
        // A finished log names all credentials.
        let may_lack_some = self.secret.is_none_or(Secret::is_unfinished) && self.may_be_stale();
        choose_if(may_lack_some, DeleteStep::ReadAgain)?;
        let user_key = key(&user.name);
        let named = self.secret.into_iter().flat_map(Secret::logins);
        let named = named.filter(|login| login.user_key == user_key);
        let mut ids: Vec<String> = named.map(|login| login.credential_id.clone()).collect();
        for credential in &user.credentials {
            let class = self.class(credential, user);
            let is_ours = matches!(class, CredentialClass::Superseded | CredentialClass::Orphan);
            if is_ours && !ids.contains(&credential.id) {
                ids.push(credential.id.clone());
            }
        }
        let user_name = user.name.clone();
        choose(DeleteStep::CloseIssueIntent { user_name, ids })
    }

    /// Whether all changes of a Create must be visible by now.
    fn shows_all_changes(&self) -> bool {
        let state = self.state;
        let Some(secret) = self.secret else {
            if self.may_be_shown_late() && self.may_be_stale() {
                return false;
            }
            return state.users.iter().filter(|user| self.may_be_created_for(user)).all(|user| {
                let earlier = self.context.tombstone_on(user);
                let written =
                    earlier.map_or(state.started_at, |one| one.done_at.min(state.started_at));
                state.users_read_at >= written + RUNNING_CREATE_TIMEOUT
            });
        };
        !secret.is_unfinished() || self.is_shown_by_iam(secret)
    }

    /// Whether Secrets Manager may not show the secret yet: the Create succeeded, or an Update that
    /// was rolled back may have created it, and no earlier delivery has deleted it.
    fn may_be_shown_late(&self) -> bool {
        let state = self.state;
        let has_existed =
            self.target.has_response() || self.target.scope == DeletionScope::UnknownReplacement;
        let has_ended = state.users.iter().any(|user| self.has_ended(user));
        has_existed && state.secret == SecretState::Absent && !state.is_secret_deleted && !has_ended
    }

    /// Whether an earlier delivery of this Delete has found the secret.
    fn has_ended(&self, user: &User) -> bool {
        let earlier = self.context.tombstone_on(user);
        earlier.is_some_and(|earlier| earlier.ended != NO_SECRET)
    }

    /// Whether a Create that read `user` before the tombstone was written may still run. Such a
    /// Create never responded, or its first delivery failed before it changed anything. It may also
    /// have created the secret since the secret was read.
    fn may_be_created_for(&self, user: &User) -> bool {
        let is_marked = self.state.tombstones_written.contains(&user.name);
        let is_marked = is_marked && !self.state.is_secret_deleted;
        let is_create_unanswered = self.target.is_create_unanswered();
        user.exists && (is_create_unanswered || (is_marked && !self.has_ended(user)))
    }

    /// The denied call that prevents the deletion: the function may not read resources that it may
    /// have created.
    fn denied_call(&self) -> Option<&'a DeniedRead> {
        let users = &self.state.users;
        let may_exist = !self.target.may_never_have_existed()
            || self.secret.is_some()
            || users.iter().any(|user| self.is_held(user));
        // IAM may list the credentials of a new user late, which is not a denial.
        let mut denied =
            self.state.denied_reads().filter(|read| !read.0.has_code(&["NoSuchEntity"]));
        denied.next().filter(|_| may_exist)
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
