//! Verifies that a login can push: the issued one, or the one that the secret holds.

use std::time::Duration;

use crate::clients::aws::CallError;
use crate::clients::codecommit::push_check;
use crate::clients::codecommit::push_check::PushCheckError;
use crate::common::password::Password;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::calls;
use crate::mirror_credential::calls::WriteResult;
use crate::mirror_credential::state::{DeliveryError, LoginTrial, Secret};

/// IAM has propagated a credential everywhere by then. IAM documents no bound: "changes that I make
/// are not always immediately visible", and seconds are observed.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>
const LOGIN_PROPAGATION_TIME: Duration = Duration::from_secs(60 * 60);

/// Whether a login can push to every repository, and the error of the first check that failed.
pub type Proof = Result<(), (PushCheckError, DeliveryError)>;

impl Applier<'_> {
    pub async fn verify_issued(&mut self) -> Result<(), DeliveryError> {
        let issued = self.state.login.issued.as_ref();
        let issued =
            issued.and_then(|issued| Some((&issued.service_user_name, issued.password.as_ref()?)));
        let (login, password) =
            issued.ok_or_else(|| DeliveryError::internal("no login to verify"))?;
        match self.prove(login, password).await {
            // A peer may have taken the credential over and reset it meanwhile.
            Err((PushCheckError::LoginRejected, failure))
                if !self.state.created.is_login_shared =>
            {
                self.read_secret().await?;
                return self.state.log.claim.map_or(Ok(()), |_| Err(failure));
            }
            // A superseded delivery may have reset it once more before it read the peer's claim.
            Err((PushCheckError::LoginRejected, _)) if !self.retries.login_rejected => {
                self.retries.login_rejected = true;
                if let Some(issued) = &mut self.state.login.issued {
                    issued.password = None;
                }
                self.state.orphan_created_mirrors();
                return Ok(());
            }
            proved => proved.map_err(|(_, failure)| failure)?,
        }
        if let Some(issued) = &mut self.state.login.issued {
            issued.verified = true;
        }
        Ok(())
    }

    /// Runs `write`, which stores the issued login. The first login of a secret is verified at the
    /// same time, unless mirrors use it: then it was verified before. Without a successful write
    /// the result of the verification does not matter.
    pub async fn prove_beside(
        &self,
        write: impl Future<Output = Result<WriteResult, CallError>>,
    ) -> Result<(WriteResult, Option<Proof>), CallError> {
        let current = self.state.secret.present().map(|secret| &secret.log.current);
        let is_first = current.is_some_and(Option::is_none) && self.context.rotation.is_none();
        let issued = self.state.login.issued.as_ref();
        let unproved = issued.filter(|issued| is_first && !issued.verified);
        let Some((login, password)) = unproved
            .and_then(|issued| Some((&issued.service_user_name, issued.password.as_ref()?)))
        else {
            return Ok((write.await?, None));
        };
        let proof = async { Ok(Box::pin(self.prove(login, password)).await) };
        let written = async {
            match write.await {
                Ok(WriteResult::Yes) => Ok(()),
                other => Err(other),
            }
        };
        match tokio::try_join!(written, proof) {
            Ok(((), proof)) => Ok((WriteResult::Yes, Some(proof))),
            Err(written) => Ok((written?, None)),
        }
    }

    /// Proves the login that the secret holds, or the one that a rotation has prepared.
    pub async fn verify_stored(&mut self) -> Result<(), DeliveryError> {
        let secret = self.state.secret.required()?;
        let rotation = self.context.rotation.as_ref();
        let prepared = rotation.and_then(|rotation| secret.prepared(&rotation.version_id));
        let login = prepared.or(secret.current());
        let login = login.ok_or_else(|| DeliveryError::internal("no login to verify"))?;
        let version_id = login.version_id.clone();
        let is_new = self.is_new(secret, &login.credential_id);
        self.state.login.tried_version = Some(version_id.clone());
        if !self.state.login.stored.contains_key(&version_id) {
            let value = calls::read_login(&self.clients.aws, secret, &version_id).await?;
            self.state.login.stored.insert(version_id.clone(), value);
        }
        let Some(value) = self.state.login.stored.get(&version_id).cloned().flatten() else {
            self.state.login.trial = LoginTrial::Rejected;
            return Ok(());
        };
        match self.prove(&value.service_user_name, &value.password).await {
            Ok(()) => self.state.login.trial = LoginTrial::Accepted,
            // A person reset the credential: a new credential repairs that.
            Err((PushCheckError::LoginRejected, _))
                if self.state.created.stored_credential.is_none() && rotation.is_none() =>
            {
                self.state.login.trial = LoginTrial::Rejected;
            }
            Err((refused, mut error)) => {
                // IAM has propagated an older login everywhere. A policy rejects it, or a person
                // changed the credential.
                error.is_transient &= is_new || !refused.is_rejection();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether IAM may still be propagating the credential `id`, which `secret` names.
    fn is_new(&self, secret: &Secret, id: &str) -> bool {
        let listed = self.state.user.credential(id).map(|listed| listed.created);
        // IAM may list it late. Its secret was changed when it was stored, or later.
        let issued = listed.or(secret.last_changed);
        issued.is_none_or(|time| self.clients.clock.now() < time + LOGIN_PROPAGATION_TIME)
    }

    async fn prove(&self, login: &str, password: &Password) -> Proof {
        // An Update that issues a password waits as long as a Create. The old login works
        // meanwhile.
        let is_new = self.context.is_create
            || self.context.rotation.is_some()
            || self.state.login.issued.is_some()
            || self.state.created.stored_credential.is_some();
        let timeout = if is_new {
            push_check::NEW_LOGIN_TIMEOUT
        } else {
            push_check::EARLIER_LOGIN_TIMEOUT
        };
        let clock = &self.clients.clock;
        // The rollback and the response need the rest of the time.
        let share = clock.until(self.progress.until()).mul_f64(0.6);
        let give_up = clock.now() + timeout.min(share);
        for (name, url) in &self.state.clone_urls {
            let patience = clock.until(give_up);
            let proof = push_check::check_push(&self.clients.http, url, login, password, patience);
            if let Err(error) = proof.await {
                let user = &self.spec.user_name;
                let doing = format!(
                    "verifying that the login of user {user} can push to repository {name}"
                );
                let failure = DeliveryError {
                    reason: error.reason(&doing),
                    is_transient: error.is_transient(),
                };
                return Err((error, failure));
            }
        }
        Ok(())
    }
}
