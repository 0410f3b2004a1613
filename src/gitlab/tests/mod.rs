//! GitLab's API against a script: what is asked, in which order, and what is made of the answers.

mod asking;
mod explaining;
mod limits;
mod opening;
mod script;
mod showing;

use super::client::ApiClient;
use super::tests::script::{Reply, Script};
use super::{GitLab, Settings, TokenSource};
use crate::password::Password;

/// The token, which nobody may see.
const TOKEN: &str = "glpat-SentinelTokenOfGitLab1";

/// A mirror's password, which nobody may see either.
const PASSWORD: &str = "SentinelPassword+OfTheMirror=";

/// A mirror's login.
const LOGIN: &str = "mirror-at-123456789012";

const CLONE_URL: &str = "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/infra";

/// Where the mirrors of the project are.
const MIRRORS: &str = "/projects/platform%2Finfra/remote_mirrors";

/// The project itself.
const PROJECT: &str = "/projects/platform%2Finfra";

/// GitLab, which goes by `script`.
fn gitlab(script: &Script) -> GitLab {
    GitLab {
        url: "https://gitlab.example.com".to_owned(),
        line: ApiClient {
            api: "https://gitlab.example.com/api/v4".to_owned(),
            token: Password::new(TOKEN),
            http: script.http(),
        },
        token_source: token_source(),
    }
}

fn token_source() -> TokenSource {
    TokenSource {
        secret_id: "gitlab/infra".to_owned(),
        secret_key: "token".to_owned(),
    }
}

/// What a mirror does when nothing else is said.
fn settings() -> Settings {
    Settings {
        only_protected_branches: true,
        branch_regex: None,
        keep_divergent_refs: false,
    }
}

fn with_regex() -> Settings {
    Settings {
        only_protected_branches: false,
        branch_regex: Some("^release".to_owned()),
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

async fn create(gitlab: &GitLab) -> Result<super::Mirror, super::Error> {
    let password = Password::new(PASSWORD);
    let project = "platform/infra";
    gitlab
        .create(project, CLONE_URL, LOGIN, &password, &settings())
        .await
}

fn ok(body: serde_json::Value) -> Reply {
    Reply::json(200, body)
}
