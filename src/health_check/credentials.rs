//! The checks of the environment's credentials, mirrors and tokens.

use std::collections::BTreeMap;

use tokio::time::timeout_at;

use super::checker::{Checker, listed};
use super::concurrent::{Checking, TimeLimits, check_each};
use super::findings::{Findings, ForeignPush};
use super::found_secrets::{FoundSecrets, Secrets};
use super::metrics::Wrong;
use super::schedule::days;
use super::stacks::FoundStacks;
use super::{metrics, problems};
use crate::clients::cloudformation::stack_resource;
use crate::common::commands::{aws, delete_credential};
use crate::common::iam_wildcard::NamePattern;
use crate::common::ownership::write_time;
use crate::common::pace::Pace;
use crate::gitops_pipeline::child::Child;
use crate::mirror_credential::health::{
    CheckError, CheckedGitLabs, ForeignTip, Health, MirrorHealth, SecretSummary, TokenHealth,
};
use crate::mirror_credential::rotation::PendingRotation;
use cfn_custom_resource::Reason;

/// How many credentials a second are checked, with two reads of IAM each. AWS documents no rate of
/// IAM's, and that it cannot be increased:
/// <https://repost.aws/knowledge-center/iam-sts-throttling-error>.
/// `docs/project/scale-and-speed.md` assumes 40 a second. Secrets Manager's documented rates are
/// far higher.
const CREDENTIALS_PER_SECOND: u32 = 5;

struct CheckedCredential {
    health: Health,
    rotation: Result<Option<PendingRotation>, Reason>,
}

impl Checker<'_> {
    /// Checks every credential, with its mirrors and their tokens. Returns the listed secrets, if
    /// the list is complete, with the mirrors, which are reported when the stacks are known.
    pub async fn check_credentials(
        &self,
        limits: &TimeLimits,
        gitlabs: &CheckedGitLabs,
    ) -> (Findings, Option<FoundSecrets>) {
        let mut findings = Findings::default();
        let Some(secrets) = self.list_secrets(limits, &mut findings).await else {
            return (findings, None);
        };
        let mut items: Vec<_> = secrets.iter().map(|(name, it)| (name.as_str(), it)).collect();
        self.schedule.rotate(&mut items);
        let pace = &Pace::per_second(CREDENTIALS_PER_SECOND);
        let check = |_, secret| -> Checking<'_, _> {
            Box::pin(async move {
                pace.wait().await;
                self.check_credential(secret, gitlabs).await
            })
        };
        let (mut tokens, mut repositories) = (vec![], BTreeMap::new());
        let mut found_mirrors = vec![];
        let left = check_each(items, limits, check, |name, checked| match checked {
            Ok(CheckedCredential { health, rotation }) => {
                let mirrors = health.mirrors.iter();
                let names = mirrors.map(|mirror| mirror.repository_name.clone());
                repositories.insert(name.to_owned(), names.collect());
                self.report(&mut findings, &health);
                tokens.extend(health.token);
                found_mirrors.extend(health.mirrors);
                report_rotation(&mut findings, name, rotation);
            }
            Err(CheckError::Nothing) => {}
            Err(CheckError::Missing(_, problem)) => {
                findings.missing(format!("secret {name}"), problem);
            }
            Err(CheckError::Failed(reason)) => findings.failed(reason),
        });
        let left = left.await;
        self.report_left("credentials", left, secrets.len(), &mut findings);
        // Which credential's check read a token depends on the time each took.
        tokens.sort_by(|one: &TokenHealth, other| one.secret_id.cmp(&other.secret_id));
        for token in &tokens {
            self.report_token(&mut findings, token);
        }
        let found = FoundSecrets {
            secrets,
            repositories,
            mirrors: found_mirrors,
        };
        (findings, Some(found))
    }

    pub(crate) async fn list_secrets(
        &self,
        limits: &TimeLimits,
        findings: &mut Findings,
    ) -> Option<Secrets> {
        let user_names = NamePattern::new(&self.environment.user_names);
        let listing = self.mirror_credential.list_secrets(&user_names);
        let (secrets, left) = listed(listing, findings, limits).await?;
        for left in left {
            if let Some(project) = &left.project {
                self.emit(project, &[(metrics::MIRROR_HEALTHY, 0.into())]);
            }
            findings.checked(left.subject, Some(left.problem));
        }
        let secrets = secrets.into_iter();
        Some(secrets.map(|secret| (secret.name.clone(), secret)).collect())
    }

    async fn check_credential(
        &self,
        secret: &SecretSummary,
        gitlabs: &CheckedGitLabs,
    ) -> Result<CheckedCredential, CheckError> {
        let credentials = self.mirror_credential;
        let health = if self.may_change() {
            credentials.health(secret, gitlabs).await
        } else {
            credentials.credential_health(secret).await
        };
        let health = self.confirmed(&secret.name, health).await?;
        let rotation = credentials.check_rotation(&secret.name, self.may_change()).await;
        Ok(CheckedCredential {
            health,
            rotation: rotation.map_err(|error| error.reason),
        })
    }

    /// The result of a check, if CloudFormation shows the owner of a missing secret or user, or of
    /// a mirror with other settings. A Delete of the stack is not reported, because Secrets Manager
    /// shows the secret until it is deleted, nor are settings that an Update has sent to GitLab.
    async fn confirmed(
        &self,
        secret: &str,
        health: Result<Health, CheckError>,
    ) -> Result<Health, CheckError> {
        let owner = match &health {
            Err(CheckError::Missing(owner, _)) => owner.as_ref(),
            Ok(health) if !health.user_exists || health.has_other_settings() => {
                health.owner.as_ref()
            }
            _ => None,
        };
        let Some(owner) = owner else { return health };
        let shown = stack_resource(&self.clients.aws, owner).await;
        let is_declared =
            shown.map(|shown| shown.is_some_and(|shown| shown.is_declared_as(secret)));
        match (health, is_declared) {
            (health, Ok(true)) => health,
            (Ok(health), unconfirmed) if health.user_exists => {
                if let Err(error) = unconfirmed {
                    warn!(
                        error.reason(),
                        secret, "other settings of mirrors are not confirmed"
                    );
                }
                Ok(health.without_other_settings())
            }
            (_, Ok(false)) => Err(CheckError::Nothing),
            (_, Err(error)) => Err(error.into()),
        }
    }

    fn report(&self, findings: &mut Findings, health: &Health) {
        findings.totals.credentials += 1;
        if let Some(issued) = health.issued {
            let age = days(self.since(issued));
            let mut metric = metrics::CREDENTIAL_AGE;
            let limit = self.environment.credential_age_days;
            metric.wrong = limit.map_or(metric.wrong, Wrong::Above);
            self.emit(&health.user_name, &[(metric, age.into())]);
        }
        if health.user_exists {
            let problem = match health.issued {
                None => Some("it does not exist"),
                Some(_) if health.is_inactive => Some("it is inactive"),
                Some(_) => None,
            };
            let remedy = "Update its stack with a new RotationSerial, which issues another one";
            let problem = problem.map(|problem| Reason::uncoded(problem, remedy));
            let subject = format!("the credential of user {}", health.user_name);
            findings.checked(subject, problem);
        } else {
            let user_name = &health.user_name;
            let problem = "it does not exist, so its mirrors cannot push";
            let remedy = aws(["iam", "create-user", "--user-name", user_name])
                .after("Create it again, with its policies: ")
                .then(". Then update the stack of its secret with a new RotationSerial");
            let problem = Reason::uncoded(problem, remedy);
            findings.missing(format!("IAM user {user_name}"), problem);
        }
        self.report_other_credentials(findings, health);
    }

    /// Credentials that the secret does not hold, such as one that a person or a crashed attempt
    /// has left. Only a diagnosis reports them: in a rotation, the user has two.
    fn report_other_credentials(&self, findings: &mut Findings, health: &Health) {
        if self.may_change() {
            return;
        }
        let user_name = &health.user_name;
        for id in &health.other_credentials {
            let subject = format!("another credential of user {user_name}, {id}");
            let before = "Unless a deployment or a rotation runs, delete it: ";
            let remedy = delete_credential(user_name, id).after(before);
            let problem = "its secret does not hold it";
            findings.checked(subject, Some(Reason::uncoded(problem, remedy)));
        }
    }

    pub(crate) fn report_mirror(&self, findings: &mut Findings, mirror: &MirrorHealth) {
        findings.totals.mirrors += 1;
        let (project, repository) = (&mirror.project, &mirror.repository_name);
        let subject = format!("the mirror of project {project} to repository {repository}");
        let fault = mirror.fault.as_ref().or(mirror.other_settings.as_ref());
        findings.checked(subject, fault.cloned());
        let is_healthy = u8::from(fault.is_none());
        let mut metrics = vec![(metrics::MIRROR_HEALTHY, is_healthy.into())];
        if let Some(at) = mirror.succeeded_at {
            let seconds = self.since(at).as_secs_f64();
            metrics.push((metrics::SECONDS_SINCE_MIRROR_SYNC, seconds.into()));
        }
        if let Some(lag) = mirror.lag {
            metrics.push((metrics::MIRROR_LAG_SECONDS, lag.as_secs_f64().into()));
        }
        if let Some(foreign) = &mirror.foreign {
            metrics.push((metrics::FOREIGN_TIPS, foreign.len().into()));
        }
        self.emit(&mirror.project, &metrics);
        for tip in mirror.foreign.iter().flatten() {
            let ForeignTip { branch, commit } = tip;
            let subject = format!("branch {branch} of repository {repository}");
            let problem = format!(
                "its commit {commit} was never in the branch of GitLab's project {project}, so the \
                 mirror did not push it"
            );
            let remedy = "Find out who pushed it, then push to GitLab, which replaces it";
            findings.checked(subject, Some(Reason::uncoded(problem, remedy)));
            findings.foreign.push(ForeignPush {
                repository: repository.clone(),
                tip: tip.clone(),
            });
        }
    }

    /// Checks the tokens of pipelines that no mirror uses.
    pub async fn check_tokens(
        &self,
        stacks: &FoundStacks,
        findings: &mut Findings,
        limits: &TimeLimits,
        gitlabs: &CheckedGitLabs,
    ) {
        for access in stacks.owned().filter_map(Child::access) {
            let check = self.mirror_credential.token_health(access, gitlabs);
            match timeout_at(limits.checks_end, check).await {
                Ok(Some(token)) => self.report_token(findings, &token),
                Ok(None) => {}
                Err(_) => return tracing::warn!("no time to check the tokens of all pipelines"),
            }
        }
    }

    pub(crate) fn report_token(&self, findings: &mut Findings, token: &TokenHealth) {
        let secret_id = &token.secret_id;
        if !self.may_change() {
            let subject = format!("the GitLab token in secret {secret_id}");
            findings.checked(subject, problems::token_problem(token, self.schedule.began));
        }
        let details = token.details.as_ref();
        match details.map(|details| details.expires_at) {
            Ok(Some(expires_at)) => {
                let left = expires_at.duration_since(self.schedule.began).unwrap_or_default();
                self.emit(
                    secret_id,
                    &[(metrics::GITLAB_TOKEN_DAYS_LEFT, days(left).into())],
                );
            }
            Ok(None) => tracing::info!(secret_id, "GitLab's token does not expire, or is rotated"),
            // A rejected token is the fault of each of its mirrors, and of the reports of its
            // pipelines.
            Err(reason) => {
                info!(reason, secret_id, "expiry of GitLab's token unknown");
            }
        }
    }
}

fn report_rotation(
    findings: &mut Findings,
    name: &str,
    rotation: Result<Option<PendingRotation>, Reason>,
) {
    let mut pending = |version_id, since, so: &str, remedy: &'static str| {
        let subject = format!("the rotation of secret {name} to version {version_id}");
        let problem = format!("it is pending since {}{so}", write_time(since));
        findings.checked(subject, Some(Reason::uncoded(problem, remedy)));
    };
    match rotation {
        Ok(Some(PendingRotation::Waits { version_id, since })) => {
            let so = ", and Secrets Manager reattempts it";
            let remedy = "Look into the log of its steps for why they fail";
            pending(version_id, since, so, remedy);
        }
        Ok(Some(PendingRotation::Abandoned { version_id, since })) => {
            let so = ", and the secret has no rotation schedule";
            pending(
                version_id,
                since,
                so,
                "Wait for the next health check, which ends it",
            );
        }
        Ok(Some(PendingRotation::Ended)) => {
            tracing::warn!(secret = name, "a rotation without a schedule was ended");
        }
        Ok(None) => {}
        Err(reason) => findings.failed(reason),
    }
}
