//! Issues a credential, or resets one.

use std::time::SystemTime;

use aws_sdk_iam::config::Builder;
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::types::ServiceSpecificCredential;

use crate::clients::aws::{Aws, CallError, optional, required, retrying_absence};
use crate::clients::failing_calls;
use crate::common::password::Password;
use crate::common::reason_codes::Code;
use crate::mirror_credential::apply::applier::Applier;
use crate::mirror_credential::calls::{CODECOMMIT, is_concurrent};
use crate::mirror_credential::messages;
use crate::mirror_credential::observe::is_active;
use crate::mirror_credential::plan;
use crate::mirror_credential::state::Credential;
use crate::mirror_credential::timing::POLL_INTERVAL;

/// A reset returns a password with `/` with a probability of about one half.
const MAX_RESETS: u32 = 40;

/// Maximum calls per delivery whose outcome is unknown.
pub const MAX_UNCERTAIN_CALLS: u32 = 4;

/// The result of an attempt to issue or to reset a credential.
enum IssueResult {
    Done(Credential, Password),
    /// IAM did nothing, because it throttled the call or another change of the user was in
    /// progress.
    Busy,
    Unknown(CallError),
    /// Both slots are taken, perhaps by a credential that IAM does not list yet.
    NoSlot(CallError),
    /// The credential to reset does not exist.
    Gone,
}

impl Applier<'_> {
    /// Issues a credential. A Create saves its spec at the same time.
    pub async fn issue(&mut self) -> Result<(), CallError> {
        let saves_spec = plan::saves_spec_first(self.context, &self.state);
        let result = issue(&self.clients.aws, &self.spec.user_name);
        let result = retrying_absence(self.may_be_new(&self.spec.user_name), result);
        let (result, saved) = tokio::join!(result, async {
            if saves_spec {
                self.write_spec().await.map(Some)
            } else {
                Ok(None)
            }
        });
        self.follow_issue(result?, None).await?;
        if let Some((saved, written)) = saved? {
            self.note_saved_spec(saved, written);
        }
        Ok(())
    }

    pub async fn reset(&mut self, id: &str) -> Result<(), CallError> {
        let user_name = &self.spec.user_name;
        if self.retries.resets == MAX_RESETS {
            let doing =
                format!("resetting the service-specific credential {id} of user {user_name}");
            let cause = format!("no usable password in {MAX_RESETS} resets");
            return Err(CallError::local(Code::InternalError, doing, cause));
        }
        let result = reset(&self.clients.aws, user_name, id).await?;
        // IAM rejected a throttled call without a reset.
        if !matches!(result, IssueResult::Busy) {
            self.retries.resets += 1;
        }
        self.follow_issue(result, Some(id)).await
    }

    /// Follows a call that issued a credential, or reset the credential `reset`.
    async fn follow_issue(
        &mut self,
        result: IssueResult,
        reset: Option<&str>,
    ) -> Result<(), CallError> {
        if !matches!(result, IssueResult::Busy) {
            self.retries.throttled_calls = 0;
        }
        match result {
            IssueResult::Done(credential, password) => {
                // A credential that was found and reset is the result of a call without an answer.
                failing_calls::answered("CreateServiceSpecificCredential");
                self.state.note_issued(&credential, password, reset.is_some());
            }
            IssueResult::Busy => {
                // With a thousand users, a call per second each would keep IAM throttling.
                let pause = POLL_INTERVAL * (1 << self.retries.throttled_calls.min(4));
                self.retries.throttled_calls += 1;
                tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            }
            IssueResult::Gone => {
                if let Some(id) = reset {
                    self.state.note_credential_deleted(id);
                }
            }
            IssueResult::Unknown(error) => {
                self.retries.uncertain_calls += 1;
                if self.retries.uncertain_calls > MAX_UNCERTAIN_CALLS {
                    return Err(error);
                }
                if reset.is_none() {
                    self.state.login.uncertain_since = Some(self.clients.clock.now());
                    self.state.login.may_have_issued = true;
                } else {
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
            }
            IssueResult::NoSlot(error) => {
                // IAM may not list the credential in the slot yet, or may still count a deleted
                // one.
                self.retries.calls_without_slot += 1;
                if self.retries.calls_without_slot > 1 {
                    let remedy = messages::both_slots_taken(&self.spec.user_name).remedy;
                    let error = error.with_reason_code(Code::NoFreeSlot);
                    return Err(error.with_remedy(remedy));
                }
                self.state.login.uncertain_since = Some(self.clients.clock.now());
            }
        }
        Ok(())
    }
}

/// Issues a credential. The SDK must not retry: after a lost response, a retry would issue a second
/// one.
async fn issue(aws: &Aws, user_name: &str) -> Result<IssueResult, CallError> {
    let call = aws.iam.create_service_specific_credential();
    let call = call.user_name(user_name).service_name(CODECOMMIT);
    let call = call.customize().config_override(without_retries());
    let doing = || format!("issuing the service-specific credential of user {user_name}");
    let issued = required(call.send().await, doing);
    let issued = issued.map(|output| output.service_specific_credential);
    to_result(issued, doing)
}

/// Resets a credential whose login is not in use. The SDK must not retry: each reset returns
/// another password, so a late response would pass for the latest one.
async fn reset(aws: &Aws, user_name: &str, id: &str) -> Result<IssueResult, CallError> {
    let call = aws.iam.reset_service_specific_credential();
    let call = call.user_name(user_name).service_specific_credential_id(id);
    let call = call.customize().config_override(without_retries());
    let doing = || format!("resetting the service-specific credential {id} of user {user_name}");
    match optional(call.send().await, &["NoSuchEntity"], doing) {
        Ok(None) => Ok(IssueResult::Gone),
        Ok(Some(reset)) => to_result(Ok(reset.service_specific_credential), doing),
        Err(error) => to_result(Err(error), doing),
    }
}

fn without_retries() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

fn to_result(
    called: Result<Option<ServiceSpecificCredential>, CallError>,
    doing: impl FnOnce() -> String,
) -> Result<IssueResult, CallError> {
    let issued = match called {
        Ok(Some(issued)) => issued,
        Ok(None) => {
            let cause = "IAM's answer holds no credential";
            let error = CallError::local(Code::AwsUnavailable, doing(), cause);
            return Ok(IssueResult::Unknown(error));
        }
        Err(error) if error.has_code(&["LimitExceeded"]) => return Ok(IssueResult::NoSlot(error)),
        Err(error) if error.is_throttled() || is_concurrent(&error) => {
            return Ok(IssueResult::Busy);
        }
        Err(error) if error.is_outcome_unknown() => return Ok(IssueResult::Unknown(error)),
        Err(error) => return Err(error),
    };
    let credential = Credential {
        id: issued.service_specific_credential_id,
        service_user_name: issued.service_user_name,
        active: is_active(&issued.status),
        created: SystemTime::try_from(issued.create_date).unwrap_or(SystemTime::UNIX_EPOCH),
    };
    let password = Password::new(issued.service_password);
    Ok(IssueResult::Done(credential, password))
}
