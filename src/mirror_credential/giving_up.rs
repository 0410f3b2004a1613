//! Giving a rotation up: removing what it made, so that the next one can begin.

use super::MirrorCredential;
use super::gitlabs::GitLabs;
use super::mirror_records::{Before, Journal, MirrorRecord};
use super::observe;
use super::plan::Me;
use super::plan::rotating::seal_of;
use super::properties::Desired;
use super::records::{self, Login};
use super::steps::{self, Moved, Written};
use crate::aws::CallError;

/// What a step of a rotation had begun when it failed.
pub struct Begun<'a> {
    /// The version that Secrets Manager chose.
    pub version_id: &'a str,
    /// The claim that it holds.
    pub claim: Option<u64>,
    /// Which mirrors were there before.
    pub before: Vec<Before>,
    /// Mirrors that it made.
    pub mirrors: Vec<MirrorRecord>,
    /// A credential that it issued and did not store.
    pub issued: Option<String>,
}

impl<'a> Begun<'a> {
    /// Nothing yet: what earlier steps did stands in the secret.
    pub fn nothing(version_id: &'a str) -> Self {
        Begun {
            version_id,
            claim: None,
            before: Vec::new(),
            mirrors: Vec::new(),
            issued: None,
        }
    }
}

impl MirrorCredential {
    /// Removes what the rotation made, unless it is current by now or somebody else has taken
    /// over. `AWSPENDING` goes first: left behind, it would make every later rotation fail.
    pub(super) async fn give_up(
        &self,
        desired: &Desired,
        me: &Me,
        gitlabs: &mut GitLabs<'_>,
        begun: Begun<'_>,
    ) -> Result<(), CallError> {
        let aws = &self.aws;
        let version_id = begun.version_id;
        let read = observe::read_secret(aws, &desired.secret_name).await?;
        let Some(secret) = read.filter(|secret| secret.owner.as_ref() == Some(&me.owner)) else {
            return Ok(());
        };
        let prepared = secret.prepared(version_id).cloned();
        let current = secret.current.as_ref();
        let is_current = current.is_some_and(|current| {
            let prepared = prepared.as_ref();
            current.version_id == version_id
                || prepared.is_some_and(|login| login.credential_id == current.credential_id)
                || begun.issued.as_ref() == Some(&current.credential_id)
        });
        if is_current {
            return Ok(());
        }
        if secret.pending.as_deref() == Some(version_id) {
            steps::drop_pending(aws, &secret, version_id).await?;
        }
        let mut mirrors = begun.mirrors;
        let seal = prepared.as_ref().map(seal_of);
        let is_held = begun.claim == Some(secret.claim) || seal == Some(secret.claim);
        if is_held {
            if let Some(login) = prepared.as_ref().filter(|login| login.mirrors > 0) {
                let value = steps::read_login(aws, &secret, &login.version_id).await?;
                mirrors.extend(value.into_iter().flat_map(|value| value.mirrors));
            }
            mirrors.sort();
            mirrors.dedup();
            let journal = Journal {
                before: begun.before,
                made: mirrors.clone(),
            };
            let number = secret.next_entry();
            let written = steps::write_claim(aws, &secret, number, &me.claimant, &journal).await?;
            if written != Written::Yes {
                return Ok(());
            }
            // A step that still runs must not make it current.
            if let (Some(current), Some(_)) = (&secret.current, &prepared) {
                let entry = number + 1;
                let copy = Login {
                    entry,
                    version_id: records::version_id(entry),
                    ..current.clone()
                };
                let (from, to) = (&current.version_id, &copy.version_id);
                let is_shut_out = steps::copy_login(aws, &secret, current, &copy).await?
                    == Written::Yes
                    && steps::hand_over(aws, &secret, from, to).await? == Moved::Yes;
                if !is_shut_out {
                    return Ok(());
                }
                steps::forget_login(aws, &secret, current).await?;
            }
        }
        for left in gitlabs.delete_all(&mirrors).await {
            tracing::warn!(left, "not undone");
        }
        let user_name = &desired.user_name;
        if let Some(id) = &begun.issued {
            steps::delete_credential(aws, user_name, id).await?;
        }
        if let Some(login) = prepared.filter(|_| is_held) {
            steps::delete_credential(aws, user_name, &login.credential_id).await?;
            steps::forget_login(aws, &secret, &login).await?;
        }
        Ok(())
    }
}
