//! GitLab's token: read when it is used, kept nowhere, and for the one GitLab that its owner names.

use aws_sdk_secretsmanager::error::ProvideErrorMetadata as _;
use serde_json::Value;

use super::Access;
use super::error::{CA_TAG, TokenFault, URL_TAG};
use super::sanitize;
use crate::aws::{Aws, CallError};
use crate::ownership;
use crate::password::Password;

/// Reads the token if the tags of its secret allow `access.url` and the certificates with these
/// `fingerprints`. Otherwise its value is not requested.
pub(super) async fn read(
    aws: &Aws,
    access: &Access,
    fingerprints: &[String],
) -> Result<Password, TokenFault> {
    let secret = &access.token_secret_id;
    let fault = |error: &CallError, is_missing: bool| {
        if is_missing {
            TokenFault::Missing
        } else if error.is_denied() {
            TokenFault::Denied {
                cause: error.cause.clone(),
                url: access.url.clone(),
            }
        } else {
            TokenFault::Failed(error.clone())
        }
    };
    let described = aws.secrets.describe_secret().secret_id(secret).send().await;
    let described = described.map_err(|error| {
        let is_missing = error.code() == Some("ResourceNotFoundException");
        fault(&CallError::new("", &error), is_missing)
    })?;
    let tag = |key: &str| {
        let mut tags = described.tags().iter();
        tags.find(|tag| tag.key() == Some(key))?.value()
    };
    // The tag of the address may be added to any secret that a person may tag. The login in a
    // mirror's secret would then be sent as a token.
    let own = [ownership::STACK_ID, ownership::LOGICAL_ID];
    if let Some(own) = own.into_iter().find(|key| tag(key).is_some()) {
        return Err(TokenFault::OwnSecret(own));
    }
    match tag(URL_TAG) {
        None => {
            return Err(TokenFault::Untagged {
                secret: secret.clone(),
                url: access.url.clone(),
            });
        }
        Some(tagged) if !is_same(tagged, &access.url) => {
            return Err(TokenFault::OtherHost {
                tagged: sanitize::shown(tagged),
                url: access.url.clone(),
            });
        }
        Some(_) => {}
    }
    let allowed = tag(CA_TAG).unwrap_or_default();
    if let Some(missing) = fingerprints.iter().find(|one| !is_listed(one, allowed)) {
        return Err(TokenFault::UntrustedCa {
            missing: missing.clone(),
            all: fingerprints.join(" "),
            secret: secret.clone(),
        });
    }
    let read = aws
        .secrets
        .get_secret_value()
        .secret_id(secret)
        .send()
        .await;
    let read = read.map_err(|error| {
        let is_missing = error.code() == Some("ResourceNotFoundException");
        fault(&CallError::new("", &error), is_missing)
    })?;
    let value = read.secret_string().ok_or(TokenFault::NoText)?;
    token_in(value, &access.token_secret_key)
}

/// Whether two addresses are one, but for slashes at the end and ways of writing a host.
pub fn is_same(tagged: &str, url: &str) -> bool {
    let parse = |url: &str| reqwest::Url::parse(url.trim().trim_end_matches('/')).ok();
    parse(tagged).is_some_and(|tagged| parse(url) == Some(tagged))
}

/// Whether `fingerprint` is one of those in `tag`, which may have colons, as OpenSSL prints them.
fn is_listed(fingerprint: &str, tag: &str) -> bool {
    let listed = tag.split_whitespace().map(|one| one.replace(':', ""));
    listed
        .into_iter()
        .any(|one| one.eq_ignore_ascii_case(fingerprint))
}

/// The token in a secret's value: the member `key` of a JSON object, and else all of it.
pub fn token_in(value: &str, key: &str) -> Result<Password, TokenFault> {
    let token = match serde_json::from_str(value) {
        Ok(Value::Object(members)) => match members.get(key) {
            Some(Value::String(token)) => token.trim().to_owned(),
            _ => return Err(TokenFault::NoMember(key.to_owned())),
        },
        _ => value.trim().to_owned(),
    };
    // It stands in a header.
    if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err(TokenFault::NoToken);
    }
    Ok(Password::new(token))
}

#[cfg(test)]
mod tests;
