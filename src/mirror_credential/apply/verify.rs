//! Showing that a login can push.

use std::time::Duration;

use super::Delivery;
use super::error::DeliveryError;
use crate::codecommit::push_check;
use crate::codecommit::push_check::PushCheckError;
use crate::mirror_credential::calls;
use crate::mirror_credential::observe::Secret;
use crate::password::Password;

/// IAM has propagated a credential everywhere by then. IAM documents no bound: "changes that I make
/// are not always immediately visible", and seconds are observed.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>
const LOGIN_PROPAGATES: Duration = Duration::from_secs(60 * 60);

impl Delivery<'_> {
    pub(super) async fn prove_issued(&mut self) -> Result<(), DeliveryError> {
        let Some(issued) = &self.known.issued else {
            return Ok(());
        };
        let Some(password) = issued.password.clone() else {
            return Ok(());
        };
        let login = issued.service_user_name.clone();
        match self.prove(&login, &password).await {
            // Another delivery may have taken the credential over and reset it meanwhile.
            Err((PushCheckError::LoginRejected, failure)) if !self.is_login_shared => {
                self.read_secret().await?;
                return match self.known.claim {
                    Some(_) => Err(failure),
                    None => Ok(()),
                };
            }
            // A delivery that was overtaken may have reset it once more before it learned of that.
            Err((PushCheckError::LoginRejected, _)) if !self.was_refused => {
                self.was_refused = true;
                if let Some(issued) = &mut self.known.issued {
                    issued.password = None;
                }
                let made = std::mem::take(&mut self.known.journal.made);
                self.known.strays.extend(made);
                self.known.is_sealed = false;
                return Ok(());
            }
            proved => proved.map_err(|(_, failure)| failure)?,
        }
        if let Some(issued) = &mut self.known.issued {
            issued.proved = true;
        }
        Ok(())
    }

    /// Proves the login that the secret holds, or the one that a rotation has prepared.
    pub(super) async fn prove_stored(&mut self) -> Result<(), DeliveryError> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let rotation = self.me.rotation.as_ref();
        let prepared = rotation.and_then(|rotation| secret.prepared(&rotation.version_id));
        let Some(login) = prepared.or(secret.current.as_ref()) else {
            return Ok(());
        };
        let version_id = login.version_id.clone();
        let is_new = self.is_new(secret, &login.credential_id);
        self.known.judged = Some(version_id.clone());
        if !self.known.values.contains_key(&version_id) {
            let value = calls::read_login(&self.resource.aws, secret, &version_id).await?;
            self.known.values.insert(version_id.clone(), value);
        }
        let Some(value) = self.known.values.get(&version_id).cloned().flatten() else {
            self.known.login_refused = true;
            return Ok(());
        };
        match self.prove(&value.service_user_name, &value.password).await {
            Ok(()) => self.known.proved = true,
            // Somebody reset the credential behind our back: another one heals that.
            Err((PushCheckError::LoginRejected, _))
                if self.stored.is_none() && rotation.is_none() =>
            {
                self.known.login_refused = true;
            }
            Err((refused, mut error)) => {
                // IAM has propagated an older login everywhere: what refuses it is a policy, or a
                // change of the credential by hand.
                error.is_transient &= is_new || !refused.is_rejection();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether IAM may still be propagating the credential `id`, which `secret` names.
    fn is_new(&self, secret: &Secret, id: &str) -> bool {
        let listed = self.known.user.credential(id).map(|listed| listed.created);
        // IAM may list it late. Its secret was changed when it was stored, or later.
        let issued = listed.or(secret.last_changed);
        issued.is_none_or(|time| self.resource.clock.now() < time + LOGIN_PROPAGATES)
    }

    pub(super) async fn prove(
        &self,
        login: &str,
        password: &Password,
    ) -> Result<(), (PushCheckError, DeliveryError)> {
        // An Update that issues a password waits as long as a Create. The old login works meanwhile.
        let is_new = self.me.is_create
            || self.me.rotation.is_some()
            || self.known.issued.is_some()
            || self.stored.is_some();
        let timeout = if is_new {
            push_check::NEW_LOGIN_TIMEOUT
        } else {
            push_check::EARLIER_LOGIN_TIMEOUT
        };
        let clock = &self.resource.clock;
        // The rest of the time is for the rollback of what was created and for the response.
        let share = clock.until(self.progress.until()).mul_f64(0.6);
        let give_up = clock.now() + timeout.min(share);
        for (name, url) in &self.known.clone_urls {
            let patience = clock.until(give_up);
            let proof = push_check::check_push(&self.resource.http, url, login, password, patience);
            if let Err(error) = proof.await {
                let user = &self.desired.user_name;
                let reason = format!(
                    "proving that the login of user {user} can push to repository {name}: {error}"
                );
                let (reason, is_transient) = (error.reason_with(reason), error.is_transient());
                return Err((
                    error,
                    DeliveryError {
                        reason,
                        is_transient,
                    },
                ));
            }
        }
        Ok(())
    }
}
