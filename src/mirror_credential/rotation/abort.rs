//! Giving a rotation up: removing what it made, so that the next one can begin.

use super::plan::seal_of;
use crate::aws::CallError;
use crate::mirror_credential::MirrorCredential;
use crate::mirror_credential::calls;
use crate::mirror_credential::calls::{Moved, Written};
use crate::mirror_credential::intent_log::Login;
use crate::mirror_credential::mirrors::gitlab_clients::GitLabs;
use crate::mirror_credential::mirrors::journal::{Before, Journal, MirrorRecord, giving_up};
use crate::mirror_credential::observe;
use crate::mirror_credential::observe::Secret;
use crate::mirror_credential::plan::Me;
use crate::mirror_credential::spec::Spec;

/// What a step of a rotation had begun when it failed.
pub struct Begun<'a> {
    /// The version that Secrets Manager chose.
    pub version_id: &'a str,
    /// The claim that it holds.
    pub claim: Option<u64>,
    /// Which mirrors were there before.
    pub before: Vec<Before>,
    /// Mirrors that it made itself.
    pub own: Vec<MirrorRecord>,
    /// Mirrors of an attempt that it took over, or was about to.
    pub strays: Vec<MirrorRecord>,
    /// A credential that it issued.
    pub issued: Option<String>,
    /// It stored that credential in its version, and nobody can have gone on with it yet.
    pub has_prepared: bool,
}

impl<'a> Begun<'a> {
    /// Nothing yet: what earlier steps did stands in the secret.
    pub fn nothing(version_id: &'a str) -> Self {
        Begun {
            version_id,
            claim: None,
            before: Vec::new(),
            own: Vec::new(),
            strays: Vec::new(),
            issued: None,
            has_prepared: false,
        }
    }
}

impl MirrorCredential {
    /// Removes what the rotation made, unless it is current by now. What others made, or may make
    /// current, goes only when the log is still the rotation's. `AWSPENDING` goes first: left
    /// behind, it would make every later rotation fail. Answers the claim that the rotation holds
    /// then, `None` if another delivery has the log.
    pub(in crate::mirror_credential) async fn give_up(
        &self,
        desired: &Spec,
        me: &Me,
        gitlabs: &mut GitLabs<'_>,
        begun: Begun<'_>,
    ) -> Result<Option<u64>, CallError> {
        let aws = &self.aws;
        let user_name = &desired.user_name;
        let version_id = begun.version_id;
        let read = observe::read_secret(aws, &desired.secret_name).await?;
        let read = read.filter(|secret| secret.owner.as_ref() == Some(&me.owner));
        let Some(secret) = read else {
            // A Delete has overtaken it, and cannot have known of what was made meanwhile.
            warn_of(&gitlabs.delete_all(&begun.own).await);
            if let Some(id) = &begun.issued {
                calls::delete_credential(aws, user_name, id).await?;
            }
            return Ok(None);
        };
        let prepared = secret.prepared(version_id).cloned();
        let current = secret.current.as_ref();
        let is_named = |id: &String| secret.logins().any(|login| login.credential_id == *id);
        let issued = begun.issued.filter(|id| !is_named(id));
        if current.is_some_and(|current| current.version_id == version_id) {
            // Another delivery of this step was faster.
            if let Some(id) = &issued {
                calls::delete_credential(aws, user_name, id).await?;
            }
            return Ok(None);
        }
        if secret
            .open_rotation()
            .is_some_and(|open| open == version_id)
        {
            calls::drop_pending(aws, &secret, version_id).await?;
        }
        let mut mirrors = begun.own;
        let seal = prepared.as_ref().map(seal_of);
        let is_held = begun.claim == Some(secret.claim) || seal == Some(secret.claim);
        if is_held {
            if let Some(login) = prepared.as_ref().filter(|login| login.mirrors > 0) {
                let value = calls::read_login(aws, &secret, &login.version_id).await?;
                mirrors.extend(value.into_iter().flat_map(|value| value.mirrors));
            }
            mirrors.extend(begun.strays);
            mirrors.sort();
            mirrors.dedup();
            if let Some(login) = current.filter(|login| login.mirrors > 0) {
                let value = calls::read_login(aws, &secret, &login.version_id).await?;
                let named = value.map(|value| value.mirrors).unwrap_or_default();
                mirrors.retain(|record| !named.contains(record));
            }
            let journal = Journal {
                claimant: giving_up(version_id),
                written: None,
                before: begun.before,
                made: mirrors.clone(),
            };
            if !self.shut_out(&secret, prepared.as_ref(), &journal).await? {
                return Ok(None);
            }
        }
        let left = gitlabs.delete_all(&mirrors).await;
        warn_of(&left);
        // Whoever holds the log instead may be about to store what was issued here.
        let may_go = is_held || (begun.has_prepared && !secret.is_unfinished());
        let is_current = |id: &String| current.is_some_and(|login| login.credential_id == *id);
        if let Some(id) =
            issued.filter(|id| (is_held || !secret.is_unfinished()) && !is_current(id))
        {
            calls::delete_credential(aws, user_name, &id).await?;
        }
        // What is left in GitLab pushes with this login: both stay, and stay known, until they can
        // go together.
        if let Some(login) = prepared.filter(|_| may_go && left.is_empty()) {
            if !is_current(&login.credential_id) {
                calls::delete_credential(aws, user_name, &login.credential_id).await?;
            }
            calls::forget_login(aws, &secret, &login).await?;
        }
        Ok(is_held.then(|| secret.next_entry()))
    }

    /// Takes the log, so that a step which still runs cannot make its login current. `false` when
    /// somebody else has.
    async fn shut_out(
        &self,
        secret: &Secret,
        prepared: Option<&Login>,
        journal: &Journal,
    ) -> Result<bool, CallError> {
        let aws = &self.aws;
        let number = secret.next_entry();
        if calls::write_claim(aws, secret, number, journal).await? != Written::Yes {
            return Ok(false);
        }
        let (Some(current), Some(_)) = (&secret.current, prepared) else {
            return Ok(true);
        };
        let copy = current.copied_as(number + 1);
        let (from, to) = (&current.version_id, &copy.version_id);
        let is_shut_out = calls::copy_login(aws, secret, current, &copy).await? == Written::Yes
            && calls::hand_over(aws, secret, from, to).await? == Moved::Yes;
        if is_shut_out {
            calls::forget_login(aws, secret, current).await?;
        }
        Ok(is_shut_out)
    }
}

fn warn_of(left: &[String]) {
    for left in left {
        tracing::warn!(left, "not undone");
    }
}
