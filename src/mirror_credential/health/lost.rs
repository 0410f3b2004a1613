//! Finds the secrets that only the tags of their IAM users still name. It changes nothing.

use std::collections::BTreeSet;
use std::time::SystemTime;

use aws_sdk_iam::types::User as ListedUser;

use crate::clients::aws::{Aws, CallError, required};
use crate::common::commands::restore_secret;
use crate::common::iam_wildcard::NamePattern;
use crate::common::ownership::write_time;
use crate::common::pace::Pace;
use crate::mirror_credential::calls;
use crate::mirror_credential::intent_log::Owner;
use crate::mirror_credential::messages;
use crate::mirror_credential::observe;
use crate::mirror_credential::resource::MirrorCredential;
use crate::mirror_credential::spec;
use crate::mirror_credential::state::{Secret, SecretOrigin, User};
use cfn_custom_resource::Reason;

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUsers.html>
const MAX_USERS_OF_A_PAGE: i32 = 1000;

/// How many users a second are read, as for the other reads of IAM.
const USERS_PER_SECOND: u32 = 5;

/// A secret that its user's tags or its stack name, and that no list of cfn-gitops' secrets shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostSecret {
    pub name: String,
    /// Its user. `None` if no record names one.
    user_name: Option<String>,
    /// The resource that the user's tags or the stack name.
    pub owner: Owner,
    /// The record in its own tags.
    tagged: SecretOrigin,
    state: LostState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LostState {
    /// It does not exist.
    Deleted,
    /// It is scheduled for deletion, without its tags.
    ToBeDeleted(SystemTime),
    /// It exists without its tags.
    Untagged,
}

impl LostSecret {
    pub fn problem(&self) -> Reason {
        match (self.state, &self.user_name) {
            (LostState::Deleted, None) => {
                let remedy = format!(
                    "Create its IAM user again if that does not exist, with its policies. Then update resource {} \
                     of stack {} with a new RotationSerial, and remove the former mirror in the project's \
                     Settings, Repository, Mirroring repositories",
                    self.owner.logical_id, self.owner.stack_id
                );
                let problem = "it does not exist, so rotations and updates fail";
                Reason::uncoded(problem, remedy)
            }
            (LostState::Deleted, Some(user_name)) => {
                let problem = format!(
                    "it was deleted, and the mirrors of user {user_name} still push with its login, which nothing \
                     rotates"
                );
                let remedy = format!(
                    "Create it again: update resource {} of stack {} with a new RotationSerial, then remove the \
                     former mirror in the project's Settings, Repository, Mirroring repositories",
                    self.owner.logical_id, self.owner.stack_id
                );
                Reason::uncoded(problem, remedy)
            }
            (LostState::ToBeDeleted(at), _) => deletion_problem(&self.name, at),
            (LostState::Untagged, user_name) => {
                untagged_problem(&self.name, user_name.as_deref(), &self.owner, &self.tagged)
            }
        }
    }
}

/// The problem of the secret `name`, which a person scheduled for deletion.
pub fn deletion_problem(name: &str, deleted_at: SystemTime) -> Reason {
    let deleted_at = write_time(deleted_at);
    let problem = format!(
        "it is scheduled for deletion (DeletedDate {deleted_at}), and its mirrors still push with its \
         login. Every update and rotation fails"
    );
    Reason::uncoded(problem, restore_secret(name).after("Restore it: "))
}

/// The problem of the secret `name`, whose tags a person removed.
pub fn untagged_problem(
    name: &str,
    user_name: Option<&str>,
    owner: &Owner,
    tagged: &SecretOrigin,
) -> Reason {
    let except = owner.except_stack(tagged.stack_id.as_deref());
    let problem = format!("its tags were removed{except}, so every update and rotation fails");
    let command = messages::tag_command(name, owner, user_name);
    Reason::uncoded(problem, command.after("Set them again: "))
}

impl MirrorCredential {
    /// The secrets that the tags of users name, of the users that match `user_names` and that none
    /// of the secrets `listed` names. With the reads that failed.
    pub async fn lost_secrets(
        &self,
        user_names: &NamePattern,
        listed: &BTreeSet<&str>,
    ) -> (Vec<LostSecret>, Vec<CallError>) {
        let aws = &self.clients.aws;
        let (mut lost, mut errors) = (vec![], vec![]);
        let users = users(aws).await.unwrap_or_else(|error| {
            errors.push(error);
            vec![]
        });
        let pace = Pace::per_second(USERS_PER_SECOND);
        for user_name in users {
            if !user_names.matches(&user_name) || listed.contains(user_name.as_str()) {
                continue;
            }
            pace.wait().await;
            match lost_secret(aws, user_name).await {
                Ok(found) => lost.extend(found),
                Err(error) => errors.push(error),
            }
        }
        (lost, errors)
    }

    /// The secret `name`, which the resource `owner` declares, with its value if `reads_values`.
    /// `None` if it is not lost.
    pub async fn lost_secret(
        &self,
        name: &str,
        owner: &Owner,
        reads_values: bool,
    ) -> Result<Option<LostSecret>, CallError> {
        let aws = &self.clients.aws;
        let secret = observe::read_secret(aws, name).await?;
        let Some(state) = lost_state(secret.as_ref()) else {
            return Ok(None);
        };
        // Neither tags nor the list name its user. Its saved properties do.
        let saved = match &secret {
            Some(secret) if reads_values && state == LostState::Untagged => {
                calls::read_saved_spec(aws, secret).await.ok().flatten()
            }
            _ => None,
        };
        Ok(Some(LostSecret {
            name: name.to_owned(),
            owner: owner.clone(),
            user_name: saved.as_ref().and_then(spec::user_name_in),
            tagged: secret.map(|secret| secret.origin).unwrap_or_default(),
            state,
        }))
    }
}

/// The secret that the tags of a user name. `None` if they name none, or if it is not lost.
async fn lost_secret(aws: &Aws, user_name: String) -> Result<Option<LostSecret>, CallError> {
    // IAM lists a user that was deleted a moment ago.
    let Some(tags) = observe::read_tags(aws, &user_name).await? else {
        return Ok(None);
    };
    let user = User::from_tags(&user_name, &tags);
    let (Some(owner), Some(name)) = (user.held_by(), &user.secret_name) else {
        return Ok(None);
    };
    // A user may be that of another region, where its secret is.
    if Some(stack_region(owner)) != aws.s3.region() {
        return Ok(None);
    }
    let secret = observe::read_secret(aws, name).await?;
    Ok(lost_state(secret.as_ref()).map(|state| LostSecret {
        name: name.clone(),
        owner: owner.clone(),
        user_name: Some(user_name),
        tagged: secret.map(|secret| secret.origin).unwrap_or_default(),
        state,
    }))
}

/// How a secret is lost. `None` if it is not: Secrets Manager lists a new one minutes late.
fn lost_state(secret: Option<&Secret>) -> Option<LostState> {
    let Some(secret) = secret else {
        return Some(LostState::Deleted);
    };
    let is_tagged = secret.origin.owner.is_some() && secret.origin.user_name.is_some();
    let otherwise = (!is_tagged).then_some(LostState::Untagged);
    secret.deleted_at.map(LostState::ToBeDeleted).or(otherwise)
}

/// The names of the account's IAM users without a path: the function's role may read no others.
async fn users(aws: &Aws) -> Result<Vec<String>, CallError> {
    let call = aws.iam.list_users().max_items(MAX_USERS_OF_A_PAGE);
    let pages = call.into_paginator().items().send();
    let listed: Result<Vec<ListedUser>, _> = pages.collect().await;
    let listed = required(listed, || "listing the IAM users".to_owned())?.into_iter();
    let without_path = listed.filter(|user| user.path == "/");
    Ok(without_path.map(|user| user.user_name).collect())
}

fn stack_region(owner: &Owner) -> &str {
    owner.stack_id.split(':').nth(3).unwrap_or_default()
}
