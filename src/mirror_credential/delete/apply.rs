//! Executes the steps of a deletion.

use crate::clients::Clients;
use crate::clients::aws::{CallError, optional};
use crate::common::commands::aws;
use crate::mirror_credential::calls::WriteResult;
use crate::mirror_credential::delete::mirrors::{DeletedMirrors, open_intent};
use crate::mirror_credential::delete::plan::{
    DeleteStep, DeleteStop, DeletionPlanner, DeletionState,
};
use crate::mirror_credential::delete::target::{DeletionScope, DeletionTarget};
use crate::mirror_credential::intent_log::mirrors::MirrorIntent;
use crate::mirror_credential::intent_log::{
    CLOSED_INTENT, LOGICAL_ID, NO_SECRET, OPEN_INTENT, SECRET_NAME, STACK_ID, TOMBSTONE, Tombstone,
};
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::state::{DeniedRead, Secret, SecretState, User};
use crate::mirror_credential::timing::POLL_INTERVAL;
use crate::mirror_credential::{calls, messages, observe};
use crate::reconcile::{Next, Reconcile, sender};
use cfn_custom_resource::{Progress, Reason};

pub struct Deleter<'a> {
    clients: &'a Clients,
    target: &'a DeletionTarget,
    context: &'a RequestContext,
    pub state: DeletionState,
    pub mirrors: DeletedMirrors<'a>,
}

impl<'a> Deleter<'a> {
    /// Reads the secret, its login, GitLab's token and the first user concurrently, and looks at
    /// CloudFormation beside them.
    pub async fn start(
        clients: &'a Clients,
        target: &'a DeletionTarget,
        context: &'a RequestContext,
        progress: &Progress,
    ) -> Result<Self, CallError> {
        let now = clients.clock.now();
        progress.doing(format!("reading secret {}", target.secret_name));
        let aws = &clients.aws;
        let first_user = async {
            match &target.user_name {
                Some(name) => observe::read_user(aws, name).await.map(Some),
                None => Ok(None),
            }
        };
        let sender = async {
            let is_of_stack = matches!(target.scope, DeletionScope::Delete { .. });
            let id = Some(target.secret_name.as_str());
            is_of_stack
                && !context.is_local
                && sender::is_contradicted(aws, &context.owner, id).await
        };
        let (secret, user, mirrors, is_contradicted) = tokio::join!(
            observe::read_secret(aws, &target.secret_name),
            first_user,
            DeletedMirrors::start(clients, target, progress.until()),
            sender,
        );
        if is_contradicted {
            return Err(sender::contradicted(&context.owner));
        }
        let (secret, denied) = secret_or_denied(secret)?;
        Ok(Deleter {
            clients,
            target,
            context,
            state: DeletionState {
                started_at: now,
                users_read_at: now,
                users: user?.into_iter().collect(),
                secret,
                denied,
                is_fenced: false,
                is_secret_deleted: false,
                tombstones_written: Vec::new(),
                deleted_credentials: Vec::new(),
                are_mirrors_deleted: false,
                mirrors_to_look_for: target.mirrors.clone(),
            },
            mirrors,
        })
    }

    /// The user whose login was deleted. `None` if there was neither a secret nor a credential.
    /// Then the mirrors that GitLab shows may work with a login of another owner.
    pub fn user_without_login(&self) -> Option<&str> {
        let state = &self.state;
        let has_deleted = state.is_secret_deleted || !state.deleted_credentials.is_empty();
        let user = state.users.first().filter(|_| has_deleted);
        user.map(|user| user.name.as_str())
    }

    /// The credentials of a user whose owner no tags name, if there was neither a secret nor a
    /// credential of this resource. `None` if the user has none.
    pub fn credentials_left(&self) -> Option<Reason> {
        let is_delete = matches!(self.target.scope, DeletionScope::Delete { .. });
        let has_deleted = self.user_without_login().is_some();
        let user = self.state.users.iter().find(|user| user.exists && user.owner.is_none());
        let user = user.filter(|user| is_delete && !has_deleted && !user.credentials.is_empty())?;
        let ids = user.credentials.iter().map(|one| one.id.clone());
        let ids: Vec<String> = ids.collect();
        Some(messages::credentials_are_left(&user.name, &ids))
    }

    fn untagged(&self) -> CallError {
        let (name, owner) = (&self.target.secret_name, &self.context.owner);
        let secret = self.state.secret.present();
        let tagged = secret.and_then(|secret| secret.origin.user_name.as_deref());
        let user_name = tagged.or(self.target.user_name.as_deref());
        messages::untagged_secret_is_left(name, owner, user_name, secret)
    }

    async fn read_secret(&mut self) -> Result<(), CallError> {
        let secret = observe::read_secret(&self.clients.aws, &self.target.secret_name).await;
        let (secret, denied) = secret_or_denied(secret)?;
        self.state.secret = secret;
        self.state.denied = denied;
        Ok(())
    }

    async fn write_tombstone(&mut self, name: String) -> Result<(), CallError> {
        let tombstone = self.tombstone_of(&name);
        let tags = [(TOMBSTONE, tombstone.write())];
        let user = self.state.users.iter_mut().find(|user| user.name == name);
        let is_ours = user
            .as_ref()
            .is_some_and(|user| user.owner.as_ref() == Some(&self.context.owner));
        match calls::tag_user(&self.clients.aws, &name, &tags).await {
            Err(error) if error.has_code(&["NoSuchEntity"]) => {
                if let Some(user) = user {
                    *user = User::absent(&name, None);
                }
            }
            // The Delete that follows a rejected Create succeeds. If IAM rejects this tag, it
            // rejects the tags that a Create writes before it issues a credential, too.
            Err(error) if !is_ours && !error.is_transient() => {
                warn!(error.reason(), "the deletion is not recorded");
            }
            written => {
                written?;
                // IAM may have shown it late.
                if let Some(user) = user {
                    user.exists = true;
                }
            }
        }
        self.state.tombstones_written.push(name);
        Ok(())
    }

    /// The tombstone to write on the user `name`. A second delivery of the Delete finds no secret,
    /// and keeps the first one's record of it.
    fn tombstone_of(&self, name: &str) -> Tombstone {
        let user = self.state.users.iter().find(|user| user.name == name);
        let earlier = user.and_then(|user| self.context.tombstone_on(user));
        let secret = self.state.secret.present();
        let changed_by = secret.and_then(|secret| secret.origin.changed_by.clone());
        let ended = changed_by.or(earlier.map(|earlier| earlier.ended.clone()));
        Tombstone {
            owner_key: self.context.owner.key(),
            signed_at: self.context.signed_at,
            done_at: self.clients.clock.now(),
            ended: ended.unwrap_or_else(|| NO_SECRET.to_owned()),
            unanswered: self.target.is_create_unanswered(),
        }
    }

    async fn fence(&mut self) -> Result<(), CallError> {
        let aws = &self.clients.aws;
        let secret = self.state.secret.required()?;
        let entry = secret.next_entry();
        // The mirrors of an open intent have to stay named until they are deleted.
        let open = open_intent(aws, secret).await?;
        let intent = MirrorIntent {
            claimant: self.context.claimant.clone(),
            ..open
        };
        match calls::write_claim(aws, secret, entry, &intent).await {
            Ok(WriteResult::Yes) => {
                self.state.is_fenced = true;
                self.state.secret.change(|secret| secret.log.note_claim(entry, &intent));
            }
            Ok(WriteResult::Taken) => {
                self.read_secret().await?;
                let secret = &mut self.state.secret;
                secret.change(|secret| secret.log.highest_claimed_entry = entry);
            }
            Ok(WriteResult::Gone) => self.state.secret = SecretState::Absent,
            // A peer has the same permissions and key, and cannot store a login either.
            Err(error) if error.is_denied() || error.is_key_error() => self.state.is_fenced = true,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn read_again(&mut self) -> Result<(), CallError> {
        tokio::time::sleep(POLL_INTERVAL).await;
        self.state.users_read_at = self.clients.clock.now();
        self.read_secret().await?;
        for user in &mut self.state.users {
            // IAM may show a new user late, even if it has accepted the tombstone.
            let was_tagged = user.exists && self.state.tombstones_written.contains(&user.name);
            *user = observe::read_user(&self.clients.aws, &user.name).await?;
            user.exists |= was_tagged;
        }
        Ok(())
    }

    /// Writes on the user which credentials its latest intent issued.
    async fn close_issue_intent(
        &mut self,
        user_name: String,
        ids: Vec<String>,
    ) -> Result<(), CallError> {
        let Some(user) = self.state.users.iter_mut().find(|user| user.name == user_name) else {
            return Ok(());
        };
        if let Some(intent) = &mut user.issue_intent {
            *intent = intent.closed_with(ids);
            let tags = [intent.tag()];
            match calls::tag_user(&self.clients.aws, &user_name, &tags).await {
                Err(error) if error.has_code(&["NoSuchEntity"]) => user.exists = false,
                written => written?,
            }
        }
        Ok(())
    }

    async fn delete_secret(&mut self) -> Result<(), CallError> {
        let secret = self.state.secret.required()?;
        // Without a recovery window, so that the name becomes free.
        let call = self.clients.aws.secrets.delete_secret();
        let call = call.secret_id(&secret.arn).force_delete_without_recovery(true);
        let doing = || format!("deleting secret {}", secret.arn);
        let deleted = optional(call.send().await, &["ResourceNotFoundException"], doing);
        deleted.map_err(|error| {
            let Some(regions) = replica_regions(&error) else {
                return error;
            };
            let remedy = aws([
                "secretsmanager",
                "remove-regions-from-replication",
                "--secret-id",
                &secret.arn,
                "--remove-replica-regions",
            ]);
            let remedy = remedy.with(regions.split(' ')).after("Run ");
            error.with_remedy(remedy.then(", then delete again"))
        })?;
        self.state.secret = SecretState::Absent;
        self.state.is_secret_deleted = true;
        Ok(())
    }

    /// Removes the records of cfn-gitops from the user, except the tombstone.
    async fn release_user(&mut self, name: &str) -> Result<(), CallError> {
        let keys = [
            STACK_ID,
            LOGICAL_ID,
            SECRET_NAME,
            OPEN_INTENT,
            CLOSED_INTENT,
        ];
        let call = self.clients.aws.iam.untag_user().user_name(name);
        let call = call.set_tag_keys(Some(keys.map(ToOwned::to_owned).to_vec()));
        let doing = || format!("untagging user {name}");
        optional(call.send().await, &["NoSuchEntity"], doing)?;
        let users = self.state.users.iter_mut();
        for user in users.filter(|user| user.name == *name) {
            user.owner = None;
        }
        Ok(())
    }
}

/// The regions with replicas of a secret that AWS does not delete for that:
/// `You can't delete secret … that still has replica regions [eu-west-1].`
fn replica_regions(error: &CallError) -> Option<String> {
    let (_, regions) = error.cause.split_once("replica regions [")?;
    let (regions, _) = regions.split_once(']')?;
    Some(regions.replace(',', ""))
}

impl Reconcile for Deleter<'_> {
    type Step = DeleteStep;
    type Done = ();
    type Error = CallError;

    /// Reads the users that the target or the secret names and that were not read yet.
    async fn observe(&mut self) -> Result<(), CallError> {
        let secret = self.state.secret.present();
        // The user's tags may show whose a secret without an owner's tags is.
        let may_be_own = |secret: &&Secret| {
            let owner = secret.origin.owner.as_ref();
            owner.is_none_or(|owner| *owner == self.context.owner)
        };
        let named = secret.filter(may_be_own).and_then(|secret| secret.origin.user_name.clone());
        for name in self.target.user_name.iter().chain(&named) {
            if !self.state.users.iter().any(|user| user.name == *name) {
                let user = observe::read_user(&self.clients.aws, name).await?;
                self.state.users.push(user);
            }
        }
        Ok(())
    }

    fn plan(&self) -> Next<DeleteStep, (), CallError> {
        let next = DeletionPlanner::new(self.target, self.context, &self.state).next();
        next.map_error(|stop| match stop {
            DeleteStop::Denied(DeniedRead(error)) => error,
            DeleteStop::Untagged => self.untagged(),
            DeleteStop::Outdated(arn) => messages::outdated_delete(&arn),
        })
    }

    fn describe(&self, step: &DeleteStep) -> String {
        let secret = &self.target.secret_name;
        match step {
            DeleteStep::WriteTombstone(user) => format!("writing the tombstone on user {user}"),
            DeleteStep::Fence => format!("recording the request in secret {secret}"),
            DeleteStep::ReadAgain => {
                format!("waiting for AWS to show the latest changes of secret {secret}")
            }
            DeleteStep::DeleteMirrors => format!("removing the mirrors of secret {secret}"),
            DeleteStep::CloseIssueIntent { user_name, .. } => {
                format!("closing the intent record of user {user_name}")
            }
            DeleteStep::DeleteCredential { id, .. } => {
                format!("deleting the service-specific credential {id}")
            }
            DeleteStep::DeleteSecret => format!("deleting secret {secret}"),
            DeleteStep::ReleaseUser(user) => format!("removing the records from user {user}"),
            DeleteStep::LookForMirrors => "looking for mirrors that no record names".to_owned(),
        }
    }

    async fn apply(&mut self, step: DeleteStep) -> Result<(), CallError> {
        match step {
            DeleteStep::WriteTombstone(name) => self.write_tombstone(name).await,
            DeleteStep::Fence => self.fence().await,
            DeleteStep::ReadAgain => self.read_again().await,
            DeleteStep::DeleteMirrors => {
                if let Some(secret) = self.state.secret.present() {
                    self.mirrors.delete(secret).await;
                }
                self.state.are_mirrors_deleted = true;
                Ok(())
            }
            DeleteStep::CloseIssueIntent { user_name, ids } => {
                self.close_issue_intent(user_name, ids).await
            }
            DeleteStep::DeleteCredential { user_name, id } => {
                calls::delete_credential(&self.clients.aws, &user_name, &id).await?;
                self.state.deleted_credentials.push(id);
                Ok(())
            }
            DeleteStep::DeleteSecret => self.delete_secret().await,
            DeleteStep::ReleaseUser(name) => self.release_user(&name).await,
            DeleteStep::LookForMirrors => {
                let wanted = std::mem::take(&mut self.state.mirrors_to_look_for);
                self.mirrors.look_for_others(wanted).await;
                Ok(())
            }
        }
    }
}

/// The secret, or the denied call if the function may not read it.
fn secret_or_denied(
    read: Result<Option<Secret>, CallError>,
) -> Result<(SecretState, Option<DeniedRead>), CallError> {
    match read {
        Ok(secret) => Ok((SecretState::from(secret), None)),
        Err(error) if error.is_denied() => Ok((SecretState::Absent, Some(DeniedRead(error)))),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::reason_codes::Code;

    #[test]
    fn regions_of_replicas_are_those_of_the_message() {
        let regions = |cause: &str| {
            let error = CallError::local(Code::AwsRejected, "deleting secret s", cause);
            replica_regions(&error)
        };
        let cause = "InvalidParameterException: You can't delete secret s that still has replica \
            regions [eu-west-1, eu-west-2].";
        assert_eq!(regions(cause).as_deref(), Some("eu-west-1 eu-west-2"));
        assert_eq!(regions("InvalidParameterException: no"), None);
    }
}
