//! What only a diagnosis checks: the scope of a token, and its expiry as a problem.

use std::time::{Duration, SystemTime};

use crate::mirror_credential::health::TokenHealth;
use crate::ownership::write_time;

/// A token that expires sooner is a problem. The alarm has the same limit (`template.yaml`).
const TOKEN_TIME_LEFT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// What is wrong with a token at the time `now`, with the remedy. `None` if nothing is.
pub fn token_problem(token: &TokenHealth, now: SystemTime) -> Option<String> {
    const REMEDY: &str = "Create a token with the scope api, and store it in the secret";
    let details = match &token.details {
        Ok(details) => details,
        Err(why) => return Some(why.clone()),
    };
    let scopes = &details.scopes;
    if !scopes.is_empty() && !scopes.iter().any(|scope| scope == "api") {
        let scopes = scopes.join(", ");
        return Some(format!("its scope is {scopes}. {REMEDY}"));
    }
    let expires_at = details.expires_at?;
    let is_soon = expires_at.duration_since(now).unwrap_or_default() < TOKEN_TIME_LEFT;
    is_soon.then(|| format!("it expires at {}. {REMEDY}", write_time(expires_at)))
}
