//! From what is to nothing, step by step, as [`plan::next`] says.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan;
use super::plan::{Observed, RemovalStep, Target};
use crate::aws::CallError;
use crate::gitlab::Access;
use crate::mirror_credential::MirrorCredential;
use crate::mirror_credential::calls;
use crate::mirror_credential::calls::{Written, explained};
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::{Deletion, NOTHING_ENDED};
use crate::mirror_credential::mirrors::gitlab_clients::GitLabs;
use crate::mirror_credential::mirrors::journal::{Journal, MirrorRecord};
use crate::mirror_credential::observe;
use crate::mirror_credential::observe::{Secret, User};
use crate::mirror_credential::plan::{Me, PAUSE, SecretState, Step};

/// How long GitLab may take to let mirrors go. The credential has to go in any case.
const GITLAB_HAS: Duration = Duration::from_secs(3 * 60);

impl MirrorCredential {
    /// Removes `target`, whose login belongs to one of `user_names` or to the users that the
    /// secret names, and its mirrors, as far as `accesses` and the secret lead to them. `gone` are
    /// credentials that are removed already. Says what is left in GitLab.
    pub(in crate::mirror_credential) async fn remove(
        &self,
        target: &Target,
        me: &Me,
        user_names: &[String],
        gone: &[String],
        accesses: Vec<Access>,
    ) -> Result<Vec<String>, CallError> {
        let mut left = Vec::new();
        let mut known = Observed {
            now: self.clock.now(),
            began: self.clock.now(),
            looked_at: self.clock.now(),
            users: Vec::new(),
            secret: SecretState::Unread,
            denied: None,
            is_fenced: false,
            is_secret_deleted: false,
            marked: Vec::new(),
            closed: Vec::new(),
            gone: gone.to_vec(),
            are_mirrors_gone: false,
        };
        let first = user_names.first();
        let (secret, user) = tokio::join!(
            observe::read_secret(&self.aws, &target.secret_name),
            async {
                match first {
                    Some(name) => observe::read_user(&self.aws, name).await.map(Some),
                    None => Ok(None),
                }
            },
        );
        note_secret(&mut known, secret)?;
        known.users.extend(user?);
        self.read_missing_users(me, user_names, &mut known).await?;
        loop {
            known.now = self.clock.now();
            let step = plan::next(target, me, &known);
            match step {
                RemovalStep::As(Step::Done) => return Ok(left),
                RemovalStep::As(Step::Refuse(reason)) => {
                    let doing = format!("removing secret {} and what it names", target.secret_name);
                    return Err(CallError::local(reason.code, doing, reason.text));
                }
                RemovalStep::RemoveMirrors => {
                    if let Some(secret) = known.secret.present() {
                        let removal = self.remove_mirrors(secret, accesses.clone(), &mut left);
                        let removed = tokio::time::timeout(GITLAB_HAS, Box::pin(removal)).await;
                        if removed.is_err() {
                            left.push("not all mirrors were reached in time".to_owned());
                        }
                    }
                    known.are_mirrors_gone = true;
                }
                step => {
                    self.take(step, target, me, &mut known)
                        .await
                        .map_err(explained)?;
                    self.read_missing_users(me, user_names, &mut known).await?;
                }
            }
        }
    }

    /// Removes the mirrors that `secret` names, and says which are left. GitLab may be out of reach
    /// for long, and what it has is worth nothing without the credential: nothing waits for it.
    async fn remove_mirrors(&self, secret: &Secret, accesses: Vec<Access>, left: &mut Vec<String>) {
        let mut records: Vec<MirrorRecord> = Vec::new();
        for login in secret.logins().filter(|login| login.mirrors > 0) {
            match calls::read_login(&self.aws, secret, &login.version_id).await {
                Ok(value) => records.extend(value.into_iter().flat_map(|value| value.mirrors)),
                Err(error) => left.push(format!("its mirrors are left in GitLab ({error})")),
            }
        }
        let mut journal = Journal::default();
        let open = secret.journal.as_ref();
        if let Some(version_id) = open.filter(|_| secret.is_unfinished()) {
            match calls::read_journal(&self.aws, secret, version_id).await {
                Ok(read) => journal = read,
                Err(error) => left.push(format!("mirrors may be left in GitLab ({error})")),
            }
        }
        records.append(&mut journal.made);
        records.sort();
        records.dedup();
        let mut gitlabs = GitLabs::new(&self.aws, &self.http, accesses);
        let urls = records.iter().map(|record| &record.gitlab_url);
        let mut urls = urls.chain(journal.before.iter().map(|before| &before.gitlab_url));
        if urls.any(|url| !gitlabs.knows(url)) {
            let access = calls::read_access(&self.aws, secret).await;
            gitlabs.add(access.ok().flatten());
        }
        left.extend(gitlabs.delete_all(&records).await);
        for before in &journal.before {
            match gitlabs.lost(before, &BTreeMap::new()).await {
                Ok(lost) => left.extend(gitlabs.delete_all(&lost).await),
                Err(error) => left.push(format!(
                    "a mirror of project {} may be left in GitLab ({error})",
                    before.project
                )),
            }
        }
    }

    async fn take(
        &self,
        step: RemovalStep,
        target: &Target,
        me: &Me,
        known: &mut Observed,
    ) -> Result<(), CallError> {
        match step {
            RemovalStep::Mark(name) => {
                let deletion = deletion_of(&name, target, me, known);
                let mut users = known.users.iter();
                let user = users.find(|user| user.name == name);
                let is_ours = user.is_some_and(|user| user.owner.as_ref() == Some(&me.owner));
                match calls::mark_deleted(&self.aws, &name, &deletion).await {
                    Err(error) if calls::is_concurrent(&error) => tokio::time::sleep(PAUSE).await,
                    Err(error) if error.code.as_deref() == Some("NoSuchEntity") => {
                        known.users.retain(|user| user.name != name);
                        known.users.push(User::absent(&name, None));
                    }
                    // The Delete that follows a rejected Create succeeds. If IAM rejects this tag, it
                    // rejects the tags that a Create writes before it issues a credential, too.
                    Err(error) if !is_ours && !error.is_transient() => {
                        tracing::warn!(%error, "the deletion is not recorded");
                        known.marked.push(name);
                    }
                    result => {
                        result?;
                        known.marked.push(name);
                    }
                }
            }
            RemovalStep::CloseRecord { user_name, ids } => {
                self.close_record(user_name, ids, known).await?;
            }
            RemovalStep::DeleteSecret => {
                if let Some(secret) = known.secret.present() {
                    calls::delete_secret(&self.aws, secret).await?;
                }
                known.secret = SecretState::Absent;
                known.is_secret_deleted = true;
            }
            RemovalStep::As(Step::Claim(number)) => {
                if let SecretState::Present(secret) = &mut known.secret {
                    // What an open journal names has to stay named until it is removed.
                    let open = secret.journal.as_ref();
                    let journal = match open.filter(|_| secret.is_unfinished()) {
                        Some(version) => calls::read_journal(&self.aws, secret, version).await?,
                        None => Journal::default(),
                    };
                    let journal = Journal {
                        claimant: me.claimant.clone(),
                        ..journal
                    };
                    let written = calls::write_claim(&self.aws, secret, number, &journal).await;
                    let written = match written {
                        // Whoever else is at work has the same role, and cannot store either.
                        Err(error) if is_kept_from_us(&error) => {
                            known.is_fenced = true;
                            return Ok(());
                        }
                        written => written?,
                    };
                    match written {
                        Written::Yes => {
                            secret.claim = number;
                            let version = intent_log::version_id(number);
                            secret.journal = journal.has_to_be_read().then_some(version);
                            known.is_fenced = true;
                        }
                        Written::Taken => {
                            let secret = observe::read_secret(&self.aws, &target.secret_name).await;
                            note_secret(known, secret)?;
                            if let SecretState::Present(secret) = &mut known.secret {
                                secret.taken = number;
                            }
                        }
                        Written::Gone => known.secret = SecretState::Absent,
                    }
                }
            }
            RemovalStep::As(Step::LookAgain) => {
                tokio::time::sleep(PAUSE).await;
                known.looked_at = self.clock.now();
                let secret = observe::read_secret(&self.aws, &target.secret_name).await;
                note_secret(known, secret)?;
                for user in &mut known.users {
                    *user = observe::read_user(&self.aws, &user.name).await?;
                }
            }
            RemovalStep::As(Step::DeleteCredential { user_name, id }) => {
                calls::delete_credential(&self.aws, &user_name, &id).await?;
                known.gone.push(id);
            }
            RemovalStep::ReleaseUser(name) => {
                calls::release_user(&self.aws, &name).await?;
                for user in known.users.iter_mut().filter(|user| user.name == name) {
                    user.owner = None;
                }
            }
            RemovalStep::RemoveMirrors | RemovalStep::As(_) => {}
        }
        Ok(())
    }

    /// Writes on the user which credentials its latest attempt issued.
    async fn close_record(
        &self,
        user_name: String,
        ids: Vec<String>,
        known: &mut Observed,
    ) -> Result<(), CallError> {
        let mut users = known.users.iter_mut();
        let user = users.find(|user| user.name == user_name);
        if let Some(attempt) = user.and_then(|user| user.attempt.as_mut()) {
            let closed = attempt.closed_with(ids);
            let tags = [(intent_log::ATTEMPT, closed.write())];
            match calls::tag_user(&self.aws, &user_name, &tags).await {
                Err(error) if calls::is_concurrent(&error) => {
                    // The next pass writes it again.
                    tokio::time::sleep(PAUSE).await;
                    return Ok(());
                }
                Err(error) if error.code.as_deref() == Some("NoSuchEntity") => {}
                written => written?,
            }
            *attempt = closed;
        }
        known.closed.push(user_name);
        Ok(())
    }

    /// Reads those users that have become known by name and have not been read.
    async fn read_missing_users(
        &self,
        me: &Me,
        user_names: &[String],
        known: &mut Observed,
    ) -> Result<(), CallError> {
        let mut names = user_names.to_vec();
        let secret = known.secret.present();
        if let Some(secret) = secret.filter(|secret| secret.owner.as_ref() == Some(&me.owner)) {
            names.extend(secret.user_name.clone());
        }
        for name in names {
            if !known.users.iter().any(|user| user.name == name) {
                known
                    .users
                    .push(observe::read_user(&self.aws, &name).await?);
            }
        }
        Ok(())
    }
}

/// What to write on the user `name`. A second delivery of the Delete finds no secret any more, and
/// keeps what the first one wrote of it.
fn deletion_of(name: &str, target: &Target, me: &Me, known: &Observed) -> Deletion {
    let mut users = known.users.iter();
    let user = users.find(|user| user.name == name);
    let earlier = user.and_then(|user| user.deletion.as_ref());
    let owner_key = me.owner.key();
    let earlier = earlier.filter(|earlier| earlier.is_of(&owner_key, me.signed_at));
    let secret = known.secret.present();
    let created_by = secret.and_then(|secret| secret.created_by.clone());
    let ended = created_by.or(earlier.map(|earlier| earlier.ended.clone()));
    Deletion {
        owner_key,
        signed_at: me.signed_at,
        done_at: known.now,
        ended: ended.unwrap_or_else(|| NOTHING_ENDED.to_owned()),
        unanswered: target.is_unanswered,
    }
}

/// The role, or a key that is disabled or gone, does not let the secret be written.
fn is_kept_from_us(error: &CallError) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    error.is_denied() || code.contains("cryptionFailure") || code.starts_with("KMS")
}

fn note_secret(
    known: &mut Observed,
    read: Result<Option<observe::Secret>, CallError>,
) -> Result<(), CallError> {
    known.secret = match read {
        Ok(Some(secret)) => SecretState::Present(Box::new(secret)),
        Ok(None) => SecretState::Absent,
        Err(error) if error.is_denied() => {
            known.denied = Some(explained(error));
            SecretState::Absent
        }
        Err(error) => return Err(error),
    };
    Ok(())
}
