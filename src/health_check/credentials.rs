//! The checks of the environment's credentials, mirrors and tokens.

use super::{Checker, SECONDS_PER_DAY, doctor, metrics};
use crate::iam_wildcard::NamePattern;
use crate::mirror_credential::MirrorCredential;
use crate::mirror_credential::health::{
    CheckError, CheckedGitLabs, Health, MirrorHealth, SecretSummary, TokenHealth,
};
use crate::mirror_credential::rotation::PendingRotation;
use crate::ownership::write_time;

impl Checker<'_> {
    /// Checks every credential, with its mirrors and their tokens.
    pub async fn check_credentials(&mut self, mirror_credential: &MirrorCredential) {
        let user_names = match NamePattern::new(&self.environment.user_names) {
            Ok(user_names) => user_names,
            Err(error) => return self.failed(&format!("reading the pattern UserNames: {error}")),
        };
        let listed = match mirror_credential.list_secrets(&user_names).await {
            Ok(listed) => listed,
            Err(error) => return self.failed(&error.to_string()),
        };
        let mut checked = CheckedGitLabs::default();
        for secret in &listed {
            let health = mirror_credential.health(secret, &mut checked);
            match Box::pin(health).await {
                Ok(health) => {
                    self.report(&health);
                    self.check_rotation(mirror_credential, secret).await;
                }
                Err(CheckError::Nothing) => {}
                Err(CheckError::Failed(why)) => self.failed(&why),
            }
        }
    }

    async fn check_rotation(
        &mut self,
        mirror_credential: &MirrorCredential,
        secret: &SecretSummary,
    ) {
        if !self.may_change {
            return;
        }
        let name = &secret.name;
        let pending = Box::pin(mirror_credential.check_rotation(name)).await;
        match pending {
            Ok(Some(PendingRotation::Waits { version_id, since })) => {
                let since = write_time(since);
                let subject = format!("the rotation of secret {name} to version {version_id}");
                let problem = format!(
                    "it is pending since {since}. Secrets Manager reattempts it; the log of its \
                     steps says why they fail"
                );
                self.checked(subject, Some(problem));
            }
            Ok(Some(PendingRotation::Ended)) => {
                tracing::warn!(secret = name, "a rotation without a schedule was ended");
            }
            Ok(None) => {}
            Err(error) => self.failed(&error.to_string()),
        }
    }

    fn report(&mut self, health: &Health) {
        self.findings.credentials += 1;
        if let Some(issued) = health.issued {
            let age = self.since(issued).as_secs_f64() / SECONDS_PER_DAY;
            let metrics = [(metrics::CREDENTIAL_AGE, age.into())];
            self.emit(&health.user_name, &metrics);
        }
        let problem = health.issued.is_none().then_some(
            "it does not exist. Issue another one: update its stack with a new RotationSerial",
        );
        let subject = format!("the credential of user {}", health.user_name);
        self.checked(subject, problem.map(ToOwned::to_owned));
        self.report_other_credentials(health);
        for mirror in &health.mirrors {
            self.report_mirror(mirror);
        }
        if let Some(token) = &health.token {
            self.report_token(token);
        }
    }

    /// Credentials that the secret does not hold, such as one that a person or a crashed attempt has
    /// left. Only a diagnosis reports them: in a rotation, the user has two.
    fn report_other_credentials(&mut self, health: &Health) {
        if self.may_change {
            return;
        }
        let user_name = &health.user_name;
        for id in &health.other_credentials {
            let subject = format!("another credential of user {user_name}, {id}");
            let problem = format!(
                "its secret does not hold it. Unless a deployment or a rotation runs, delete it: aws \
                 iam delete-service-specific-credential --user-name {user_name} \
                 --service-specific-credential-id {id}"
            );
            self.checked(subject, Some(problem));
        }
    }

    fn report_mirror(&mut self, mirror: &MirrorHealth) {
        self.findings.mirrors += 1;
        let (project, repository) = (&mirror.project, &mirror.repository_name);
        let subject = format!("the mirror of project {project} to repository {repository}");
        self.checked(subject, mirror.fault.clone());
        let is_healthy = u8::from(mirror.fault.is_none());
        let mut metrics = vec![(metrics::MIRROR_HEALTHY, is_healthy.into())];
        if let Some(at) = mirror.succeeded_at {
            let seconds = self.since(at).as_secs_f64();
            metrics.push((metrics::SECONDS_SINCE_MIRROR_SYNC, seconds.into()));
        }
        if let Some(lag) = mirror.lag {
            metrics.push((metrics::MIRROR_LAG_SECONDS, lag.as_secs_f64().into()));
        }
        self.emit(&mirror.project, &metrics);
    }

    fn report_token(&mut self, token: &TokenHealth) {
        let secret_id = &token.secret_id;
        if !self.may_change {
            let subject = format!("the GitLab token in secret {secret_id}");
            self.checked(subject, doctor::token_problem(token, self.now));
        }
        let details = token.details.as_ref();
        match details.map(|details| details.expires_at) {
            Ok(Some(expires_at)) => {
                let left = expires_at.duration_since(self.now).unwrap_or_default();
                let days = left.as_secs_f64() / SECONDS_PER_DAY;
                self.emit(secret_id, &[(metrics::GITLAB_TOKEN_DAYS_LEFT, days.into())]);
            }
            Ok(None) => tracing::info!(secret_id, "GitLab's token does not expire"),
            // A rejected token is the fault of each of its mirrors.
            Err(why) => tracing::info!(secret_id, why, "expiry of GitLab's token unknown"),
        }
    }
}
