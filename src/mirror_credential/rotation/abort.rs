//! Aborts a rotation: deletes what it created, so that the next one can begin.

use crate::aws::{Aws, CallError};
use crate::mirror_credential::calls;
use crate::mirror_credential::calls::WriteResult;
use crate::mirror_credential::intent_log::Login;
use crate::mirror_credential::mirrors::gitlab_clients::GitLabClients;
use crate::mirror_credential::mirrors::intent::{
    MirrorIntent, MirrorRecord, MirrorsBefore, abort_claimant,
};
use crate::mirror_credential::observe;
use crate::mirror_credential::request_context::RequestContext;
use crate::mirror_credential::rotation::plan::claim_of;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::Secret;

/// The progress of a rotation's phase when it failed.
pub struct RotationProgress<'a> {
    /// The version that Secrets Manager chose.
    pub version_id: &'a str,
    /// The claim that it holds.
    pub claim: Option<u64>,
    /// The mirrors that existed before.
    pub before: Vec<MirrorsBefore>,
    /// Mirrors that the phase created.
    pub own: Vec<MirrorRecord>,
    /// Mirrors of an attempt that the phase took over, or was about to take over.
    pub orphans: Vec<MirrorRecord>,
    /// A credential that the phase issued.
    pub issued: Option<String>,
    /// The phase stored that credential in its version, and no peer can have used it yet.
    pub has_prepared: bool,
}

impl<'a> RotationProgress<'a> {
    /// No progress of this phase. The secret shows the earlier phases.
    pub fn nothing(version_id: &'a str) -> Self {
        RotationProgress {
            version_id,
            claim: None,
            before: Vec::new(),
            own: Vec::new(),
            orphans: Vec::new(),
            issued: None,
            has_prepared: false,
        }
    }
}

/// Deletes what a rotation created, unless its login is current. It deletes what peers created, or
/// may make current, only if the rotation still holds the log. It removes `AWSPENDING` first,
/// because that label would make every later rotation fail. Returns the claim with which it then
/// holds the log. `None` if a peer has the log.
pub async fn abort(
    aws: &Aws,
    spec: &Spec,
    context: &RequestContext,
    gitlab_clients: &mut GitLabClients<'_>,
    begun: RotationProgress<'_>,
) -> Result<Option<u64>, CallError> {
    let (user_name, version_id) = (&spec.user_name, begun.version_id);
    let secret = observe::read_secret(aws, &spec.secret_name).await?;
    let is_own = |secret: &Secret| secret.origin.owner.as_ref() == Some(&context.owner);
    let Some(secret) = secret.filter(is_own) else {
        // A Delete has superseded the rotation. It did not find resources that were created since.
        warn_of(&gitlab_clients.delete_all(&begun.own).await);
        delete_issued(aws, user_name, begun.issued.as_ref()).await?;
        return Ok(None);
    };
    let prepared = secret.prepared(version_id).cloned();
    let current = secret.log.current.as_ref();
    let is_named = |id: &String| secret.logins().any(|login| login.credential_id == *id);
    let issued = begun.issued.filter(|id| !is_named(id));
    if current.is_some_and(|current| current.version_id == version_id) {
        // Another delivery of this phase has moved `AWSCURRENT` already.
        delete_issued(aws, user_name, issued.as_ref()).await?;
        return Ok(None);
    }
    if secret.open_rotation().map(String::as_str) == Some(version_id) {
        calls::drop_pending(aws, &secret, version_id).await?;
    }
    let mut mirrors = begun.own;
    let claim = Some(secret.log.claim);
    let is_held = begun.claim == claim || prepared.as_ref().map(claim_of) == claim;
    if is_held {
        mirrors.extend(begun.orphans);
        add_prepared(&mut mirrors, aws, &secret, prepared.as_ref()).await?;
        let mirror_intent = MirrorIntent {
            claimant: abort_claimant(version_id),
            written: None,
            before: begun.before,
            created: mirrors.clone(),
        };
        if !fence(aws, &secret, prepared.as_ref(), &mirror_intent).await? {
            return Ok(None);
        }
    }
    let left = gitlab_clients.delete_all(&mirrors).await;
    warn_of(&left);
    // A peer that holds the log may be about to store the login that was issued here.
    let may_go = is_held || (begun.has_prepared && !secret.is_unfinished());
    let is_current = |id: &String| current.is_some_and(|login| login.credential_id == *id);
    let issued = issued.filter(|id| (is_held || !secret.is_unfinished()) && !is_current(id));
    delete_issued(aws, user_name, issued.as_ref()).await?;
    // Mirrors left in GitLab push with this login. The login and its label stay until the mirrors
    // can be deleted.
    if let Some(login) = prepared.filter(|_| may_go && left.is_empty()) {
        if !is_current(&login.credential_id) {
            calls::delete_credential(aws, user_name, &login.credential_id).await?;
        }
        calls::move_label(aws, &secret, &login.write(), &login.version_id, None).await?;
    }
    Ok(is_held.then(|| secret.next_entry()))
}

async fn delete_issued(aws: &Aws, user_name: &str, id: Option<&String>) -> Result<(), CallError> {
    match id {
        Some(id) => calls::delete_credential(aws, user_name, id).await,
        None => Ok(()),
    }
}

/// Adds the mirrors of `prepared`, and removes those of the current login.
async fn add_prepared(
    mirrors: &mut Vec<MirrorRecord>,
    aws: &Aws,
    secret: &Secret,
    prepared: Option<&Login>,
) -> Result<(), CallError> {
    mirrors.extend(mirrors_of(aws, secret, prepared).await?);
    mirrors.sort();
    mirrors.dedup();
    let named = mirrors_of(aws, secret, secret.log.current.as_ref()).await?;
    mirrors.retain(|record| !named.contains(record));
    Ok(())
}

/// The mirrors in the value of `login`.
async fn mirrors_of(
    aws: &Aws,
    secret: &Secret,
    login: Option<&Login>,
) -> Result<Vec<MirrorRecord>, CallError> {
    let Some(login) = login.filter(|login| login.mirrors > 0) else {
        return Ok(Vec::new());
    };
    let value = calls::read_login(aws, secret, &login.version_id).await?;
    Ok(value.map(|value| value.mirrors).unwrap_or_default())
}

/// Takes the log over. Otherwise a phase that still runs could make its login current. `false` if a
/// peer has the log.
async fn fence(
    aws: &Aws,
    secret: &Secret,
    prepared: Option<&Login>,
    intent: &MirrorIntent,
) -> Result<bool, CallError> {
    let entry = secret.next_entry();
    if calls::write_claim(aws, secret, entry, intent).await? != WriteResult::Yes {
        return Ok(false);
    }
    let (Some(current), Some(_)) = (&secret.log.current, prepared) else {
        return Ok(true);
    };
    let copy = current.copied_as(entry + 1);
    let (from, to) = (&current.version_id, &copy.version_id);
    let is_fenced = calls::copy_login(aws, secret, current, &copy).await? == WriteResult::Yes
        && calls::move_label(aws, secret, "AWSCURRENT", from, Some(to)).await?;
    if is_fenced {
        calls::move_label(aws, secret, &current.write(), from, None).await?;
    }
    Ok(is_fenced)
}

fn warn_of(left: &[String]) {
    for left in left {
        tracing::warn!(left, "not rolled back");
    }
}
