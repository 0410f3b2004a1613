//! Deployments and environments, which GitLab shows under Operate, Environments.
//!
//! Source: <https://docs.gitlab.com/api/deployments/>, <https://docs.gitlab.com/api/environments/>,
//! and GitLab's `app/services/deployments/create_service.rb`.

use std::time::SystemTime;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::commit_status::{CommitRef, StatusState};
use crate::clients::gitlab::api::error::{ErrorKind, GitLabError, Rejection, Result};
use crate::clients::gitlab::api::list::Reading;
use crate::clients::gitlab::api::members::{Identified, lenient, time, typed};
use crate::clients::gitlab::api::project_ref::ProjectRef;
use crate::clients::gitlab::api::transport::{Area, GitLab};
use cfn_custom_resource::Clock;

/// The number of an environment's latest deployments that are read at first. One of GitLab CI has
/// its job, with a commit, a user and a pipeline (`lib/api/entities/ci/job.rb`).
const READ_FIRST: usize = 20;

/// The number that is read at most.
const MAX_READ: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GitLabEnvironment {
    pub id: u64,
    pub name: String,
    #[serde(default, deserialize_with = "lenient")]
    pub external_url: Option<String>,
    /// Such as `production`. `None` if GitLab does not show it.
    #[serde(default, deserialize_with = "lenient")]
    pub tier: Option<String>,
}

#[derive(Deserialize)]
struct Deployment {
    #[serde(default, deserialize_with = "lenient")]
    sha: String,
    #[serde(default, deserialize_with = "time")]
    created_at: Option<SystemTime>,
    /// The job of GitLab CI.
    deployable: Option<IgnoredAny>,
}

impl GitLab {
    /// Whether the deployment of a commit to `environment` has a record of its end in `state`. It
    /// began when `clock` showed `since`. Records of GitLab CI do not count.
    ///
    /// GitLab does not show which pipeline a record is about. So one of the same commit and state
    /// counts, even if another pipeline has posted it, and if too many records were made since then
    /// to read all. Otherwise two pipelines would repeat their records for ever.
    ///
    /// A record from before `since` counts if it is the environment's latest success: GitLab does
    /// not record the same deployment twice in a row.
    pub async fn has_deployment(
        &self,
        commit: &CommitRef<'_>,
        environment: &str,
        state: StatusState,
        since: Option<SystemTime>,
        clock: &Clock,
    ) -> Result<bool> {
        let project = commit.project;
        let purpose =
            format!("listing the deployments to environment {environment} in project {project}");
        let call = self.get(Area::Report(project), "/deployments", &purpose);
        let call = call.query("environment", environment).query("status", state.text());
        let call = call.query("order_by", "id").query("sort", "desc");
        for limit in [READ_FIRST, MAX_READ] {
            let latest = Reading::first(READ_FIRST, limit);
            let read = call.clone().read(latest, typed::<Deployment>).await?;
            // GitLab's clock may differ from AWS's, which dates the execution.
            let now = clock.now();
            let age = |since| now.duration_since(since).unwrap_or_default();
            let since = since.and_then(|since| self.now(now).checked_sub(age(since)));
            let is_since = |one: &Deployment| {
                let (created, since) = (one.created_at, since);
                created.is_none_or(|created| since.is_none_or(|since| created >= since))
            };
            let is_latest_success = |at| at == 0 && state == StatusState::Success;
            let is_recorded = read.elements.iter().enumerate().any(|(at, one)| {
                let is_of_commit = one.sha == commit.sha && one.deployable.is_none();
                is_of_commit && (is_since(one) || is_latest_success(at))
            });
            if is_recorded || read.is_complete || !read.elements.iter().all(is_since) {
                return Ok(is_recorded);
            }
        }
        tracing::warn!(
            environment,
            %project,
            "too many deployments since the execution began: none is recorded"
        );
        Ok(true)
    }

    /// Creates a deployment. If the branch does not exist any more, the commit stands for it.
    pub async fn create_deployment(
        &self,
        commit: &CommitRef<'_>,
        environment: &str,
        state: StatusState,
    ) -> Result<()> {
        let project = commit.project;
        let purpose =
            format!("creating a deployment to environment {environment} in project {project}");
        let create = async |of: &str| {
            let area = Area::Report(project);
            let body = json!({
                "environment": environment,
                "sha": commit.sha,
                "ref": of,
                "tag": false,
                "status": state,
            });
            let call = self.call("POST", area, "/deployments", &purpose);
            call.body(body).send::<Identified>().await.map(drop)
        };
        match create(&commit.branch).await {
            Err(error) if is_invalid(&error) => create(&commit.sha).await,
            created => created,
        }
    }

    /// The environment `name`. `None` if it does not exist.
    pub async fn environment(
        &self,
        project: ProjectRef<'_>,
        name: &str,
    ) -> Result<Option<GitLabEnvironment>> {
        let purpose = format!("looking up environment {name} in project {project}");
        let call = self.get(Area::Report(project), "/environments", &purpose);
        let listed = call.query("name", name).list(Reading::ALL, typed).await?;
        Ok(listed.into_iter().next())
    }

    /// Sets the address and the tier of an environment. `None` leaves them as they are.
    pub async fn change_environment(
        &self,
        project: ProjectRef<'_>,
        id: u64,
        external_url: Option<&str>,
        tier: Option<&str>,
    ) -> Result<()> {
        let mut body = json!({});
        for (member, value) in [("external_url", external_url), ("tier", tier)] {
            if let Some(value) = value {
                body[member] = value.into();
            }
        }
        let part = format!("/environments/{id}");
        let purpose = format!("changing environment {id} in project {project}");
        let call = self.call("PUT", Area::Report(project), &part, &purpose);
        call.body(body).send::<Identified>().await.map(drop)
    }
}

/// The tier that GitLab gives a new environment: that of the first of these words in its name.
/// `None` for the tier `other` (`guess_tier` in `app/models/environment.rb`).
pub fn guessed_tier(name: &str) -> Option<&'static str> {
    const WORDS: [(&str, &[&str]); 4] = [
        ("development", &["dev", "review", "trunk"]),
        (
            "testing",
            &[
                "test", "tst", "int", "accept", "acpt", "qa", "qc", "control", "quality",
            ],
        ),
        (
            "staging",
            &["stag", "stg", "model", "modl", "pre", "demo", "non"],
        ),
        ("production", &["prod", "prd", "live"]),
    ];
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    WORDS.iter().find(|(_, words)| has(words)).map(|(tier, _)| *tier)
}

/// Whether GitLab rejected a value of the request: a branch that does not exist, for example.
fn is_invalid(error: &GitLabError) -> bool {
    matches!(
        error.kind,
        ErrorKind::Rejected {
            status: 400,
            cause: Rejection::ReportRejected,
            ..
        }
    )
}
