//! The settings of the secret that a request can change, beside its tags.

/// The alias of the key that encrypts a secret for which no key was chosen.
pub const DEFAULT_KEY: &str = "alias/aws/secretsmanager";

/// The settings: those that the properties set, or those that the secret has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretSettings {
    /// Key ID, ARN or alias. `None` for the account's default key.
    pub kms_key_id: Option<String>,
}

impl SecretSettings {
    /// Whether a secret with these settings has those that are `wanted`.
    pub fn matches(&self, wanted: &SecretSettings) -> bool {
        short(self.kms_key_id.as_deref()) == short(wanted.kms_key_id.as_deref())
    }
}

/// The part of a key's ID, ARN or alias that all notations have. An ARN ends in `:key/<id>` or
/// `:alias/<name>`.
fn short(key: Option<&str>) -> &str {
    let key = key.unwrap_or(DEFAULT_KEY);
    let key = key.rsplit(':').next().unwrap_or(key);
    key.strip_prefix("key/").unwrap_or(key)
}
