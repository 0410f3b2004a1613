//! Opens a GitLab with the token of its secret.

use std::sync::{Arc, PoisonError};

use super::error::{ErrorKind, GitLabError};
use super::token::{Access, TokenReader, is_usable};
use super::token_error::{TokenError, TokenSource};
use super::transport::{GitLab, retry_time};
use crate::clients::aws::Aws;
use crate::clients::http;
use crate::clients::http::Http;
use crate::common::password::Password;

/// Reads the token if its owner allows it for this GitLab. Returns a client that uses it.
pub async fn open(aws: &Aws, http: &Http, access: &Access) -> Result<GitLab, GitLabError> {
    let url = access.url.trim_end_matches('/').to_owned();
    let unusable = |kind| GitLabError::unsent(kind).of(&format!("reaching GitLab at {url}"));
    if !is_usable(&url) {
        return Err(unusable(ErrorKind::UnusableUrl));
    }
    let trusted = match &access.ca_certificate {
        Some(pem) => http::fingerprints(pem).and_then(|all| Ok((http.trusting(pem)?, all))),
        None => Ok((http.clone(), vec![])),
    };
    let (http, fingerprints) = trusted.map_err(|_| unusable(ErrorKind::InvalidCaCertificate))?;
    let secret = &access.token_secret_id;
    let reader = TokenReader {
        aws: Arc::clone(aws),
        access: access.clone(),
        fingerprints,
    };
    let (token, is_rotated) = reader.read().await.map_err(|error| {
        let is_passing = matches!(&error, TokenError::Failed(error) if error.is_transient());
        let retry = retry_time(is_passing);
        let error = GitLabError::unsent(error.into());
        GitLabError { retry, ..error }.of(&format!("reading GitLab's token from secret {secret}"))
    })?;
    let source = TokenSource {
        secret_id: secret.clone(),
        secret_key: access.token_secret_key.clone(),
    };
    let mut gitlab = GitLab::new(http, url, token, source);
    gitlab.rotated = is_rotated.then_some(reader);
    Ok(gitlab)
}

impl GitLab {
    /// Reads a rotated token again. `None` if it is still `used`, which GitLab has rejected.
    /// <https://docs.gitlab.com/api/personal_access_tokens/#rotate-a-personal-access-token>
    pub async fn renew_token(&self, used: &Password) -> Option<()> {
        let (token, _) = self.rotated.as_ref()?.read().await.ok()?;
        let other = (token != *used).then_some(token)?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = other;
        Some(())
    }
}
