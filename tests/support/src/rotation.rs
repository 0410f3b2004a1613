//! Secrets Manager, as far as a rotation function uses it: the version of a rotation, its four
//! steps, and its reaction to a failed step. Sentences in quotation marks are
//! from the API reference (`RotateSecret`) and from the User Guide ("Rotation by Lambda function").
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html>
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html>

use std::{fmt, time::Duration};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use serde_json::{Value, json};

use crate::custom_resource::{FUNCTION, LAMBDA_MAX_LIFETIME, StackRequest, answered_once};
use fake_aws::{
    Caller, FakeAws,
    secrets::{CURRENT, PENDING, RotationSchedule, Secret, versions},
};

/// "Secrets Manager calls the same function several times, each time with different parameters."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationStep {
    Create,
    Set,
    Test,
    Finish,
}

impl RotationStep {
    pub const ALL: [Self; 4] = [Self::Create, Self::Set, Self::Test, Self::Finish];
}

impl fmt::Display for RotationStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Create => "createSecret",
            Self::Set => "setSecret",
            Self::Test => "testSecret",
            Self::Finish => "finishSecret",
        })
    }
}

/// The result of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotated {
    Finished,
    /// Secrets Manager did not even begin.
    Refused(String),
    /// A step answered with an error. The rotation is pending unless the step removed AWSPENDING.
    Failed {
        step: RotationStep,
        reason: String,
    },
    /// A step died, and did so each time that it was delivered.
    Died(RotationStep),
}

/// The rotation of one secret.
pub struct Rotation {
    pub fake: FakeAws,
    /// The secret's name.
    pub secret: String,
    pub wire: fn(&FakeAws, &Caller) -> SharedHttpConnector,
    /// How often a killed step is delivered. Secrets Manager's reaction to a call without a
    /// response is not documented.
    pub deliveries: u32,
    /// Every step is repeated after it succeeded.
    pub delivers_twice: bool,
    pub lifetime: Duration,
    /// How much time passes before each step.
    pub pause: Duration,
    rotations: u32,
    pass: u32,
    version: String,
}

impl Rotation {
    pub fn of(
        fake: &FakeAws,
        secret: &str,
        wire: fn(&FakeAws, &Caller) -> SharedHttpConnector,
    ) -> Self {
        Self {
            fake: fake.clone(),
            secret: secret.to_owned(),
            wire,
            deliveries: 3,
            delivers_twice: false,
            lifetime: LAMBDA_MAX_LIFETIME,
            pause: Duration::ZERO,
            rotations: 0,
            pass: 0,
            version: String::new(),
        }
    }

    /// Sets a schedule up, as `AWS::SecretsManager::RotationSchedule` does. "If you don't
    /// immediately rotate the secret, Secrets Manager tests the rotation configuration by running
    /// the testSecret step […]. This test creates an AWSPENDING version of the secret and then
    /// removes it."
    pub async fn attach_schedule(&mut self, days: u64, rotate_immediately: bool) -> Rotated {
        // If `RotateSecret` rejects a schedule, it does not store it either.
        let attached = self.with_secret(|secret, _| {
            reject_while_pending(secret)?;
            secret.rotation = Some(schedule(days));
            Ok(())
        });
        if let Err(refusal) = attached.flatten() {
            return Rotated::Refused(refusal);
        }
        if rotate_immediately {
            return self.rotate().await;
        }
        if let Err(refusal) = self.begin() {
            return Rotated::Refused(refusal);
        }
        tokio::time::sleep(self.pause).await;
        let tested = self.step(RotationStep::Test).await;
        let version = self.version.clone();
        let removed = self.with_secret(|secret, _| {
            versions::forget_pending(secret, &version);
        });
        match (tested, removed) {
            (Err(failed), _) => failed,
            (Ok(()), Err(refusal)) => Rotated::Refused(refusal),
            (Ok(()), Ok(())) => Rotated::Finished,
        }
    }

    /// `CancelRotateSecret`: "If you cancel a rotation in progress, it can leave the `VersionStage`
    /// labels in an unexpected state."
    pub fn cancel(&self) -> Result<(), String> {
        self.with_secret(|secret, _| {
            if let Some(rotation) = &mut secret.rotation {
                rotation.enabled = false;
            }
        })
    }

    /// A whole rotation.
    pub async fn rotate(&mut self) -> Rotated {
        if let Err(refusal) = self.begin() {
            return Rotated::Refused(refusal);
        }
        self.steps_from(RotationStep::Create).await
    }

    /// The due rotation: the pending one again, or a new one. "A previous rotation isn't
    /// complete. That rotation will be reattempted."
    pub async fn come_due(&mut self) -> Rotated {
        if self.is_pending() {
            self.reattempt().await
        } else {
            self.rotate().await
        }
    }

    /// "If any rotation step fails, Secrets Manager retries the entire rotation process multiple
    /// times." The label is left on the version, so the version is the same.
    pub async fn reattempt(&mut self) -> Rotated {
        self.resume_from(RotationStep::Create).await
    }

    /// Calls this step and the later ones again, for the same version. AWS documents only the whole
    /// process. A function has to support both.
    pub async fn resume_from(&mut self, first: RotationStep) -> Rotated {
        self.pass += 1;
        self.steps_from(first).await
    }

    /// Whether AWSPENDING is on the version of this rotation, and AWSCURRENT is not.
    pub fn is_pending(&self) -> bool {
        let pending = self.with_secret(|secret, _| {
            secret.at_stage(PENDING) == Some(self.version.as_str())
                && secret.at_stage(CURRENT) != Some(self.version.as_str())
        });
        pending.unwrap_or(false)
    }

    async fn steps_from(&mut self, first: RotationStep) -> Rotated {
        let steps = RotationStep::ALL.into_iter().skip_while(|step| *step != first);
        for step in steps {
            tokio::time::sleep(self.pause).await;
            if let Err(failed) = self.step(step).await {
                return failed;
            }
        }
        let finished = self.with_secret(|secret, now| {
            if let Some(rotation) = &mut secret.rotation {
                rotation.last = Some(now);
            }
        });
        finished.map_or_else(Rotated::Refused, |()| Rotated::Finished)
    }

    /// Names the version. "If the AWSPENDING staging label is present but not attached to the same
    /// version as AWSCURRENT, then any later invocation of `RotateSecret` assumes that a previous
    /// rotation request is still in progress and returns an error."
    pub fn begin(&mut self) -> Result<(), String> {
        self.rotations += 1;
        self.pass = 0;
        let id = self.fake.change(|aws| aws.next_id());
        let begun = self.with_secret(|secret, now| {
            reject_while_pending(secret)?;
            // `RotateSecret` turns rotation on, even after `CancelRotateSecret` turned it off.
            let rotation = secret.rotation.get_or_insert_with(|| schedule(30));
            rotation.enabled = true;
            versions::name_pending(secret, &id, now);
            Ok::<(), String>(())
        });
        begun??;
        self.version = id;
        Ok(())
    }

    /// The version that the present rotation is for.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Calls the function for one step, until it has a result.
    pub async fn step(&self, step: RotationStep) -> Result<(), Rotated> {
        let mut twice = self.delivers_twice;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.deliver(step, attempt).await {
                Some(Ok(_)) if twice => twice = false,
                Some(Ok(_)) if self.was_removed(step) => {
                    let reason = "AWSPENDING was removed by a call of its own".to_owned();
                    return Err(Rotated::Failed { step, reason });
                }
                Some(Ok(_)) => return Ok(()),
                Some(Err(reason)) => return Err(Rotated::Failed { step, reason }),
                None if attempt >= self.deliveries => return Err(Rotated::Died(step)),
                None => {}
            }
        }
    }

    /// Whether a delivery of this step took AWSPENDING away, and succeeded in that. Taking it away
    /// "by using a separate API call […] can indicate to Secrets Manager that the rotation did not
    /// complete successfully" (User Guide, the finish step): then it did not.
    fn was_removed(&self, step: RotationStep) -> bool {
        let name = format!("{}.", self.name(step));
        self.fake.journal().iter().any(|entry| {
            entry.caller.starts_with(&name)
                && entry.operation == "UpdateSecretVersionStage"
                && entry.params["VersionStage"] == PENDING
                && !entry.params.contains_key("MoveToVersionId")
                && entry.outcome.starts_with("ok")
        })
    }

    fn name(&self, step: RotationStep) -> String {
        let again = match self.pass {
            0 => String::new(),
            pass => format!("+{pass}"),
        };
        format!("rotation-{}{again}.{step}", self.rotations)
    }

    /// One delivery; `None` when it was killed.
    pub async fn deliver(&self, step: RotationStep, attempt: u32) -> Option<Result<Value, String>> {
        let name = self.name(step);
        let arn = self.with_secret(|secret, _| secret.arn.clone());
        let request = StackRequest {
            event: json!({
                "Step": step.to_string(),
                "SecretId": arn.unwrap_or_else(|_| self.secret.clone()),
                "ClientRequestToken": self.version,
                // Documented beside the others; for functions that assume a role.
                "RotationToken": "7b0b7a9c-0000-4000-8000-00000example",
            }),
            signed_at: self.fake.now(),
            wire: self.wire,
            lifetime: self.lifetime,
            name: name.clone(),
        };
        answered_once(&self.fake, &format!("{name}.{attempt}"), &request).await
    }

    /// Reads or changes the secret as Secrets Manager itself.
    fn with_secret<R>(&self, change: impl FnOnce(&mut Secret, Duration) -> R) -> Result<R, String> {
        self.fake.change(|aws| aws.change_secret(&self.secret, change))
    }
}

fn schedule(days: u64) -> RotationSchedule {
    RotationSchedule {
        function: FUNCTION.to_owned(),
        days,
        enabled: true,
        last: None,
    }
}

/// `RotateSecret`'s response while AWSPENDING is on another version than AWSCURRENT, with or
/// without a new schedule. The text: <https://github.com/aws/aws-cdk/issues/28539>.
fn reject_while_pending(secret: &Secret) -> Result<(), String> {
    let pending = secret.at_stage(PENDING);
    if pending.is_none() || pending == secret.at_stage(CURRENT) {
        return Ok(());
    }
    let refusal = "InvalidRequestException: A previous rotation isn't complete. That rotation will \
                   be reattempted.";
    Err(refusal.to_owned())
}
