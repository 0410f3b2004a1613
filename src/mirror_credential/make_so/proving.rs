//! Showing that a login can push.

use super::super::steps::{self, explained};
use super::Delivery;
use crate::cfn::Failure;
use crate::git::{self, NotPushable};
use crate::secret::Password;

impl Delivery<'_> {
    pub(super) async fn prove_issued(&mut self) -> Result<(), Failure> {
        let Some(issued) = &self.known.issued else {
            return Ok(());
        };
        let Some(password) = issued.password.clone() else {
            return Ok(());
        };
        let login = issued.service_user_name.clone();
        match self.prove(&login, &password).await {
            // A delivery that was overtaken may have reset it once more before it learned of that.
            Err((NotPushable::LoginRefused, _)) if !self.was_refused => {
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
    pub(super) async fn prove_stored(&mut self) -> Result<(), Failure> {
        let Some(secret) = self.known.secret.present() else {
            return Ok(());
        };
        let rotation = self.me.rotation.as_ref();
        let prepared = rotation.and_then(|rotation| secret.prepared(&rotation.version_id));
        let Some(login) = prepared.or(secret.current.as_ref()) else {
            return Ok(());
        };
        let version_id = login.version_id.clone();
        self.known.judged = Some(version_id.clone());
        if !self.known.values.contains_key(&version_id) {
            let read = steps::read_login(&self.resource.aws, secret, &version_id).await;
            let value = read.map_err(|error| Failure(explained(error).to_string()))?;
            self.known.values.insert(version_id.clone(), value);
        }
        let Some(value) = self.known.values.get(&version_id).cloned().flatten() else {
            self.known.login_refused = true;
            return Ok(());
        };
        match self.prove(&value.service_user_name, &value.password).await {
            Ok(()) => self.known.proved = true,
            // Somebody reset the credential behind our back: another one heals that.
            Err((NotPushable::LoginRefused, _)) if self.stored.is_none() && rotation.is_none() => {
                self.known.login_refused = true;
            }
            Err((_, failure)) => return Err(failure),
        }
        Ok(())
    }

    pub(super) async fn prove(
        &self,
        login: &str,
        password: &Password,
    ) -> Result<(), (NotPushable, Failure)> {
        // Time has to be left to say what is wrong, and to undo what was done.
        for (name, url) in &self.known.clone_urls {
            let left = self.resource.clock.until(self.progress.until());
            let patience = git::LOGIN_SPREADS.min(left.mul_f64(0.6));
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
}
