//! From what is to nothing, step by step, as [`removal::next`] says.

use super::MirrorCredential;
use super::observe::{self, User};
use super::plan::{Me, PAUSE, SecretState, Step};
use super::records::Deletion;
use super::removal::{self, Observed, RemovalStep, Target};
use super::steps::{self, Written, explained};
use crate::aws::CallError;

impl MirrorCredential {
    /// Removes `target`, whose login belongs to one of `user_names` or to the users that the
    /// secret names. `gone` are credentials that are removed already.
    pub(super) async fn remove(
        &self,
        target: &Target,
        me: &Me,
        user_names: &[String],
        gone: &[String],
    ) -> Result<(), CallError> {
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
            gone: gone.to_vec(),
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
            let step = removal::next(target, me, &known);
            tracing::debug!(?step, "next");
            match step {
                RemovalStep::As(Step::Done) => return Ok(()),
                RemovalStep::As(Step::Refuse(reason)) => {
                    let doing = format!("removing secret {} and what it names", target.secret_name);
                    return Err(CallError {
                        doing,
                        code: None,
                        status: None,
                        cause: reason,
                    });
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

    async fn take(
        &self,
        step: RemovalStep,
        target: &Target,
        me: &Me,
        known: &mut Observed,
    ) -> Result<(), CallError> {
        match step {
            RemovalStep::Mark(name) => {
                let secret = known.secret.present();
                let deletion = Deletion {
                    owner_key: me.owner.key(),
                    signed_at: me.signed_at,
                    done_at: known.now,
                    ended: secret
                        .and_then(|secret| secret.created_by.clone())
                        .unwrap_or_else(|| "-".to_owned()),
                    unanswered: target.is_unanswered,
                };
                match steps::mark_deleted(&self.aws, &name, &deletion).await {
                    Err(error) if steps::is_concurrent(&error) => tokio::time::sleep(PAUSE).await,
                    Err(error) if error.code.as_deref() == Some("NoSuchEntity") => {
                        known.users.retain(|user| user.name != name);
                        known.users.push(User::absent(&name, None));
                    }
                    result => {
                        result?;
                        known.marked.push(name);
                    }
                }
            }
            RemovalStep::DeleteSecret => {
                if let Some(secret) = known.secret.present() {
                    steps::delete_secret(&self.aws, secret).await?;
                }
                known.secret = SecretState::Absent;
                known.is_secret_deleted = true;
            }
            RemovalStep::As(Step::Claim(number)) => {
                if let SecretState::Present(secret) = &mut known.secret {
                    let written = steps::write_claim(&self.aws, secret, number, &me.claimant).await;
                    let written = match written {
                        // Whoever else is at work has the same role, and cannot store either.
                        Err(error) if error.is_denied() => Written::Yes,
                        written => written?,
                    };
                    match written {
                        Written::Yes => {
                            secret.claim = number;
                            known.is_fenced = true;
                        }
                        Written::Taken => {
                            let secret = observe::read_secret(&self.aws, &target.secret_name).await;
                            note_secret(known, secret)?;
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
                steps::delete_credential(&self.aws, &user_name, &id).await?;
                known.gone.push(id);
            }
            RemovalStep::As(Step::ReleaseUser(name)) => {
                steps::release_user(&self.aws, &name).await?;
                for user in known.users.iter_mut().filter(|user| user.name == name) {
                    user.owner = None;
                }
            }
            RemovalStep::As(_) => {}
        }
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
            names.extend(secret.former_user_names.iter().cloned());
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
