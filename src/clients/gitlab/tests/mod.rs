//! The client against scripted responses.

mod conclusions;
mod containment;
mod errors;
mod limits;
mod lists;
mod messages;
mod own_token;
mod parsing;
mod pushes;
mod requests;
mod retries;
mod script;
mod token_access;

use super::tests::script::{Reply, Script};
use super::{GitLab, GitLabError, Mirror, ProjectRef, Settings};
use crate::clients::gitlab::api::token_error::TokenSource;
use crate::common::password::Password;

/// The token. No message may show it.
const TOKEN: &str = "glpat-SentinelTokenOfGitLab1";

/// A mirror's password. No message may show it.
const PASSWORD: &str = "SentinelPassword+OfTheMirror=";

/// A mirror's login. IAM also accepts `@` in a user's name.
const LOGIN: &str = "a@example.com-at-123456789012";

const CLONE_URL: &str = "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/infra";

const INFRA: ProjectRef<'static> = ProjectRef::numbered(None, "platform/infra");

/// The path of the project's mirrors.
const MIRRORS: &str = "/projects/platform%2Finfra/remote_mirrors";

/// The project's path.
const PROJECT: &str = "/projects/platform%2Finfra";

/// A client that `script` responds to.
fn gitlab(script: &Script) -> GitLab {
    let url = "https://gitlab.example.com".to_owned();
    GitLab::new(script.http(), url, Password::new(TOKEN), token_source())
}

fn token_source() -> TokenSource {
    TokenSource {
        secret_id: "gitlab/infra".to_owned(),
        secret_key: "token".to_owned(),
    }
}

/// The default settings of a mirror.
fn settings() -> Settings {
    Settings {
        only_protected_branches: true,
        has_branch_regex: false,
        keep_divergent_refs: false,
    }
}

/// A mirror as GitLab describes it.
fn described(id: u64) -> serde_json::Value {
    serde_json::json!({
        "id": id,
        "enabled": false,
        "url": "https://*****:*****@git-codecommit.eu-central-1.amazonaws.com/v1/repos/infra",
        "update_status": "none",
        "last_update_at": null,
        "last_update_started_at": null,
        "last_successful_update_at": null,
        "last_error": null,
        "only_protected_branches": true,
        "keep_divergent_refs": false,
        "auth_method": "password",
        "host_keys": [],
    })
}

async fn create(gitlab: &GitLab) -> Result<Mirror, GitLabError> {
    let (password, settings) = (Password::new(PASSWORD), settings());
    let created = gitlab.create(INFRA, CLONE_URL, LOGIN, &password, &settings, &[]);
    created.await
}

fn ok(body: serde_json::Value) -> Reply {
    Reply::json(200, body)
}
