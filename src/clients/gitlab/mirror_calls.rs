//! The calls that list, create, update, sync and delete push mirrors.

use serde_json::json;

use super::client::error;
use super::error::{ErrorKind, Feature, GitLabError, Rejection};
use super::mirror::{Mirror, Settings, spellings, with_login};
use super::transport::{ApiRequest, ApiResponse, GitLab, path};
use crate::common::password::Password;

impl GitLab {
    /// All push mirrors of a project.
    pub async fn mirrors(&self, project: &str) -> Result<Vec<Mirror>, GitLabError> {
        let url = &self.url;
        let doing = format!("listing the push mirrors of project {project} at {url}");
        let list = self.list(project, "/remote_mirrors", &doing).await?;
        let mirrors: Option<Vec<Mirror>> = list.iter().map(Mirror::parse).collect();
        mirrors.ok_or_else(|| error(&doing, ErrorKind::UnexpectedResponse { status: 200 }))
    }

    /// One mirror. `None` if it does not exist.
    pub async fn mirror(&self, project: &str, id: u64) -> Result<Option<Mirror>, GitLabError> {
        let doing = self.doing("looking up", project, id);
        let request = ApiRequest::get(mirror_path(project, id));
        self.mirror_in_response(project, &request, &doing).await
    }

    /// Creates a mirror to `clone_url`, disabled: it does not push until [`GitLab::update`].
    ///
    /// The request is not retried if its response was lost, because a second one could create a
    /// second mirror.
    pub async fn create(
        &self,
        project: &str,
        clone_url: &str,
        login: &str,
        password: &Password,
        settings: &Settings,
    ) -> Result<Mirror, GitLabError> {
        let url = &self.url;
        let doing = format!("creating the push mirror of project {project} at {url}");
        let mut duplicate = None;
        for spelling in spellings(clone_url) {
            let url = with_login(&spelling, login, password);
            let url = url.ok_or_else(|| error(&doing, ErrorKind::UnsafeLogin))?;
            let created = self.create_at(project, &url, password, settings, &doing);
            match created.await {
                Err(error) if error.kind.is_rejection(Rejection::DuplicateAddress) => {
                    duplicate = Some(error);
                }
                created => return self.verify_created(project, settings, created?).await,
            }
        }
        Err(duplicate.unwrap_or_else(|| error(&doing, ErrorKind::UnsafeLogin)))
    }

    async fn create_at(
        &self,
        project: &str,
        url: &str,
        password: &Password,
        settings: &Settings,
        doing: &str,
    ) -> Result<Mirror, GitLabError> {
        let mut body = settings.to_json();
        body["url"] = json!(url);
        body["enabled"] = json!(false);
        let mut request = ApiRequest::new("POST", path(project, "/remote_mirrors"), Some(body));
        request.is_idempotent = false;
        request.secret = Some(password);
        parse(self.succeed(project, &request, doing).await?, doing)
    }

    /// Deletes a new mirror whose settings GitLab ignored: when enabled, it would push every branch.
    async fn verify_created(
        &self,
        project: &str,
        settings: &Settings,
        mirror: Mirror,
    ) -> Result<Mirror, GitLabError> {
        if self.ignored_branch_regex(settings, &mirror).await {
            let doing = self.doing("creating", project, mirror.id);
            self.delete(project, mirror.id).await?;
            let kind = ErrorKind::Unsupported(Feature::BranchRegex);
            return Err(error(&doing, kind));
        }
        Ok(mirror)
    }

    /// Sets a mirror's settings, and whether it pushes. `None` if it does not exist.
    ///
    /// A mirror that was enabled can come back disabled: see [`Mirror::enabled`].
    pub async fn update(
        &self,
        project: &str,
        id: u64,
        settings: &Settings,
        enabled: bool,
    ) -> Result<Option<Mirror>, GitLabError> {
        let gerund = if enabled { "enabling" } else { "updating" };
        let doing = self.doing(gerund, project, id);
        let path = mirror_path(project, id);
        let mut body = settings.to_json();
        body["enabled"] = json!(enabled);
        let request = ApiRequest::put(path.clone(), body);
        let updated = self.mirror_in_response(project, &request, &doing).await?;
        let Some(mirror) = updated else {
            return Ok(None);
        };
        // A request can set only one of the two choices of branches. Switching one on switches the
        // other off, but switching off the one that was on needs a request of its own.
        if let Some(body) = mirror.settings.pending_switch_off(settings) {
            let request = ApiRequest::put(path, body);
            return self.mirror_in_response(project, &request, &doing).await;
        }
        if self.ignored_branch_regex(settings, &mirror).await {
            let kind = ErrorKind::Unsupported(Feature::BranchRegex);
            return Err(error(&doing, kind));
        }
        Ok(Some(mirror))
    }

    /// Requests a push. `false` if the mirror does not exist.
    pub async fn sync(&self, project: &str, id: u64) -> Result<bool, GitLabError> {
        let doing = self.doing("starting a push of", project, id);
        let path = mirror_path(project, id) + "/sync";
        let request = ApiRequest::new("POST", path, None);
        let response = self.send(&request, &doing).await?;
        match self.check_mirror(project, response).await {
            Ok(Some(_)) => Ok(true),
            // A GitLab before 16.11 does not have the call, and responds as if the mirror did not
            // exist.
            Ok(None) => match self.mirror(project, id).await? {
                Some(_) => Err(error(&doing, ErrorKind::Unsupported(Feature::Sync))),
                None => Ok(false),
            },
            // GitLab rejects this call only if the mirror is disabled.
            Err(ErrorKind::Rejected {
                status: status @ (400 | 422),
                message,
                cause: Rejection::Other,
            }) => {
                let kind = ErrorKind::Rejected {
                    status,
                    message,
                    cause: Rejection::StaysDisabled,
                };
                Err(error(&doing, kind))
            }
            Err(kind) => Err(error(&doing, kind)),
        }
    }

    /// Deletes a mirror, if it exists.
    pub async fn delete(&self, project: &str, id: u64) -> Result<(), GitLabError> {
        let doing = self.doing("deleting", project, id);
        let request = ApiRequest::new("DELETE", mirror_path(project, id), None);
        let response = self.send(&request, &doing).await?;
        match self.check_mirror(project, response).await {
            // GitLab deletes the mirrors of a project with it.
            Ok(_) | Err(ErrorKind::NotFound) => Ok(()),
            Err(kind) => Err(error(&doing, kind)),
        }
    }

    fn doing(&self, gerund: &str, project: &str, id: u64) -> String {
        let url = &self.url;
        format!("{gerund} push mirror {id} of project {project} at {url}")
    }

    async fn mirror_in_response(
        &self,
        project: &str,
        request: &ApiRequest<'_>,
        doing: &str,
    ) -> Result<Option<Mirror>, GitLabError> {
        let response = self.send(request, doing).await?;
        let response = self.check_mirror(project, response).await;
        let response = response.map_err(|kind| error(doing, kind))?;
        response.map(|response| parse(response, doing)).transpose()
    }

    /// A successful response about one mirror. `None` if the mirror does not exist.
    async fn check_mirror(
        &self,
        project: &str,
        response: ApiResponse,
    ) -> Result<Option<ApiResponse>, ErrorKind> {
        let is_page = response.body.is_none();
        let names_project = response.message().to_ascii_lowercase().contains("project");
        if response.status == 404 && !is_page && !names_project {
            return Ok(None);
        }
        self.check(project, response).await.map(Some)
    }

    /// Whether GitLab ignored `mirror_branch_regex`. The Community Edition does not have the
    /// parameter. The Enterprise Edition applies it without a licence check
    /// (`ee/lib/ee/api/helpers/remote_mirrors_helpers.rb`, `ee/app/models/ee/remote_mirror.rb`).
    async fn ignored_branch_regex(&self, requested: &Settings, stored: &Mirror) -> bool {
        if requested.branch_regex.is_none() || stored.settings.branch_regex.is_some() {
            return false;
        }
        // https://docs.gitlab.com/api/metadata/
        let request = ApiRequest::get("/metadata".to_owned());
        let metadata = self.call(&request).await.ok();
        let metadata = metadata.and_then(|response| response.body);
        metadata.is_some_and(|metadata| metadata["enterprise"].is_boolean())
    }
}

fn mirror_path(project: &str, id: u64) -> String {
    path(project, &format!("/remote_mirrors/{id}"))
}

fn parse(response: ApiResponse, doing: &str) -> Result<Mirror, GitLabError> {
    let status = response.status;
    let described = response.into_json().map_err(|kind| error(doing, kind))?;
    let mirror = Mirror::parse(&described);
    mirror.ok_or_else(|| error(doing, ErrorKind::UnexpectedResponse { status }))
}
