//! The schedule of a rotation, and Secrets Manager's own changes of a secret.

use std::time::Duration;

use super::Secret;
use crate::state::AwsState;

/// When a secret is rotated, and by whom.
#[derive(Clone, Debug)]
pub struct RotationSchedule {
    pub function: String,
    pub days: u64,
    /// False after `CancelRotateSecret`.
    pub enabled: bool,
    pub last: Option<Duration>,
}

/// Reads or changes a secret as Secrets Manager itself.
pub fn change_as_service<R>(
    aws: &mut AwsState,
    name: &str,
    change: impl FnOnce(&mut Secret, Duration) -> R,
) -> Result<R, String> {
    let now = aws.now;
    let secret = aws.secrets.get_mut(name);
    let secret = secret.filter(|secret| secret.deletion.is_none());
    let secret = secret.ok_or("ResourceNotFoundException")?;
    let result = change(secret, now);
    let secret = secret.clone();
    let late = aws.options.secrets_late + aws.options.secret_lists_late;
    if !late.is_zero() {
        aws.secrets_seen
            .change(now, |seen| seen.insert(name.to_owned(), secret));
    }
    Ok(result)
}
