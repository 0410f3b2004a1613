//! The token's user, scopes and expiry, and other users.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::error::Result;
use super::members::{Identified, lenient, texts, typed};
use super::transport::{Area, GitLab};

/// A token needs one of these scopes. GitLab shows `granular` of a fine-grained token, and no
/// permissions. A call names those that are missing:
/// `app/services/authn/personal_access_tokens/create_granular_service.rb`.
pub const SUFFICIENT_SCOPES: [&str; 2] = ["api", "granular"];

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TokenDetails {
    /// For example `api`. Empty if GitLab does not show them.
    #[serde(default, deserialize_with = "texts")]
    pub scopes: Vec<String>,
    /// `None` if the token does not expire, or Secrets Manager renews it before.
    #[serde(default, deserialize_with = "date")]
    pub expires_at: Option<SystemTime>,
}

#[derive(Deserialize)]
struct TokenUser {
    user_id: u64,
}

impl GitLab {
    pub async fn own_user_id(&self) -> Result<u64> {
        let token: TokenUser = self.own_token("looking up the token's user").await?;
        Ok(token.user_id)
    }

    /// Whether a user is a person other than the token's user. The username does not prove it,
    /// because a person can choose that of a bot: `bot` in `lib/api/entities/user.rb`,
    /// <https://docs.gitlab.com/api/users/>.
    pub async fn is_other_person(&self, user: u64) -> Result<bool> {
        let purpose = format!("looking up user {user}");
        let call = self.get(Area::Instance, &format!("/users/{user}"), &purpose);
        let shown: Value = call.send().await?;
        Ok(shown["id"] == user && shown["bot"] == false && self.own_user_id().await? != user)
    }

    /// The scopes and the expiry of the token.
    pub async fn token_details(&self) -> Result<TokenDetails> {
        let doing = "reading the scopes and the expiry of the token";
        let mut details: TokenDetails = self.own_token(doing).await?;
        details.expires_at = details.expires_at.filter(|_| self.rotated.is_none());
        Ok(details)
    }

    /// GitLab's description of the token.
    ///
    /// This also works for project and group access tokens, which are personal access tokens of
    /// bot users. <https://docs.gitlab.com/api/personal_access_tokens/#self-inform>
    async fn own_token<T: DeserializeOwned>(&self, purpose: &str) -> Result<T> {
        let call = self.get(Area::Instance, "/personal_access_tokens/self", purpose);
        call.decode(&call.success().await?, |shown| {
            typed::<Identified>(shown).and_then(|_| typed(shown))
        })
    }
}

/// Parses a date. The token is invalid from midnight UTC of it.
/// <https://docs.gitlab.com/user/profile/personal_access_tokens/#access-token-expiration>
fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SystemTime>, D::Error> {
    let date: String = lenient(deserializer)?;
    let midnight = format!("{}T00:00:00Z", date.trim());
    let time = DateTime::from_str(&midnight, Format::DateTime).ok();
    Ok(time.and_then(|time| SystemTime::try_from(time).ok()))
}
