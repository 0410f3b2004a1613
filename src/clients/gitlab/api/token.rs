//! Reads the token from its secret, for the GitLab that the secret's owner allows, and stores it
//! nowhere.

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sanitize;
use super::token_error::{CA_TAG, ENV_TAG, TokenError, URL_TAG};
use crate::clients::aws::{Aws, CallError, optional, own_env_id};
use crate::clients::http;
use crate::common::ownership;
use crate::common::password::Password;

/// How to reach a GitLab: the property `GitLab`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Access {
    /// Its address, without a slash at the end.
    pub url: String,
    /// The name or ARN of the secret that holds the token.
    pub token_secret_id: String,
    /// The member of that secret's JSON that is the token.
    pub token_secret_key: String,
    /// PEM certificates that are trusted in addition to the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<String>,
}

/// Where a token is stored, and for which GitLab.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenLocation {
    url: String,
    secret_id: String,
    secret_key: String,
}

impl Access {
    pub fn token(&self) -> TokenLocation {
        TokenLocation {
            url: self.url.clone(),
            secret_id: self.token_secret_id.clone(),
            secret_key: self.token_secret_key.clone(),
        }
    }
}

/// Where a token is read, and the fingerprints of the certificates that its client trusts.
#[derive(Debug)]
pub struct TokenReader {
    pub aws: Aws,
    pub access: Access,
    pub fingerprints: Vec<String>,
}

impl TokenReader {
    /// The token, and whether Secrets Manager rotates it, if the tags of its secret allow the
    /// GitLab and the certificates. Otherwise the value of the secret is not requested.
    pub async fn read(&self) -> Result<(Password, bool), TokenError> {
        let (aws, access) = (&self.aws, &self.access);
        let secret = &access.token_secret_id;
        let absent = ["ResourceNotFoundException"];
        let failed = |error: CallError| {
            if error.is_denied() {
                TokenError::Denied {
                    cause: error.cause,
                    url: access.url.clone(),
                }
            } else {
                TokenError::Failed(Box::new(error))
            }
        };
        check_region(secret, aws.s3.region())?;
        let call = aws.secrets.describe_secret().secret_id(secret);
        let described = optional(call.send().await, &absent, String::new).map_err(failed)?;
        let described = described.ok_or_else(|| missing(secret))?;
        if described.deleted_date().is_some() {
            let secret = secret.clone();
            return Err(TokenError::Deleted { secret });
        }
        check_tags(&described, access, &self.fingerprints)?;
        check_environment(&described, own_env_id().as_deref())?;
        let call = aws.secrets.get_secret_value().secret_id(secret);
        let read = optional(call.send().await, &absent, String::new).map_err(failed)?;
        let read = read.ok_or(TokenError::Missing)?;
        let value = read.secret_string().ok_or(TokenError::NoText)?;
        let is_rotated = described.rotation_enabled().unwrap_or_default();
        Ok((token_in(value, &access.token_secret_key)?, is_rotated))
    }
}

/// Checks that `secret` is not an ARN of another region than `own`.
fn check_region(secret: &str, own: Option<&str>) -> Result<(), TokenError> {
    let region = secret.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2));
    match region.zip(own) {
        Some((region, own)) if region != own => Err(TokenError::OtherRegion {
            region: sanitize::shown(region),
            own: own.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// The error for a secret of this name or ARN that does not exist.
fn missing(secret: &str) -> TokenError {
    let suffix = secret.rsplit_once('-').map_or("", |(_, suffix)| suffix);
    let is_whole = suffix.len() == 6 && suffix.chars().all(|c| c.is_ascii_alphanumeric());
    if secret.starts_with("arn:") && !is_whole {
        TokenError::PartialArn
    } else {
        TokenError::Missing
    }
}

fn tag<'a>(described: &'a DescribeSecretOutput, key: &str) -> Option<&'a str> {
    described.tags().iter().find(|tag| tag.key() == Some(key))?.value()
}

/// Checks that the owner of the secret allows its token for the environment `own`. In AWS, the
/// function's policy denies the other environments' tokens already.
fn check_environment(
    described: &DescribeSecretOutput,
    own: Option<&str>,
) -> Result<(), TokenError> {
    match tag(described, ENV_TAG) {
        Some(tagged) if Some(tagged) != own => Err(TokenError::OtherEnvironment {
            tagged: sanitize::shown(tagged),
            own: own.unwrap_or("no environment").to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Checks that the owner of the secret allows its token for `access` by tags.
fn check_tags(
    described: &DescribeSecretOutput,
    access: &Access,
    fingerprints: &[String],
) -> Result<(), TokenError> {
    let secret = &access.token_secret_id;
    let tag = |key: &str| tag(described, key);
    // Anyone who may tag secrets could add the tag of the address to a mirror's secret, whose login
    // would then be sent as a token.
    let own = [ownership::STACK_ID, ownership::LOGICAL_ID];
    if let Some(own) = own.into_iter().find(|key| tag(key).is_some()) {
        return Err(TokenError::OwnSecret(own));
    }
    match tag(URL_TAG) {
        None => {
            return Err(TokenError::Untagged {
                secret: secret.clone(),
                url: access.url.clone(),
            });
        }
        Some(tagged) if !is_same_url(tagged, &access.url) => {
            return Err(TokenError::OtherGitLab {
                tagged: sanitize::shown(tagged),
                url: access.url.clone(),
            });
        }
        Some(_) => {}
    }
    let allowed = tag(CA_TAG).unwrap_or_default();
    let missing = fingerprints.iter().filter(|one| !is_listed(one, allowed));
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    match missing.first() {
        Some(first) => Err(TokenError::UntrustedCa {
            missing: (*first).to_owned(),
            // Another environment may use the certificates that the tag has.
            all: [&[allowed], &*missing].concat().join(" ").trim_start().to_owned(),
            secret: secret.clone(),
        }),
        None => Ok(()),
    }
}

/// Whether the token may be sent to `url`, and the paths of the API can be appended to it.
pub fn is_usable(url: &str) -> bool {
    let Ok(parsed) = reqwest::Url::parse(url) else {
        return false;
    };
    let has_login = !parsed.username().is_empty() || parsed.password().is_some();
    let is_bare = parsed.query().is_none() && parsed.fragment().is_none();
    http::is_https_or_loopback(url) && !has_login && is_bare && !url.contains(char::is_whitespace)
}

/// Whether two addresses are equal, except for slashes at the end and the spelling of the host.
pub fn is_same_url(tagged: &str, url: &str) -> bool {
    let parse = |url: &str| reqwest::Url::parse(url.trim().trim_end_matches('/')).ok();
    parse(tagged).is_some_and(|tagged| parse(url) == Some(tagged))
}

/// Whether `tag` lists `fingerprint`, also with colons, as OpenSSL prints it.
fn is_listed(fingerprint: &str, tag: &str) -> bool {
    let mut listed = tag.split_whitespace().map(|one| one.replace(':', ""));
    listed.any(|one| one.eq_ignore_ascii_case(fingerprint))
}

/// The token in a secret's value: the member `key` if it is a JSON object, otherwise all of it.
pub fn token_in(value: &str, key: &str) -> Result<Password, TokenError> {
    let begins = value.trim_start_matches('\u{feff}').trim_start();
    let token = match cfn_custom_resource::parse_json(value) {
        Err(why) if begins.starts_with('{') => return Err(TokenError::NotJson(why)),
        Ok(Value::Object(members)) => match members.get(key) {
            Some(Value::String(token)) => token.trim().to_owned(),
            _ => return Err(TokenError::NoMember(key.to_owned())),
        },
        _ => value.trim().to_owned(),
    };
    if let Some((_, kind)) = OTHER_KINDS.iter().find(|(prefix, _)| token.starts_with(prefix)) {
        return Err(TokenError::OtherKind(kind));
    }
    match fault_of(&token) {
        Some(fault) => Err(TokenError::NotAToken(fault)),
        None => Ok(Password::new(token)),
    }
}

/// The prefixes of tokens that the API does not accept for projects and mirrors:
/// <https://docs.gitlab.com/security/tokens/#token-prefixes>.
const OTHER_KINDS: [(&str, &str); 5] = [
    ("gldt-", "a deploy token"),
    ("glrt-", "a runner's authentication token"),
    ("glcbt-", "the token of a CI/CD job"),
    ("glft-", "a feed token"),
    ("gloas-", "the secret of an OAuth application"),
];

/// The characters of a token beside ASCII's letters and digits: `-`, `_` and `.`, and some more in
/// the instance's prefix (`personal_access_token_prefix` in `app/models/application_setting.rb`).
pub const TOKEN_CHARACTERS: &str = "_-.+=/@:";

/// Why a text is not a token: how one is stored by mistake. GitLab would call it expired.
fn fault_of(token: &str) -> Option<&'static str> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || TOKEN_CHARACTERS.contains(c);
    let (name, _) = token.split_once(['=', ':', ' ']).unwrap_or_default();
    let name = name.to_ascii_lowercase();
    let mut letters = name.chars();
    let is_variable = token.contains('=') && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_header =
        name.ends_with("token") || ["bearer", "authorization", "oauth2"].contains(&&*name);
    if token.is_empty() {
        Some("it is empty")
    } else if token.starts_with('\u{FEFF}') {
        Some("it begins with a byte order mark")
    } else if token.contains(['"', '\'', '`', '[', '{']) {
        Some("it has quotes or brackets")
    } else if token.contains("://") {
        Some("it is an address")
    } else if !name.is_empty() && (is_variable || is_header) {
        Some("it has a name before the token, such as GITLAB_TOKEN=")
    } else if matches!(token, "null" | "true" | "false") || !token.chars().all(is_known) {
        Some("it has characters that no token has, such as a space")
    } else {
        None
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
