//! Deployments and environments: what GitLab shows under Operate, Environments.
//!
//! Source: <https://docs.gitlab.com/api/deployments/>, <https://docs.gitlab.com/api/environments/>,
//! and GitLab's `app/services/deployments/create_service.rb`.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::client::parse_time;
use super::commit_status::{CommitRef, StatusState};
use super::error::{GitLabError, Rejection};
use super::list::Reading;
use super::transport::{ApiRequest, GitLab, path, query_value};

/// The number of an environment's latest deployments that are searched for a commit. One of GitLab
/// CI has its job, with a commit, a user and a pipeline (`lib/api/entities/ci/job.rb`).
const SEARCHED: usize = 20;

/// An environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitLabEnvironment {
    /// GitLab's number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its address, if it has one.
    pub external_url: Option<String>,
    /// Its tier, such as `production`. `None` if GitLab does not show it.
    pub tier: Option<String>,
}

impl GitLab {
    /// The state of the latest deployment of a commit to `environment` since the time `since`,
    /// among the environment's latest 20 without those of GitLab CI. `None` if there is none.
    ///
    /// An earlier one counts if it is the environment's latest success: GitLab does not record the
    /// same deployment twice in a row.
    pub async fn deployment(
        &self,
        commit: &CommitRef,
        environment: &str,
        since: Option<SystemTime>,
    ) -> Result<Option<StatusState>, GitLabError> {
        let project = &commit.project;
        let doing = self.doing_deployment("listing the deployments to", project, environment);
        let of = format!(
            "/deployments?environment={}&order_by=id&sort=desc",
            query_value(environment),
        );
        let is_since = |one: &Value| {
            let created = one["created_at"].as_str().and_then(parse_time);
            created.is_none_or(|created| since.is_none_or(|since| created >= since))
        };
        let parse = |one: &Value| {
            let is_of_commit = one["sha"] == commit.sha.as_str() && one["deployable"].is_null();
            let status = one["status"].as_str().unwrap_or_default().to_owned();
            Some((is_of_commit, is_since(one), status))
        };
        let latest = Reading::first(SEARCHED, SEARCHED);
        let listed = self.read_list(project, &of, &doing, latest, parse).await?;
        let mut has_success = false;
        let latest = listed
            .elements
            .into_iter()
            .find(|(is_of_commit, is_since, status)| {
                let is_latest_success = status == "success" && !has_success;
                has_success |= is_latest_success;
                *is_of_commit && (*is_since || is_latest_success)
            });
        Ok(latest.and_then(|(_, _, status)| StatusState::parse(&status)))
    }

    /// Creates a deployment. If the branch does not exist any more, the commit stands for it.
    pub async fn create_deployment(
        &self,
        commit: &CommitRef,
        environment: &str,
        state: StatusState,
    ) -> Result<(), GitLabError> {
        let (project, sha) = (&commit.project, &commit.sha);
        let doing = self.doing_deployment("creating a deployment to", project, environment);
        let request = |of: &str| {
            let body = json!({
                "environment": environment,
                "sha": sha,
                "ref": of,
                "tag": false,
                "status": state.name(),
            });
            let mut request = ApiRequest::new("POST", path(project, "/deployments"), Some(body));
            // A second one would be a second deployment.
            request.is_idempotent = false;
            request
        };
        match self.json(project, &request(&commit.branch), &doing).await {
            Err(error) if is_invalid(&error) => {
                self.json(project, &request(sha), &doing).await?;
            }
            created => {
                created?;
            }
        }
        Ok(())
    }

    /// The environment `name`. `None` if it does not exist.
    pub async fn environment(
        &self,
        project: &str,
        name: &str,
    ) -> Result<Option<GitLabEnvironment>, GitLabError> {
        let doing = self.doing_deployment("looking up", project, name);
        let of = format!("/environments?name={}", query_value(name));
        let parse = |one: &Value| {
            Some(GitLabEnvironment {
                id: one["id"].as_u64()?,
                name: name.to_owned(),
                external_url: one["external_url"].as_str().map(ToOwned::to_owned),
                tier: one["tier"].as_str().map(ToOwned::to_owned),
            })
        };
        let listed = self.list(project, &of, &doing, parse).await?;
        Ok(listed.into_iter().next())
    }

    /// Sets the address and the tier of an environment. `None` leaves them as they are.
    pub async fn change_environment(
        &self,
        project: &str,
        id: u64,
        external_url: Option<&str>,
        tier: Option<&str>,
    ) -> Result<(), GitLabError> {
        let url = &self.url;
        let doing = format!("changing environment {id} in project {project} at {url}");
        let mut body = json!({});
        for (member, value) in [("external_url", external_url), ("tier", tier)] {
            if let Some(value) = value {
                body[member] = value.into();
            }
        }
        let request = ApiRequest::put(path(project, &format!("/environments/{id}")), body);
        self.json(project, &request, &doing).await?;
        Ok(())
    }

    fn doing_deployment(&self, gerund: &str, project: &str, environment: &str) -> String {
        let url = &self.url;
        format!("{gerund} environment {environment} in project {project} at {url}")
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
    WORDS
        .iter()
        .find(|(_, words)| has(words))
        .map(|(tier, _)| *tier)
}

/// Whether GitLab rejected a value of the request: a branch that does not exist, for example.
fn is_invalid(error: &GitLabError) -> bool {
    error.kind.rejected_status() == Some(400) && error.kind.is_rejection(Rejection::ReportRejected)
}
