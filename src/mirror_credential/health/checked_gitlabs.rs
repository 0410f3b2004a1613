//! The state that the checks of mirrors and tokens share: the pace of their requests, the GitLab
//! instances that do not respond, and the tokens that were read.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::clients::gitlab;
use crate::clients::gitlab::{
    Access, GitLabError, TokenDetails, TokenLocation, UnreachableGitLabs,
};
use crate::common::pace::Pace;
use crate::mirror_credential::calls::gitlab::GitLabClients;
use crate::mirror_credential::resource::MirrorCredential;
use cfn_custom_resource::Reason;

/// How many mirrors a second are read, with four requests each if they are healthy. GitLab's
/// smallest documented limit is 1,200 requests a minute for a user:
/// <https://docs.gitlab.com/administration/dedicated/user_rate_limits/>. On gitlab.com it is 2,000:
/// <https://docs.gitlab.com/user/gitlab_com/rate_limits/>.
pub const MIRRORS_PER_SECOND: u32 = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHealth {
    /// The name or ARN of its secret.
    pub secret_id: String,
    /// GitLab's details, or why they are unknown.
    pub details: Result<TokenDetails, Reason>,
}

/// The findings of one health check about each GitLab.
#[derive(Debug)]
pub struct CheckedGitLabs {
    pub pace: Pace,
    pub unreachable: UnreachableGitLabs,
    /// The tokens whose expiry was read.
    tokens: Mutex<BTreeSet<TokenLocation>>,
}

impl CheckedGitLabs {
    /// For so many mirrors or projects a second.
    pub fn at_pace(per_second: u32) -> Self {
        CheckedGitLabs {
            pace: Pace::per_second(per_second),
            unreachable: UnreachableGitLabs::default(),
            tokens: Mutex::default(),
        }
    }

    /// Notes that the token of `access` is read. `false` if it was read before, or if its GitLab is
    /// known to be unreachable.
    fn begin_read(&self, access: &Access) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        self.unreachable.error_of(&access.url).is_none() && tokens.insert(access.token())
    }

    fn token_health(
        &self,
        access: &Access,
        details: Result<TokenDetails, GitLabError>,
    ) -> TokenHealth {
        TokenHealth {
            secret_id: access.token_secret_id.clone(),
            details: details.map_err(|error| {
                self.unreachable.note(&access.url, None, &error);
                error.reason()
            }),
        }
    }
}

impl MirrorCredential {
    /// The token of `access`, which may be a pipeline's. `None` if it was read before, or if its
    /// GitLab is known to be unreachable.
    pub async fn token_health(
        &self,
        access: &Access,
        checked: &CheckedGitLabs,
    ) -> Option<TokenHealth> {
        if !checked.begin_read(access) {
            return None;
        }
        checked.pace.wait().await;
        let details = async {
            let gitlab = gitlab::open(&self.clients.aws, &self.clients.http, access).await?;
            gitlab.token_details().await
        };
        Some(checked.token_health(access, details.await))
    }
}

/// Reads the details of the token of `access`. `None` if it was read before, or if its GitLab
/// or its secret cannot be read, which is the fault of every mirror there.
pub async fn check_token(
    gitlabs: &mut GitLabClients<'_>,
    access: &Access,
    checked: &CheckedGitLabs,
) -> Option<TokenHealth> {
    if !checked.begin_read(access) {
        return None;
    }
    let gitlab = gitlabs.at(&access.url).await.ok()?;
    Some(checked.token_health(access, gitlab.token_details().await))
}
