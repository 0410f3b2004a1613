//! The steps between a claim and a stored login.

use std::time::Duration;

use super::{Delivery, PAUSE};
use crate::aws::CallError;
use crate::mirror_credential::calls;
use crate::mirror_credential::calls::{Created, Issuance, StoredLogin, Written};
use crate::mirror_credential::credential_class::{Kind, kind};
use crate::mirror_credential::intent_log;
use crate::mirror_credential::intent_log::{Attempt, Login, Standing};
use crate::mirror_credential::messages;
use crate::mirror_credential::mirrors::journal::Journal;
use crate::mirror_credential::observe::{Credential, Secret};
use crate::mirror_credential::plan;
use crate::mirror_credential::plan::{Issued, NAME_IS_FREED, SecretState};
use crate::reason_codes::Code;

/// What was read of a user is taken for true no longer than this before the secret is created:
/// see [`crate::mirror_credential::delete::plan::UNANSWERED_SETTLES`].
const TAGS_ARE_FRESH: Duration = Duration::from_secs(4);

/// Calls to issue of which nobody knows what became, in one delivery.
pub(in crate::mirror_credential) const MOST_DOUBTS: u32 = 4;

impl Delivery<'_> {
    pub(in crate::mirror_credential) async fn create_secret(&mut self) -> Result<(), CallError> {
        match calls::create_secret(&self.resource.aws, self.desired, self.me).await? {
            Created::Yes(arn) => {
                let owner = self.me.owner.clone();
                let user_name = self.desired.user_name.clone();
                self.known.secret = SecretState::Present(Box::new(Secret {
                    as_of: Some(self.me.signed_at),
                    created_by: Some(self.me.request_key.clone()),
                    claimant: Some(self.me.claimant.clone()),
                    kms_key_id: self.desired.kms_key_id.clone(),
                    tags: self.desired.tags.clone(),
                    ..Secret::created(arn, owner, user_name)
                }));
                self.known.claim = Some(0);
            }
            Created::Taken => self.read_secret().await?,
            Created::Blocked(error) => {
                let now = self.resource.clock.now();
                let since = *self.name_refused_at.get_or_insert(now);
                if now > since + NAME_IS_FREED {
                    let advice = messages::secret_is_scheduled(&self.desired.secret_name);
                    return Err(error
                        .with_advice(&advice.text)
                        .with_reason_code(advice.code));
                }
                tokio::time::sleep(PAUSE).await;
                self.read_user().await?;
            }
        }
        let is_stale = self.resource.clock.now() > self.known.looked_at + TAGS_ARE_FRESH;
        if self.known.claim == Some(0) && is_stale {
            self.read_user().await?;
        }
        Ok(())
    }

    pub(in crate::mirror_credential) async fn claim(
        &mut self,
        number: u64,
    ) -> Result<(), CallError> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let aws = &self.resource.aws;
        let journal = self.journal_to_write();
        let version = intent_log::version_id(number);
        let version = journal.has_to_be_read().then_some(version);
        match calls::write_claim(aws, secret, number, &journal).await? {
            Written::Yes => {
                self.known.claim = Some(number);
                self.known.claimed_after = Some((secret.claim, self.resource.clock.now()));
                self.known.overtaken_at = None;
                self.known.recorded = false;
                self.known.is_journaled = self.known.projects.is_some();
                self.known.is_sealed = false;
                self.known.journal = Journal {
                    made: Vec::new(),
                    ..journal
                };
                // What a rotation prepared before it lost the log has to be known.
                let is_open = secret.is_unfinished() && secret.journal.is_some();
                let is_shared = secret.may_rotate() || is_open;
                self.change_secret(|secret| {
                    secret.claim = number;
                    secret.journal = version;
                });
                if is_shared && self.me.rotation.is_none() && number > 1 {
                    self.number_is_taken(number);
                }
            }
            Written::Taken => {
                if self.known.claim.is_some() {
                    self.give_way(number);
                } else {
                    self.number_is_taken(number);
                }
            }
            Written::Gone => self.known.secret = SecretState::Absent,
        }
        Ok(())
    }

    /// The record of an attempt that begins now, or of one that is over and issued only what the
    /// secret names and what `issued` is.
    pub(in crate::mirror_credential) fn attempt_now(&self, closed: bool) -> Option<Attempt> {
        let secret = self.known.secret.present()?;
        let user = &self.known.user;
        let standing = |credential: &Credential| {
            let name = &self.desired.secret_name;
            let elsewhere = &self.known.elsewhere;
            let owner = &self.me.owner;
            let issued = self.known.issued.as_ref();
            if issued.is_some_and(|issued| issued.id == credential.id) {
                return Standing::Ours;
            }
            match kind(credential, user, Some(secret), name, owner, elsewhere) {
                // Created by another person during this attempt: see `plan::may_close_record`.
                Kind::Stray if closed => Standing::Foreign,
                Kind::Foreign => Standing::Foreign,
                Kind::Elsewhere => Standing::Elsewhere,
                Kind::Current | Kind::Superseded | Kind::Stray => Standing::Ours,
            }
        };
        let mut before: Vec<(String, Standing)> = user
            .credentials
            .iter()
            .map(|credential| (credential.id.clone(), standing(credential)))
            .collect();
        // IAM may not list yet what the secrets name.
        let elsewhere = self.known.elsewhere.iter();
        let elsewhere = elsewhere.map(|id| (id.clone(), Standing::Elsewhere));
        let user_key = intent_log::key(&user.name);
        let named = secret.logins().filter(|login| login.user_key == user_key);
        let named = named.map(|login| (login.credential_id.clone(), Standing::Ours));
        for (id, standing) in elsewhere.chain(named) {
            if !before.iter().any(|(listed, _)| *listed == id) {
                before.push((id, standing));
            }
        }
        if closed {
            // Nothing that the record does not name is ours.
            before.retain(|(_, standing)| *standing != Standing::Foreign);
        }
        Some(Attempt {
            secret_key: intent_log::key(&secret.arn),
            claim: self.known.claim.unwrap_or(secret.claim),
            started: self.resource.clock.now(),
            before,
            closed,
        })
    }

    /// Writes down what is there before the attempt, or what it left when it is over.
    pub(in crate::mirror_credential) async fn record(
        &mut self,
        closed: bool,
    ) -> Result<(), CallError> {
        let Some(attempt) = self.attempt_now(closed) else {
            return Ok(());
        };
        let user = &self.known.user;
        if !closed {
            let former = user.attempt.as_ref();
            let before = self.known.claimed_after.map(|(claim, _)| claim);
            self.known.follows_closed = former.is_some_and(|former| {
                former.closed
                    && former.secret_key == attempt.secret_key
                    && before == Some(former.claim)
            });
        }
        let owner = &self.me.owner;
        // The tombstone of a Delete that came after this request stays: a second delivery of this
        // request would issue a credential that no stack owns.
        let earlier = user.deletion.as_ref();
        let was_deleted = earlier.is_some_and(|deletion| !self.me.is_overtaken_by(deletion));
        let tags = calls::attempt_tags(owner, &self.desired.secret_name, &attempt, was_deleted);
        self.tag_user(&tags).await?;
        let user = &mut self.known.user;
        user.owner = Some(self.me.owner.clone());
        user.secret_name = Some(self.desired.secret_name.clone());
        user.attempt = Some(attempt);
        if was_deleted {
            user.deletion = None;
        }
        self.known.recorded = true;
        Ok(())
    }

    pub(in crate::mirror_credential) async fn tag_user(
        &self,
        tags: &[(&'static str, String)],
    ) -> Result<(), CallError> {
        loop {
            match calls::tag_user(&self.resource.aws, &self.desired.user_name, tags).await {
                Err(error) if calls::is_concurrent(&error) => tokio::time::sleep(PAUSE).await,
                result => return result,
            }
        }
    }

    pub(in crate::mirror_credential) async fn note_issuance(
        &mut self,
        issuance: Issuance,
        reset: Option<&str>,
    ) -> Result<(), CallError> {
        if !matches!(issuance, Issuance::Busy) {
            self.busy = 0;
        }
        match issuance {
            Issuance::Done(credential, password) => {
                let is_own = self.own.iter().any(|own| own.id == credential.id);
                self.is_login_shared |= reset.is_some() && !is_own;
                self.known.issued = Some(Issued {
                    id: credential.id.clone(),
                    service_user_name: credential.service_user_name.clone(),
                    password: Some(password),
                    proved: false,
                });
                let credentials = &mut self.known.user.credentials;
                credentials.retain(|listed| listed.id != credential.id);
                credentials.push(credential.clone());
                self.own.retain(|own| own.id != credential.id);
                self.own.push(credential);
            }
            Issuance::Busy => {
                // Where a thousand wait, nobody gets on if each asks every second.
                let pause = PAUSE * (1 << self.busy.min(4));
                self.busy += 1;
                tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            }
            Issuance::Gone => {
                if let Some(id) = reset {
                    self.forget_credential(id);
                }
            }
            Issuance::Unknown(error) => {
                self.doubts += 1;
                if self.doubts > MOST_DOUBTS {
                    return Err(error);
                }
                if reset.is_none() {
                    self.known.doubtful_since = Some(self.resource.clock.now());
                    self.known.may_have_issued = true;
                } else {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Issuance::NoSlot(error) => {
                // A credential that IAM does not list yet, or lists no more, may be in the way.
                self.slots_refused += 1;
                if self.slots_refused > 1 {
                    return Err(error.with_reason_code(Code::NoFreeSlot));
                }
                self.known.doubtful_since = Some(self.resource.clock.now());
            }
        }
        Ok(())
    }

    /// Writes the login and its mirrors as the log's next entry.
    pub(in crate::mirror_credential) async fn store(&mut self) -> Result<(), CallError> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let entry = secret.next_entry();
        let Some((value, login)) = self.next_login(entry, intent_log::version_id(entry)) else {
            return Ok(());
        };
        let Some(credential) = self.known.user.credential(&login.credential_id) else {
            return Ok(());
        };
        let user_name = &self.desired.user_name;
        let aws = &self.resource.aws;
        self.storing = Some(login.entry);
        let stage = "AWSCURRENT";
        match calls::write_login(aws, secret, &login, stage, user_name, credential, &value).await? {
            Written::Yes => {
                self.known.proved = match &self.known.issued {
                    Some(issued) => issued.proved,
                    None => self.known.proved,
                };
                self.known.judged = Some(login.version_id.clone());
                self.stored = Some(login.credential_id.clone());
                self.known
                    .values
                    .insert(login.version_id.clone(), Some(value));
                self.known.login_refused = false;
                self.known.issued = None;
                self.known.doubtful_since = None;
                self.storing = None;
                self.known.journal = Journal::default();
                self.known.is_journaled = false;
                self.known.is_sealed = false;
                self.change_secret(|secret| {
                    secret.superseded.extend(secret.current.take());
                    secret.current = Some(login);
                    secret.changed_by_hand = false;
                });
            }
            Written::Taken => self.give_way(entry),
            Written::Gone => self.known.secret = SecretState::Absent,
        }
        Ok(())
    }

    /// What the next login's version holds: what was issued, or the login that there is, with other
    /// mirrors.
    pub(in crate::mirror_credential) fn next_login(
        &self,
        entry: u64,
        version_id: String,
    ) -> Option<(StoredLogin, Login)> {
        let secret = self.known.secret.present()?;
        let issued = self.known.issued.as_ref();
        let (credential_id, url_safe, service_user_name, password) = if let Some(issued) = issued {
            let password = issued.password.clone()?;
            let name = issued.service_user_name.clone();
            (issued.id.clone(), password.is_url_safe(), name, password)
        } else {
            let login = secret.current.as_ref()?;
            let value = self.known.values.get(&login.version_id)?.clone()?;
            let name = value.service_user_name;
            let id = login.credential_id.clone();
            (id, login.url_safe, name, value.password)
        };
        let mirrors = plan::next_mirrors(self.desired, self.me, &self.known);
        let login = Login {
            entry,
            version_id,
            credential_id,
            serial_key: intent_log::serial_key(self.desired.rotation_serial.as_deref()),
            user_key: intent_log::key(&self.desired.user_name),
            url_safe,
            mirrors: mirrors.len(),
        };
        let value = StoredLogin {
            service_user_name,
            password,
            mirrors,
        };
        Some((value, login))
    }

    pub(in crate::mirror_credential) async fn tag_secret(&mut self) -> Result<(), CallError> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let mut tags = self.desired.tags.clone();
        let mut put = |key: &str, value: String| tags.insert(key.to_owned(), value);
        put(intent_log::USER_NAME, self.desired.user_name.clone());
        put(intent_log::AS_OF, intent_log::write_time(self.me.signed_at));
        calls::tag_secret(&self.resource.aws, secret, &tags).await?;
        let desired = self.desired;
        let signed_at = self.me.signed_at;
        self.change_secret(|secret| {
            secret.tags.extend(desired.tags.clone());
            secret.user_name = Some(desired.user_name.clone());
            secret.as_of = Some(signed_at);
        });
        Ok(())
    }
}
