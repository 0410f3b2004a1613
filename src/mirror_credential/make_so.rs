//! From what is to what is desired, step by step.
//!
//! [`plan::next`] says what to do next, this does it and notes what it changed. Nothing is read
//! again that this delivery knows, except what somebody else may have changed.

use std::time::{Duration, SystemTime};

use super::MirrorCredential;
use super::observe::{self, Credential, Secret};
use super::plan::{self, Issued, Kind, Me, Observed, SecretState, Step};
use super::properties::Desired;
use super::records::{self, Attempt, Login};
use super::removal::Target;
use super::steps::{self, Created, Issuance, Written, explained};
use crate::aws::CallError;
use crate::cfn::{Failure, Progress};
use crate::git::{self, NotPushable};
use crate::secret::Password;

/// Between two looks at what somebody else is to finish, or IAM to show.
const PAUSE: Duration = Duration::from_secs(1);

/// What was read of a user is taken for true no longer than this before the secret is created:
/// see [`super::removal::UNANSWERED_SETTLES`].
const TAGS_ARE_FRESH: Duration = Duration::from_secs(4);

/// A name stays taken for a moment after a forced deletion.
const NAME_IS_FREED: Duration = Duration::from_secs(30);

/// One reset makes a password with `/` with a probability of about one half.
const MOST_RESETS: u32 = 40;

/// Calls to issue of which nobody knows what became, in one delivery.
const MOST_DOUBTS: u32 = 4;

/// More steps than any sound history needs: a plan that goes in circles must end.
const MOST_STEPS: u32 = 1500;

/// What the resource is now.
pub struct Made {
    /// The secret.
    pub secret: Secret,
    /// The credential in it.
    pub credential: Credential,
}

/// One delivery at work.
pub struct Delivery<'a> {
    resource: &'a MirrorCredential,
    desired: &'a Desired,
    me: &'a Me,
    progress: &'a Progress,
    known: Observed,
    clone_urls: Vec<(String, String)>,
    user_read_at: SystemTime,
    /// Credentials that this delivery removed, which IAM may still list.
    gone: Vec<String>,
    /// Credentials that this delivery issued, which IAM may not list yet.
    own: Vec<Credential>,
    /// The login that this delivery stored.
    stored: Option<(String, Password)>,
    resets: u32,
    doubts: u32,
    slots_refused: u32,
    name_refused_at: Option<SystemTime>,
}

impl<'a> Delivery<'a> {
    /// Reads what a first look needs, all of it side by side.
    pub async fn begin(
        resource: &'a MirrorCredential,
        desired: &'a Desired,
        me: &'a Me,
        progress: &'a Progress,
        replaced: Option<&str>,
        former_tags: Vec<String>,
    ) -> Result<Delivery<'a>, CallError> {
        let began = resource.clock.now();
        progress.doing(format!("reading user {}", desired.user_name));
        let aws = &resource.aws;
        let elsewhere = async {
            match replaced {
                Some(name) => observe::read_secret(aws, name).await,
                None => Ok(None),
            }
        };
        let secret = async {
            if me.is_create {
                return Ok(SecretState::Unread);
            }
            read_state(resource, desired).await
        };
        let (user, secret, elsewhere, clone_urls) = tokio::join!(
            observe::read_user(aws, &desired.user_name),
            secret,
            elsewhere,
            resource.clone_urls(&desired.repository_names),
        );
        let elsewhere = elsewhere?.filter(|secret| secret.owner.as_ref() == Some(&me.owner));
        let elsewhere = elsewhere.iter().flat_map(Secret::logins);
        let mut delivery = Delivery {
            known: Observed {
                now: resource.clock.now(),
                began,
                user: user?,
                formers: Vec::new(),
                secret: secret?,
                elsewhere: elsewhere.map(|login| login.credential_id.clone()).collect(),
                former_tags,
                claim: None,
                overtaken_at: None,
                doubtful_since: None,
                issued: None,
                recorded: false,
                proved: false,
                login_refused: false,
            },
            resource,
            desired,
            me,
            progress,
            clone_urls: clone_urls?,
            user_read_at: began,
            gone: Vec::new(),
            own: Vec::new(),
            stored: None,
            resets: 0,
            doubts: 0,
            slots_refused: 0,
            name_refused_at: None,
        };
        delivery.read_formers().await?;
        Ok(delivery)
    }

    /// Goes on until it is so. What a failure leaves half done is undone as far as it can be.
    pub async fn finish(mut self) -> Result<Made, Failure> {
        for _ in 0..MOST_STEPS {
            self.known.now = self.resource.clock.now();
            let step = plan::next(self.desired, self.me, &self.known);
            tracing::debug!(step = step_name(&step), "next");
            let failure = match step {
                Step::Done => match self.made() {
                    Some(made) => return Ok(made),
                    None => Failure("internal error: done without a credential".to_owned()),
                },
                Step::Refuse(reason) => Failure(reason),
                Step::Overtaken => {
                    Failure("this request has been overtaken by the resource's deletion".to_owned())
                }
                step => match self.take(step).await {
                    Ok(()) => continue,
                    Err(failure) => failure,
                },
            };
            self.undo().await;
            return Err(failure);
        }
        self.undo().await;
        Err(Failure("internal error: no end to the steps".to_owned()))
    }

    fn made(&self) -> Option<Made> {
        let secret = self.known.secret.present()?;
        let login = secret.current.as_ref()?;
        let credential = self.known.user.credential(&login.credential_id)?;
        Some(Made {
            secret: secret.clone(),
            credential: credential.clone(),
        })
    }

    async fn take(&mut self, step: Step) -> Result<(), Failure> {
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
            _ => format!("making the credential of user {user_name} in secret {secret_name}"),
        });
        let taken = match step {
            Step::ProveIssued => return self.prove_issued().await,
            Step::ProveStored => return self.prove_stored().await,
            step => self.call(step).await,
        };
        taken.map_err(|error| Failure(explained(error).to_string()))
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
            }
            Step::CreateSecret => self.create_secret().await?,
            Step::Claim(number) => {
                let Some(secret) = self.known.secret.present() else {
                    return Ok(());
                };
                match steps::write_claim(aws, secret, number, &self.me.claimant).await? {
                    Written::Yes => {
                        self.known.claim = Some(number);
                        self.known.overtaken_at = None;
                        self.known.recorded = false;
                        self.change_secret(|secret| secret.claim = number);
                    }
                    Written::Taken => self.known.secret = SecretState::Unread,
                    Written::Gone => self.known.secret = SecretState::Absent,
                }
            }
            Step::Record => self.record(false).await?,
            Step::Issue => {
                let issuance = steps::issue(aws, &user_name).await?;
                self.note_issuance(issuance, None).await?;
            }
            Step::Reset(id) => {
                self.resets += 1;
                if self.resets > MOST_RESETS {
                    return Err(CallError {
                        doing: format!(
                            "resetting the service-specific credential {id} of user {user_name}"
                        ),
                        code: None,
                        cause: format!("no usable password in {MOST_RESETS} resets"),
                    });
                }
                let issuance = steps::reset(aws, &user_name, &id).await?;
                self.note_issuance(issuance, Some(&id)).await?;
            }
            Step::Store => self.store().await?,
            Step::Activate(id) => {
                steps::activate(aws, &user_name, &id).await?;
                let credentials = &mut self.known.user.credentials;
                for credential in credentials
                    .iter_mut()
                    .filter(|credential| credential.id == id)
                {
                    credential.active = true;
                }
            }
            Step::ChangeKey => {
                if let Some(secret) = self.known.secret.present() {
                    let key = self.desired.kms_key_id.clone();
                    steps::change_key(aws, secret, key.as_deref()).await?;
                    self.change_secret(|secret| secret.kms_key_id = key);
                }
            }
            Step::TagSecret => self.tag_secret().await?,
            Step::UntagSecret(keys) => {
                if let Some(secret) = self.known.secret.present() {
                    steps::untag_secret(aws, secret, &keys).await?;
                    self.change_secret(|secret| secret.tags.retain(|key, _| !keys.contains(key)));
                }
            }
            Step::ForgetFormers => {
                if let Some(secret) = self.known.secret.present() {
                    let keys = [records::FORMER_USER_NAMES.to_owned()];
                    steps::untag_secret(aws, secret, &keys).await?;
                    self.change_secret(|secret| secret.former_user_names.clear());
                }
            }
            Step::TagUser => {
                let mut tags = steps::ownership(&self.me.owner, &self.desired.secret_name);
                if self.known.user.deletion.take().is_some() {
                    tags.push((records::DELETION, String::new()));
                }
                self.tag_user(&tags).await?;
                self.known.user.owner = Some(self.me.owner.clone());
                self.known.user.secret_name = Some(self.desired.secret_name.clone());
            }
            Step::DeleteCredential { user_name, id } => {
                steps::delete_credential(aws, &user_name, &id).await?;
                self.forget_credential(&id);
            }
            Step::ReleaseUser(name) => {
                steps::release_user(aws, &name).await?;
                for former in self
                    .known
                    .formers
                    .iter_mut()
                    .filter(|former| former.name == name)
                {
                    former.owner = None;
                }
            }
            Step::ForgetLogin(entry) => {
                if let Some(secret) = self.known.secret.present() {
                    let login = secret.superseded.iter().find(|login| login.entry == entry);
                    if let Some(login) = login {
                        steps::forget_login(aws, secret, login).await?;
                    }
                    self.change_secret(|s| s.superseded.retain(|login| login.entry != entry));
                }
            }
            Step::ProveIssued | Step::ProveStored => {}
            Step::Refuse(_) | Step::Overtaken | Step::Done => {}
        }
        Ok(())
    }

    fn change_secret(&mut self, change: impl FnOnce(&mut Secret)) {
        if let SecretState::Present(secret) = &mut self.known.secret {
            change(secret);
        }
    }

    fn forget_credential(&mut self, id: &str) {
        self.gone.push(id.to_owned());
        self.own.retain(|credential| credential.id != id);
        for user in self.known.formers.iter_mut().chain([&mut self.known.user]) {
            user.credentials.retain(|credential| credential.id != id);
        }
        if self
            .known
            .issued
            .as_ref()
            .is_some_and(|issued| issued.id == id)
        {
            self.known.issued = None;
        }
    }

    async fn read_secret(&mut self) -> Result<(), CallError> {
        self.known.secret = read_state(self.resource, self.desired).await?;
        let first = self.known.secret.present().filter(|secret| {
            // The answer to our own CreateSecret may have been lost.
            secret.claim == 0
                && secret.is_unfinished()
                && secret.claimant.as_deref() == Some(&self.me.claimant)
        });
        if first.is_some() && self.known.claim.is_none() && self.known.overtaken_at.is_none() {
            self.known.claim = Some(0);
        }
        self.read_formers().await
    }

    async fn read_user(&mut self) -> Result<(), CallError> {
        self.user_read_at = self.resource.clock.now();
        let mut user = observe::read_user(&self.resource.aws, &self.desired.user_name).await?;
        user.credentials
            .retain(|credential| !self.gone.contains(&credential.id));
        for own in &self.own {
            if user.credential(&own.id).is_none() {
                user.credentials.push(own.clone());
            }
        }
        if self.known.recorded {
            // What we wrote stands, whether IAM shows it yet or not.
            let before = &mut self.known.user;
            user.owner = before.owner.take();
            user.secret_name = before.secret_name.take();
            user.attempt = before.attempt.take();
            let is_earlier = |deletion: &records::Deletion| {
                !deletion.overtook(
                    &self.me.owner.key(),
                    self.me.signed_at,
                    &self.me.request_key,
                )
            };
            user.deletion = user.deletion.filter(|deletion| !is_earlier(deletion));
        }
        self.known.user = user;
        Ok(())
    }

    /// Reads the users that the login belonged to before.
    async fn read_formers(&mut self) -> Result<(), CallError> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        if secret.owner.as_ref() != Some(&self.me.owner) {
            return Ok(());
        }
        let mut names: Vec<String> = secret.former_user_names.iter().cloned().collect();
        names.extend(secret.user_name.clone());
        names.retain(|name| *name != self.desired.user_name);
        for name in names {
            if !self.known.formers.iter().any(|former| former.name == name) {
                let former = observe::read_user(&self.resource.aws, &name).await?;
                self.known.formers.push(former);
            }
        }
        Ok(())
    }

    async fn create_secret(&mut self) -> Result<(), CallError> {
        match steps::create_secret(&self.resource.aws, self.desired, self.me).await? {
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
                if self.resource.clock.now() > self.user_read_at + TAGS_ARE_FRESH {
                    self.read_user().await?;
                }
            }
            Created::Taken => self.read_secret().await?,
            Created::Blocked(error) => {
                let now = self.resource.clock.now();
                let since = *self.name_refused_at.get_or_insert(now);
                if now > since + NAME_IS_FREED {
                    let advice = plan::secret_is_scheduled(&self.desired.secret_name);
                    return Err(error.with_advice(&advice));
                }
                tokio::time::sleep(PAUSE).await;
                self.read_user().await?;
            }
        }
        Ok(())
    }

    /// Writes down what is there before the attempt, or that the attempt left nothing.
    async fn record(&mut self, closed: bool) -> Result<(), CallError> {
        let (Some(secret), Some(claim)) = (self.known.secret.present(), self.known.claim) else {
            return Ok(());
        };
        let user = &self.known.user;
        let is_ours = |credential: &Credential| {
            let name = &self.desired.secret_name;
            let elsewhere = &self.known.elsewhere;
            let kind = plan::kind(
                credential,
                user,
                Some(secret),
                name,
                &self.me.owner,
                elsewhere,
            );
            !matches!(kind, Kind::Foreign | Kind::Elsewhere)
        };
        let attempt = Attempt {
            secret_key: records::key(&secret.arn),
            claim,
            started: self.resource.clock.now(),
            before: user
                .credentials
                .iter()
                .map(|c| (c.id.clone(), is_ours(c)))
                .collect(),
            closed,
        };
        let owner = &self.me.owner;
        let was_deleted = user.deletion.is_some();
        let tags = steps::attempt_tags(owner, &self.desired.secret_name, &attempt, was_deleted);
        self.tag_user(&tags).await?;
        let user = &mut self.known.user;
        user.owner = Some(self.me.owner.clone());
        user.secret_name = Some(self.desired.secret_name.clone());
        user.attempt = Some(attempt);
        user.deletion = None;
        self.known.recorded = true;
        Ok(())
    }

    async fn tag_user(&self, tags: &[(&'static str, String)]) -> Result<(), CallError> {
        loop {
            match steps::tag_user(&self.resource.aws, &self.desired.user_name, tags).await {
                Err(error) if steps::is_concurrent(&error) => tokio::time::sleep(PAUSE).await,
                result => return result,
            }
        }
    }

    async fn note_issuance(
        &mut self,
        issuance: Issuance,
        reset: Option<&str>,
    ) -> Result<(), CallError> {
        match issuance {
            Issuance::Done(credential, password) => {
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
                let jitter = PAUSE.mul_f64(0.5 + fastrand::f64());
                tokio::time::sleep(jitter).await;
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
                } else {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Issuance::NoSlot(error) => {
                // A credential that IAM does not list yet, or lists no more, may be in the way.
                self.slots_refused += 1;
                if self.slots_refused > 1 {
                    return Err(error);
                }
                self.known.doubtful_since = Some(self.resource.clock.now());
            }
        }
        Ok(())
    }

    async fn store(&mut self) -> Result<(), CallError> {
        let (Some(secret), Some(issued)) = (self.known.secret.present(), &self.known.issued) else {
            return Ok(());
        };
        let (Some(password), Some(credential)) =
            (&issued.password, self.known.user.credential(&issued.id))
        else {
            return Ok(());
        };
        let login = Login {
            entry: secret.next_entry(),
            credential_id: issued.id.clone(),
            serial_key: records::serial_key(self.desired.rotation_serial.as_deref()),
            user_key: records::key(&self.desired.user_name),
            url_safe: password.is_url_safe(),
        };
        let user_name = &self.desired.user_name;
        let aws = &self.resource.aws;
        match steps::write_login(aws, secret, &login, user_name, credential, password).await? {
            Written::Yes => {
                self.stored = Some((issued.service_user_name.clone(), password.clone()));
                self.known.proved = issued.proved;
                self.known.login_refused = false;
                self.known.issued = None;
                self.known.doubtful_since = None;
                self.change_secret(|secret| {
                    secret.superseded.extend(secret.current.take());
                    secret.current = Some(login);
                    secret.changed_by_hand = false;
                });
            }
            Written::Taken => {
                // Whoever took over may have reset what we issued.
                if let Some(issued) = &mut self.known.issued {
                    issued.password = None;
                }
                self.known.overtaken_at = Some(self.resource.clock.now());
                self.known.claim = None;
                self.known.secret = SecretState::Unread;
            }
            Written::Gone => self.known.secret = SecretState::Absent,
        }
        Ok(())
    }

    async fn tag_secret(&mut self) -> Result<(), CallError> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let mut formers = secret.former_user_names.clone();
        formers.extend(secret.user_name.clone());
        formers.remove(&self.desired.user_name);
        let mut tags = self.desired.tags.clone();
        let mut put = |key: &str, value: String| tags.insert(key.to_owned(), value);
        put(records::USER_NAME, self.desired.user_name.clone());
        put(records::AS_OF, records::write_time(self.me.signed_at));
        if !formers.is_empty() {
            let names: Vec<String> = formers.iter().cloned().collect();
            put(records::FORMER_USER_NAMES, names.join(" "));
        }
        steps::tag_secret(&self.resource.aws, secret, &tags).await?;
        let desired = self.desired;
        let signed_at = self.me.signed_at;
        self.change_secret(|secret| {
            secret.tags.extend(desired.tags.clone());
            secret.user_name = Some(desired.user_name.clone());
            secret.former_user_names = formers;
            secret.as_of = Some(signed_at);
        });
        Ok(())
    }

    async fn prove_issued(&mut self) -> Result<(), Failure> {
        let Some(issued) = &self.known.issued else {
            return Ok(());
        };
        let Some(password) = issued.password.clone() else {
            return Ok(());
        };
        let login = issued.service_user_name.clone();
        self.prove(&login, &password)
            .await
            .map_err(|(_, failure)| failure)?;
        if let Some(issued) = &mut self.known.issued {
            issued.proved = true;
        }
        Ok(())
    }

    async fn prove_stored(&mut self) -> Result<(), Failure> {
        let (login, password) = match self.stored.clone() {
            Some(stored) => stored,
            None => {
                let Some(secret) = self.known.secret.present() else {
                    return Ok(());
                };
                let read = steps::read_login(&self.resource.aws, secret).await;
                match read.map_err(|error| Failure(explained(error).to_string()))? {
                    Some(login) => (login.service_user_name, login.password),
                    None => {
                        self.known.login_refused = true;
                        return Ok(());
                    }
                }
            }
        };
        match self.prove(&login, &password).await {
            Ok(()) => self.known.proved = true,
            // Somebody reset the credential behind our back: another one heals that.
            Err((NotPushable::LoginRefused, _)) if self.stored.is_none() => {
                self.known.login_refused = true;
            }
            Err((_, failure)) => return Err(failure),
        }
        Ok(())
    }

    async fn prove(&self, login: &str, password: &Password) -> Result<(), (NotPushable, Failure)> {
        // Time has to be left to say what is wrong, and to undo what was done.
        let left = self.resource.clock.until(self.progress.until());
        let patience = git::LOGIN_SPREADS.min(left.mul_f64(0.6));
        for (name, url) in &self.clone_urls {
            let proof = git::prove_pushable(&self.resource.http, url, login, password, patience);
            if let Err(error) = proof.await {
                let user = &self.desired.user_name;
                let reason = format!(
                    "proving that the login of user {user} can push to repository {name}: {error}"
                );
                return Err((error, Failure(reason)));
            }
        }
        Ok(())
    }

    /// Takes back what this delivery did and did not finish. What cannot be taken back is found
    /// by the request that CloudFormation sends next.
    async fn undo(mut self) {
        let is_secret_gone = matches!(self.known.secret, SecretState::Absent);
        if self.known.overtaken_at.is_some() && !is_secret_gone {
            // Whoever took over finds what was issued, and decides.
            return;
        }
        if let Some(issued) = self.known.issued.take() {
            let user_name = &self.desired.user_name;
            match steps::delete_credential(&self.resource.aws, user_name, &issued.id).await {
                Ok(()) => self.forget_credential(&issued.id),
                Err(error) => return tracing::warn!(%error, "not undone"),
            }
        }
        if self.known.claim.is_none() {
            return;
        }
        let undone = if self.me.is_create {
            let target = Target {
                secret_name: self.desired.secret_name.clone(),
                deletes_foreign: false,
                is_unanswered: false,
                leaves_mark: false,
                waits: self.known.doubtful_since.is_some(),
            };
            let users = [self.desired.user_name.clone()];
            self.resource
                .remove(&target, self.me, &users, &self.gone)
                .await
        } else if self.known.recorded
            && self.stored.is_none()
            && self.known.doubtful_since.is_none()
        {
            self.record(true).await
        } else {
            Ok(())
        };
        if let Err(error) = undone {
            tracing::warn!(%error, "not undone");
        }
    }
}

async fn read_state(
    resource: &MirrorCredential,
    desired: &Desired,
) -> Result<SecretState, CallError> {
    let secret = observe::read_secret(&resource.aws, &desired.secret_name).await?;
    Ok(match secret {
        Some(secret) => SecretState::Present(Box::new(secret)),
        None => SecretState::Absent,
    })
}

fn step_name(step: &Step) -> &'static str {
    match step {
        Step::ReadSecret => "ReadSecret",
        Step::LookAgain => "LookAgain",
        Step::Follow => "Follow",
        Step::CreateSecret => "CreateSecret",
        Step::Claim(_) => "Claim",
        Step::Record => "Record",
        Step::Issue => "Issue",
        Step::Reset(_) => "Reset",
        Step::ProveIssued => "ProveIssued",
        Step::Store => "Store",
        Step::ProveStored => "ProveStored",
        Step::Activate(_) => "Activate",
        Step::ChangeKey => "ChangeKey",
        Step::TagSecret => "TagSecret",
        Step::UntagSecret(_) => "UntagSecret",
        Step::ForgetFormers => "ForgetFormers",
        Step::TagUser => "TagUser",
        Step::DeleteCredential { .. } => "DeleteCredential",
        Step::ReleaseUser(_) => "ReleaseUser",
        Step::ForgetLogin(_) => "ForgetLogin",
        Step::Refuse(_) => "Refuse",
        Step::Overtaken => "Overtaken",
        Step::Done => "Done",
    }
}
