//! From what is to what is desired, step by step.
//!
//! [`plan::next`] says what to do next, this does it and notes what it changed. Nothing is read
//! again that this delivery knows, except what somebody else may have changed.

mod check_move;
pub mod error;
pub(super) mod issue;
mod refresh;
mod rollback;
mod start;
mod verify;

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::MirrorCredential;
use super::apply::error::DeliveryError;
pub use super::apply::start::Former;
use super::calls;
use super::calls::Issuance;
use super::intent_log;
use super::mirrors::gitlab_clients::GitLabs;
use super::mirrors::journal::MirrorRecord;
use super::observe::{Credential, Secret};
use super::plan;
use super::plan::{Me, Observed, PAUSE, Step};
use super::spec::Spec;
use crate::aws::CallError;
use crate::reason_codes::Code;
use cfn_custom_resource::{Failure, Progress, Reason};

/// One reset makes a password with `/` with a probability of about one half.
const MOST_RESETS: u32 = 40;

/// More steps than any sound history needs: a plan that goes in circles must end.
const MOST_STEPS: u32 = 1500;

/// What the resource is now.
pub struct Made {
    /// The secret.
    pub secret: Secret,
    /// The credential in it.
    pub credential: Credential,
    /// What a person should know although it succeeded.
    pub notes: Vec<Reason>,
}

/// One delivery at work.
pub struct Delivery<'a> {
    pub(super) resource: &'a MirrorCredential,
    pub(super) desired: &'a Spec,
    pub(super) me: &'a Me,
    pub(super) progress: &'a Progress,
    pub(super) known: Observed,
    pub(super) gitlabs: GitLabs<'a>,
    /// What a person should know although it succeeds.
    pub(super) notes: Vec<Reason>,
    /// Mirrors that this delivery made.
    pub(super) made_here: BTreeSet<MirrorRecord>,
    /// Credentials that this delivery issued, which IAM may not list yet.
    pub(super) own: Vec<Credential>,
    /// The credential that this delivery stored.
    pub(super) stored: Option<String>,
    /// The log's entry that this delivery last tried to write a login as.
    pub(super) storing: Option<u64>,
    /// A Delete came after this request.
    pub(super) is_overtaken: bool,
    /// Another delivery may have reset the credential that this delivery issues.
    pub(super) is_login_shared: bool,
    /// What this delivery issued was refused once.
    pub(super) was_refused: bool,
    pub(super) resets: u32,
    /// How often in a row IAM was too busy to issue or to reset.
    pub(super) busy: u32,
    pub(super) looks: u32,
    pub(super) doubts: u32,
    pub(super) slots_refused: u32,
    pub(super) name_refused_at: Option<SystemTime>,
}

impl Delivery<'_> {
    /// Goes on until it is so. What a failure leaves half done is undone as far as it can be.
    pub async fn finish(mut self) -> Result<Made, Failure> {
        if let Err(error) = self.go_on().await {
            Box::pin(self.undo()).await;
            return Err(error.into());
        }
        let made = self.made();
        made.ok_or_else(|| DeliveryError::internal("done without a credential").into())
    }

    /// Runs the steps of one part of a rotation. After a failure that may pass, everything stays as
    /// it is, as after a killed process: the same part of the same rotation resumes from it.
    pub async fn finish_part(mut self) -> Result<(), DeliveryError> {
        let gone = self.go_on().await;
        match &gone {
            Ok(()) => {}
            // Mirrors that another delivery superseded are named nowhere but here.
            Err(error) if error.is_transient => self.remove_own_strays().await,
            Err(_) => Box::pin(self.undo()).await,
        }
        gone
    }

    async fn go_on(&mut self) -> Result<(), DeliveryError> {
        for _ in 0..MOST_STEPS {
            self.known.now = self.resource.clock.now();
            let step = plan::next(self.desired, self.me, &self.known);
            match step {
                Step::Done => {
                    self.remove_own_strays().await;
                    return Ok(());
                }
                Step::Refuse(reason) => return Err(DeliveryError::permanent(reason)),
                Step::Defer(reason) => return Err(DeliveryError::passing(reason)),
                Step::Overtaken => {
                    self.is_overtaken = true;
                    let reason = "this request has been overtaken by the resource's deletion";
                    let reason = Reason::new(Code::OvertakenByDelete, reason);
                    return Err(DeliveryError::permanent(reason));
                }
                step => Box::pin(self.take_and_close_record(step)).await?,
            }
        }
        Err(DeliveryError::internal("no end to the steps"))
    }

    fn made(&self) -> Option<Made> {
        let secret = self.known.secret.present()?;
        let login = secret.current.as_ref()?;
        let credential = self.known.user.credential(&login.credential_id)?;
        let mut notes = self.notes.clone();
        if let Some(silence) = &self.known.silence {
            let text = format!("the mirrors were not looked at: {}", silence.text);
            notes.push(Reason::new(silence.code, text));
        }
        if self.me.rotation.is_none() {
            notes.extend(plan::branch_faults(self.desired, self.me, &self.known));
            for warning in plan::lfs_warnings(self.desired, &self.known) {
                tracing::warn!(%warning, "Git LFS objects are not mirrored");
                notes.push(warning);
            }
        }
        Some(Made {
            secret: secret.clone(),
            credential: credential.clone(),
            notes,
        })
    }

    /// Takes `step`. Beside it, the record on the user names what was issued, if it can by now.
    async fn take_and_close_record(&mut self, step: Step) -> Result<(), DeliveryError> {
        let changes_no_user = matches!(
            step,
            Step::ProveStored | Step::NoteProperties(_) | Step::Prepare
        );
        let may_close_record = changes_no_user && plan::may_close_record(&self.known);
        let attempt = may_close_record.then(|| self.attempt_now(true)).flatten();
        let Some(attempt) = attempt else {
            return self.take(step).await;
        };
        let (resource, desired) = (self.resource, self.desired);
        let tags = [(intent_log::ATTEMPT, attempt.write())];
        let tagging = calls::tag_user(&resource.aws, &desired.user_name, &tags);
        let (tagged, taken) = tokio::join!(tagging, self.take(step));
        match tagged {
            Ok(()) => self.known.user.attempt = Some(attempt),
            // The record stays open, and is written at the end.
            Err(error) => tracing::info!(%error, "what was issued is not recorded yet"),
        }
        taken
    }

    async fn take(&mut self, step: Step) -> Result<(), DeliveryError> {
        let user_name = &self.desired.user_name;
        let secret_name = &self.desired.secret_name;
        self.progress.doing(match &step {
            Step::ReadSecret => format!("reading secret {secret_name}"),
            Step::Follow => format!("waiting for another delivery to finish secret {secret_name}"),
            Step::LookAgain => {
                format!("waiting for IAM to list the credentials of user {user_name}")
            }
            Step::Issue => format!("issuing the service-specific credential of user {user_name}"),
            Step::Reset(id) => format!("resetting the service-specific credential {id}"),
            Step::ProveIssued | Step::ProveStored => {
                format!("proving that the login of user {user_name} can push")
            }
            Step::ReadProjects => "looking at the projects in GitLab".to_owned(),
            Step::MakeMirror(n) => format!("making the push mirror of Mirrors[{n}]"),
            Step::EnableMirror(record) => {
                format!(
                    "enabling push mirror {} of project {}",
                    record.id, record.project
                )
            }
            Step::SyncMirrors(records) => {
                let ids: Vec<String> = records.iter().map(|one| one.id.to_string()).collect();
                format!("waiting until push mirrors {} have pushed", ids.join(", "))
            }
            Step::RemoveStray(record) | Step::RetireMirror(record) => {
                format!(
                    "removing push mirror {} of project {}",
                    record.id, record.project
                )
            }
            _ => format!("making the credential of user {user_name} in secret {secret_name}"),
        });
        let taken = match step {
            Step::ProveIssued => return self.prove_issued().await,
            Step::ProveStored => return self.prove_stored().await,
            Step::ReadJournal(version) => return self.read_journal(version).await,
            Step::ReadProjects => return self.read_projects().await,
            Step::MakeMirror(n) => return self.make_mirror(n).await,
            Step::Seal(number) => return self.seal(number).await,
            Step::EnableMirror(record) => return self.enable_mirror(&record).await,
            Step::SyncMirrors(records) => return self.sync_mirrors(&records).await,
            Step::FindLost => return self.find_lost().await,
            Step::AskGitLab(record) => return self.ask_gitlab(&record).await,
            Step::RemoveStray(record) => return self.remove_stray(&record).await,
            Step::RetireMirror(record) => return self.retire_mirror(&record).await,
            step => self.call(step).await,
        };
        taken.map_err(DeliveryError::from)
    }

    #[allow(clippy::too_many_lines)] // One arm per step.
    async fn call(&mut self, step: Step) -> Result<(), CallError> {
        let aws = &self.resource.aws;
        let user_name = self.desired.user_name.clone();
        match step {
            Step::ReadSecret => self.read_secret().await?,
            Step::LookAgain => {
                tokio::time::sleep(PAUSE).await;
                self.read_user().await?;
            }
            Step::Follow => {
                tokio::time::sleep(PAUSE).await;
                self.read_secret().await?;
                self.read_user().await?;
                if self.me.rotation.is_some() {
                    // What a step before this one wrote may be shown by now.
                    self.known.values.retain(|_, value| value.is_some());
                    self.known.projects = None;
                }
            }
            Step::CreateSecret => self.create_secret().await?,
            Step::Claim(number) => self.claim(number).await?,
            Step::Fence(number) => match self.claim(number).await {
                // Whoever else is at work has the same role, and cannot store either.
                Err(error) if error.is_denied() => {
                    self.known.claim = self.known.secret.present().map(|secret| secret.claim);
                }
                fenced => fenced?,
            },
            Step::Record => self.record(false).await?,
            Step::Issue => {
                let issuance = calls::issue(aws, &user_name).await?;
                self.note_issuance(issuance, None).await?;
            }
            Step::Reset(id) => {
                if self.resets == MOST_RESETS {
                    let doing = format!(
                        "resetting the service-specific credential {id} of user {user_name}"
                    );
                    let cause = format!("no usable password in {MOST_RESETS} resets");
                    return Err(CallError::local(Code::InternalError, doing, cause));
                }
                let issuance = calls::reset(aws, &user_name, &id).await?;
                // What IAM was too busy for has reset nothing.
                if !matches!(issuance, Issuance::Busy) {
                    self.resets += 1;
                }
                self.note_issuance(issuance, Some(&id)).await?;
            }
            Step::Store => self.store().await?,
            Step::Activate(id) => {
                calls::set_active(aws, &user_name, &id, true).await?;
                self.note_active(&id, true);
            }
            Step::Deactivate { user_name, id } => {
                match calls::set_active(aws, &user_name, &id, false).await {
                    Err(error) if error.code.as_deref() == Some("NoSuchEntity") => {
                        self.forget_credential(&id);
                    }
                    deactivated => {
                        deactivated?;
                        self.note_active(&id, false);
                    }
                }
            }
            Step::ReadLogin(version_id) => {
                if let Some(secret) = self.known.secret.present() {
                    let value = calls::read_login(aws, secret, &version_id).await?;
                    self.known.values.insert(version_id, value);
                }
            }
            Step::Prepare => self.prepare().await?,
            Step::HandOver { from, to } => self.hand_over(&from, &to).await?,
            Step::Copy(entry) => self.copy(entry).await?,
            Step::DropPending(version_id) => {
                if let Some(secret) = self.known.secret.present() {
                    calls::drop_pending(aws, secret, &version_id).await?;
                    self.change_secret(|secret| secret.pending = None);
                }
            }
            Step::NoteProperties(number) => self.note_properties(number).await?,
            Step::ForgetProperties(entry) => {
                if let Some(secret) = self.known.secret.present() {
                    let all = &secret.properties;
                    if let Some(former) = all.iter().find(|former| former.entry == entry) {
                        calls::forget_properties(aws, secret, former).await?;
                    }
                    self.change_secret(|s| s.properties.retain(|one| one.entry != entry));
                }
            }
            Step::ChangeKey => {
                if let Some(secret) = self.known.secret.present() {
                    let key = self.desired.kms_key_id.clone();
                    calls::change_key(aws, secret, key.as_deref()).await?;
                    self.change_secret(|secret| secret.kms_key_id = key);
                }
            }
            Step::TagSecret => self.tag_secret().await?,
            Step::UntagSecret(keys) => {
                if let Some(secret) = self.known.secret.present() {
                    calls::untag_secret(aws, secret, &keys).await?;
                    self.change_secret(|secret| secret.tags.retain(|key, _| !keys.contains(key)));
                }
            }
            Step::RecordIssued => self.record(true).await?,
            Step::DeleteCredential { user_name, id } => {
                calls::delete_credential(aws, &user_name, &id).await?;
                self.forget_credential(&id);
            }
            Step::ForgetLogin(entry) => {
                if let Some(secret) = self.known.secret.present() {
                    let login = secret.superseded.iter().find(|login| login.entry == entry);
                    if let Some(login) = login {
                        calls::forget_login(aws, secret, login).await?;
                    }
                    self.change_secret(|s| s.superseded.retain(|login| login.entry != entry));
                }
            }
            // Not calls of AWS alone: see `take` and `finish`.
            Step::ProveIssued
            | Step::ProveStored
            | Step::ReadJournal(_)
            | Step::ReadProjects
            | Step::MakeMirror(_)
            | Step::Seal(_)
            | Step::EnableMirror(_)
            | Step::SyncMirrors(_)
            | Step::FindLost
            | Step::AskGitLab(_)
            | Step::RemoveStray(_)
            | Step::RetireMirror(_)
            | Step::Refuse(_)
            | Step::Defer(_)
            | Step::Overtaken
            | Step::Done => {}
        }
        Ok(())
    }
}
