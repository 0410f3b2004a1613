//! The schedule of a rotation, and Secrets Manager's own changes of a secret.

use std::time::Duration;

use crate::{
    services::secrets::secret::{Secret, Secrets},
    world::{History, World},
};

/// Reads or changes a secret as Secrets Manager itself.
pub fn change_as_service<R>(
    secrets: &mut Secrets,
    seen: &mut History<Secrets>,
    world: &World,
    name: &str,
    change: impl FnOnce(&mut Secret, Duration) -> R,
) -> Result<R, String> {
    let now = world.now;
    let secret = secrets.get_mut(name);
    let secret = secret.filter(|secret| secret.deletion.is_none());
    let secret = secret.ok_or("ResourceNotFoundException")?;
    let result = change(secret, now);
    let secret = secret.clone();
    let late = world.options.secrets_late + world.options.secret_lists_late;
    if !late.is_zero() {
        seen.change(now, |seen| seen.insert(name.to_owned(), secret));
    }
    Ok(result)
}
