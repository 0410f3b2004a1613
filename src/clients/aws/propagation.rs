//! Propagation: a policy or role that CloudFormation has just created takes seconds to take effect,
//! and meanwhile AWS denies calls that it allows. A new user, repository, secret or key may not be
//! found yet.
//!
//! "Changes that I make are not always immediately visible":
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html>.
//! Within [`retrying_denials`], every AWS call retries a denial that propagation can explain, and
//! within [`retrying_absence`] also the answer that a thing does not exist. That is safe also for
//! calls that nothing else may retry, as AWS has done nothing.

use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::time::Instant;

use super::error_codes::{DENIED, error_of, is_denied_elsewhere};

/// How long after the start of a request IAM's changes may take. AWS documents no bound. Seconds
/// are usual, and the AWS CDK found 31 s too short (<https://github.com/aws/aws-cdk/pull/37878>).
const MAX_PROPAGATION: Duration = Duration::from_secs(60);

/// The backoff between two attempts at a denied call starts with this.
pub(super) const INITIAL_BACKOFF: Duration = Duration::from_millis(500);

/// Nothing is retried in less time than this: timers count milliseconds, so the last attempts would
/// follow each other without a pause.
const MIN_TIME_LEFT: Duration = Duration::from_millis(50);

/// The backoff between two attempts at a denied call does not exceed this.
pub(super) const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// Parts of the messages of AWS services that cannot assume a role, which may be too new. All are
/// recorded responses: CloudFormation, CodeBuild, CodePipeline, EventBridge, and services such as
/// Lambda.
/// <https://github.com/hashicorp/terraform-provider-aws/issues/22834>,
/// <https://github.com/hashicorp/terraform-provider-aws/issues/4233>,
/// <https://github.com/hashicorp/terraform-provider-aws/issues/13103>
const ROLE_NOT_ASSUMABLE: [&str; 5] = [
    "is invalid or cannot be assumed",
    "is not authorized to perform: sts:AssumeRole",
    "is not authorized to perform AssumeRole on role",
    "cannot be assumed by",
    "unable to assume",
];

/// The error codes for a thing that does not exist, or that the service does not find yet. IAM
/// answers `NoSuchEntity` for a user of some seconds' age
/// (<https://github.com/hashicorp/terraform-provider-aws/issues/2449>), and KMS does not find a new
/// key (<https://github.com/boto/botocore/issues/2107>).
const ABSENT: [&str; 5] = [
    "NoSuchEntity",
    "RepositoryDoesNotExistException",
    "ApprovalRuleTemplateDoesNotExistException",
    "ResourceNotFoundException",
    "EncryptionFailure",
];

/// A part of the other message with which Secrets Manager reports a new key
/// (<https://github.com/hashicorp/terraform-provider-aws/pull/13303>).
const ABSENT_KEY: &str = "invalid KMS key";

tokio::task_local! {
    /// Denials are retried until then. `None` if they are not retried.
    static RETRIES_UNTIL: Option<Instant>;
    /// Whether the calls name a thing that may be new.
    static MAY_BE_NEW: bool;
}

/// How long a request that CloudFormation signed at `signed_at` retries denials from `now` on, if
/// the work on it ends at `work_until`.
///
/// The minute counts from the signature. Every delivery and continuation of the request contains
/// it, so they share one minute, and IAM propagates while a delivery waits in Lambda's queue. It is
/// at most a third of the time that is left. The rest is for the rollback and for a response with
/// the reason.
pub fn time_for_propagation(
    signed_at: SystemTime,
    now: SystemTime,
    work_until: SystemTime,
) -> Duration {
    let ends = signed_at.min(now) + MAX_PROPAGATION;
    let left = work_until.duration_since(now).unwrap_or_default();
    ends.duration_since(now).unwrap_or_default().min(left / 3)
}

/// Runs `work`, whose AWS calls retry denials that may pass for `time` from now on.
pub async fn retrying_denials<F: Future>(time: Duration, work: F) -> F::Output {
    let until = Instant::now() + time;
    RETRIES_UNTIL.scope(Some(until), work).await
}

/// Runs `work`, whose AWS calls fail at the first denial.
pub async fn without_retrying_denials<F: Future>(work: F) -> F::Output {
    RETRIES_UNTIL.scope(None, work).await
}

/// Runs `work`. If it names a thing that `may_be_new`, its AWS calls retry the answer that the
/// thing does not exist, as long as [`retrying_denials`] retries denials.
///
/// CloudFormation starts the creation of a resource as soon as those that it refers to have begun
/// their consistency check
/// (<https://aws.amazon.com/about-aws/whats-new/2024/03/aws-cloudformation-40-percent-faster-stack-creation/>).
pub async fn retrying_absence<F: Future>(may_be_new: bool, work: F) -> F::Output {
    MAY_BE_NEW.scope(may_be_new, work).await
}

/// For how long the call with this response is still retried. `None` if denials are not retried, or
/// if propagation does not explain the response.
pub(super) fn time_left(response: &HttpResponse) -> Option<Duration> {
    let until = RETRIES_UNTIL.try_with(|until| *until).ok().flatten()?;
    let left = until.saturating_duration_since(Instant::now());
    (left >= MIN_TIME_LEFT && may_be_propagating(response)).then_some(left)
}

/// Whether `text` is the message of an AWS service that cannot assume a role.
pub fn is_role_not_assumable(text: &str) -> bool {
    ROLE_NOT_ASSUMABLE.iter().any(|words| text.contains(words))
}

/// Whether AWS denied a call because a policy or a role may not have propagated yet, or did not
/// find a thing that may be new.
fn may_be_propagating(response: &HttpResponse) -> bool {
    let Some((code, message)) = error_of(response) else {
        return false;
    };
    let message = message.unwrap_or_default();
    let may_be_new = MAY_BE_NEW.try_with(|may_be_new| *may_be_new) == Ok(true);
    let is_absent = ABSENT.contains(&code.as_str()) || message.contains(ABSENT_KEY);
    response.status().is_client_error()
        && (is_transient(&code, &message) || (may_be_new && is_absent))
}

/// Whether an error with this code and message may pass when IAM's changes have propagated.
///
/// IAM names the kind of policy that denies. Only a missing permission of the role itself can be
/// a matter of seconds. Some services give no reason (STS, and Secrets Manager for a KMS key),
/// and then it may be that one.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
fn is_transient(code: &str, message: &str) -> bool {
    let gives_no_reason = !message.contains(" because ");
    let names_identity_policy = message.contains("no identity-based policy allows");
    // CodeCommit's denial by a repository's key is one of a policy, too. KMS applies a change of a
    // key's policy within seconds, and seldom within minutes:
    // https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency
    let is_denial = DENIED.contains(&code) || code == "EncryptionKeyAccessDeniedException";
    let is_denied = is_denial && (gives_no_reason || names_identity_policy);
    !is_denied_elsewhere(message) && (is_denied || is_role_not_assumable(message))
}

#[cfg(test)]
#[path = "propagation_tests.rs"]
mod tests;
