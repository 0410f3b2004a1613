//! What GitLab shows of the token: its user, its scopes, and when it expires.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::Value;

use super::client::unexpected;
use super::error::GitLabError;
use super::transport::{ApiRequest, GitLab};

/// What GitLab shows of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenDetails {
    /// Its scopes, for example `api`. Empty if GitLab does not show them.
    pub scopes: Vec<String>,
    /// When it expires. `None` if GitLab shows no `expires_at`: the token does not expire.
    pub expires_at: Option<SystemTime>,
}

impl GitLab {
    /// The ID of the token's user.
    pub async fn own_user_id(&self) -> Result<u64, GitLabError> {
        let doing = format!("looking up the token's user at {}", self.url);
        let token = self.own_token(&doing).await?;
        let id = token["user_id"].as_u64();
        id.ok_or_else(|| unexpected(&doing))
    }

    /// The scopes and the expiry of the token.
    pub async fn token_details(&self) -> Result<TokenDetails, GitLabError> {
        let doing = format!(
            "reading the scopes and the expiry of the token at {}",
            self.url
        );
        let token = self.own_token(&doing).await?;
        let scopes = token["scopes"].as_array().into_iter().flatten();
        let scopes = scopes.filter_map(|scope| scope.as_str().map(ToOwned::to_owned));
        Ok(TokenDetails {
            scopes: scopes.collect(),
            expires_at: token["expires_at"].as_str().and_then(parse_date),
        })
    }

    /// GitLab's description of the token.
    ///
    /// This also answers for project and group access tokens, which are personal access tokens of
    /// bot users. <https://docs.gitlab.com/api/personal_access_tokens/#self-inform>
    async fn own_token(&self, doing: &str) -> Result<Value, GitLabError> {
        let request = ApiRequest::get("/personal_access_tokens/self".to_owned());
        self.json("", &request, doing).await
    }
}

/// Parses a date. The token is invalid from midnight UTC of it.
/// <https://docs.gitlab.com/user/profile/personal_access_tokens/#access-token-expiration>
fn parse_date(date: &str) -> Option<SystemTime> {
    let midnight = format!("{}T00:00:00Z", date.trim());
    let time = DateTime::from_str(&midnight, Format::DateTime).ok()?;
    SystemTime::try_from(time).ok()
}
