//! GitLab's API of remote mirrors, as far as a push mirror needs it, and nothing else.
//!
//! Projects, branches and protected branches are read to find out what a mirror would push.
//! Nothing that leaves this module holds the token or a mirror's login.
//!
//! Source: <https://docs.gitlab.com/api/remote_mirrors/>, and GitLab's `lib/api/remote_mirrors.rb`.

mod branches;
mod classify;
mod client;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod mirror;
mod reason_code;
mod sanitize;
mod token;

pub use crate::gitlab::branches::{ProtectedBranches, PushesEverything};
pub use crate::gitlab::error::{Error, Kind, TokenFault, TokenSource, URL_TAG};
pub use crate::gitlab::mirror::{Mirror, Settings, Status};

use crate::gitlab::client::{Answer, ApiClient, Body, LARGEST_ANSWER, MAX_VALUES, Request, path};
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::http;
use crate::http::{Http, is_https_or_loopback};
use crate::password::Password;

/// The most pages of a list.
const MOST_PAGES: usize = 50;

/// The most elements of a page. It is also the number that is requested.
/// <https://docs.gitlab.com/api/rest/#offset-based-pagination>
const MAX_PAGE_ELEMENTS: usize = 100;

/// How a GitLab is reached: the property `GitLab`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its address, without a slash at the end.
    pub url: String,
    /// The secret that holds the token: a name or an ARN.
    pub token_secret_id: String,
    /// The member of that secret's JSON that is the token.
    pub token_secret_key: String,
    /// Certificates, as PEM, that are trusted beside the system's.
    pub ca_certificate: Option<String>,
}

/// What is known of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Whether its repository has no commit.
    pub is_empty: bool,
    /// What the token's user may do in it, when GitLab says: 40 is a Maintainer.
    pub access_level: Option<u64>,
    /// The size of its Git LFS objects in bytes. 0 if LFS is off, or if GitLab does not show it.
    pub lfs_objects_size: u64,
}

/// One GitLab and the token for it.
#[derive(Debug)]
pub struct GitLab {
    url: String,
    line: ApiClient,
    /// Where the token was read from: error messages name it.
    token_source: TokenSource,
}

impl GitLab {
    /// Reads the token, after looking whether its owner meant it for this GitLab.
    pub async fn open(aws: &Aws, http: &Http, access: &Access) -> Result<GitLab, Error> {
        let url = access.url.trim_end_matches('/').to_owned();
        let unusable = |kind| Error {
            doing: format!("reaching GitLab at {}", sanitize::shown(&url)),
            kind,
        };
        if !is_usable(&url) {
            return Err(unusable(Kind::UnusableUrl));
        }
        let trusted = match &access.ca_certificate {
            Some(pem) => http::fingerprints(pem).and_then(|all| Ok((http.trusting(pem)?, all))),
            None => Ok((http.clone(), vec![])),
        };
        let (http, fingerprints) = trusted.map_err(|_| unusable(Kind::CaCertificate))?;
        let token = token::read(aws, access, &fingerprints)
            .await
            .map_err(|fault| Error {
                doing: format!(
                    "reading GitLab's token from secret {}",
                    access.token_secret_id
                ),
                kind: fault.into(),
            })?;
        let api = format!("{url}/api/v4");
        let line = ApiClient { api, token, http };
        Ok(GitLab {
            url,
            line,
            token_source: TokenSource {
                secret_id: access.token_secret_id.clone(),
                secret_key: access.token_secret_key.clone(),
            },
        })
    }

    /// Looks up a project.
    pub async fn project(&self, project: &str) -> Result<Project, Error> {
        let doing = || format!("looking up project {project} at {}", self.url);
        // https://docs.gitlab.com/api/projects/#retrieve-a-project: for a Reporter and above.
        let request = Request::get(path(project, "?statistics=true"));
        let answer = self.ask(&request, &doing).await?;
        let answer = match self.refusal(project, answer).await {
            Ok(answer) => answer,
            Err(kind) => return Err(failed(&doing, kind)),
        };
        let described = answer.json().map_err(|kind| failed(&doing, kind))?;
        Ok(Project::read(&described))
    }

    /// All of a project's push mirrors.
    pub async fn mirrors(&self, project: &str) -> Result<Vec<Mirror>, Error> {
        let doing = || {
            format!(
                "listing the push mirrors of project {project} at {}",
                self.url
            )
        };
        let list = self.list(project, "/remote_mirrors", &doing).await?;
        let mirrors: Option<Vec<Mirror>> = list.iter().map(Mirror::read).collect();
        mirrors.ok_or_else(|| failed(&doing, Kind::Unreadable { status: 200 }))
    }

    /// One mirror; `None` when it is gone.
    pub async fn mirror(&self, project: &str, id: u64) -> Result<Option<Mirror>, Error> {
        let doing = || self.doing("looking up", project, id);
        let request = Request::get(path(project, &format!("/remote_mirrors/{id}")));
        self.mirror_in_answer(project, &request, &doing).await
    }

    /// Makes a mirror to `clone_url`, disabled: it does not push until [`GitLab::update`].
    ///
    /// It is not repeated after an answer that was lost, because two would be two mirrors.
    pub async fn create(
        &self,
        project: &str,
        clone_url: &str,
        login: &str,
        password: &Password,
        settings: &Settings,
    ) -> Result<Mirror, Error> {
        let doing = || {
            format!(
                "making the push mirror of project {project} at {}",
                self.url
            )
        };
        let mut taken = None;
        for spelling in mirror::spellings(clone_url) {
            let url = mirror::with_login(&spelling, login, password);
            let url = url.ok_or_else(|| failed(&doing, Kind::UnsafeLogin))?;
            let made = self.create_at(project, &url, password, settings, &doing);
            match made.await {
                Err(
                    error @ Error {
                        kind: Kind::Taken { .. },
                        ..
                    },
                ) => taken = Some(error),
                made => return self.without_surprise(project, settings, made?).await,
            }
        }
        Err(taken.unwrap_or_else(|| failed(&doing, Kind::UnsafeLogin)))
    }

    /// Refuses a mirror that was made otherwise than asked.
    async fn without_surprise(
        &self,
        project: &str,
        settings: &Settings,
        mirror: Mirror,
    ) -> Result<Mirror, Error> {
        let doing = || self.doing("making", project, mirror.id);
        if self.ignores_the_pattern(settings, &mirror).await {
            // Left there, it would push every branch as soon as it is enabled.
            self.delete(project, mirror.id).await?;
            return Err(failed(&doing, Kind::NoBranchRegex));
        }
        Ok(mirror)
    }

    /// Sets a mirror's settings, and whether it pushes; `None` when it is gone.
    ///
    /// A mirror that was enabled can come back disabled: see [`Mirror::enabled`].
    pub async fn update(
        &self,
        project: &str,
        id: u64,
        settings: &Settings,
        enabled: bool,
    ) -> Result<Option<Mirror>, Error> {
        let doing = || self.doing(if enabled { "enabling" } else { "setting" }, project, id);
        let path = path(project, &format!("/remote_mirrors/{id}"));
        let mut body = settings.to_json();
        body["enabled"] = json!(enabled);
        let request = Request::put(path.clone(), body);
        let updated = self.mirror_in_answer(project, &request, &doing).await?;
        let Some(mirror) = updated else {
            return Ok(None);
        };
        // One of the two choices of branches can be told at a time, and switching one on switches
        // the other off; what was on before and is to be off is switched off by itself.
        if let Some(off) = mirror.settings.left_over(settings) {
            let request = Request::put(path, off);
            return self.mirror_in_answer(project, &request, &doing).await;
        }
        if self.ignores_the_pattern(settings, &mirror).await {
            return Err(failed(&doing, Kind::NoBranchRegex));
        }
        Ok(Some(mirror))
    }

    /// Asks for a push soon; `false` when the mirror is gone.
    pub async fn sync(&self, project: &str, id: u64) -> Result<bool, Error> {
        let doing = || self.doing("asking for a push of", project, id);
        let path = path(project, &format!("/remote_mirrors/{id}/sync"));
        let answer = self.ask(&Request::new("POST", path, None), &doing).await?;
        match self.present(project, answer).await {
            Ok(Some(_)) => Ok(true),
            // A GitLab before 16.11 knows no such call, and says so as if the mirror were gone.
            Ok(None) => match self.mirror(project, id).await? {
                Some(_) => Err(failed(&doing, Kind::NoSync)),
                None => Ok(false),
            },
            // The one thing that it refuses to those who may ask.
            Err(Kind::Refused { status, message }) if status == 400 || status == 422 => {
                Err(failed(&doing, Kind::StaysDisabled { status, message }))
            }
            Err(kind) => Err(failed(&doing, kind)),
        }
    }

    /// Removes a mirror, if it is there.
    pub async fn delete(&self, project: &str, id: u64) -> Result<(), Error> {
        let doing = || self.doing("removing", project, id);
        let path = path(project, &format!("/remote_mirrors/{id}"));
        let answer = self
            .ask(&Request::new("DELETE", path, None), &doing)
            .await?;
        match self.present(project, answer).await {
            // With the project the mirror is gone, too.
            Ok(_) | Err(Kind::NotFound) => Ok(()),
            Err(kind) => Err(failed(&doing, kind)),
        }
    }

    fn doing(&self, gerund: &str, project: &str, id: u64) -> String {
        format!(
            "{gerund} push mirror {id} of project {project} at {}",
            self.url
        )
    }

    async fn ask(
        &self,
        request: &Request<'_>,
        doing: &(dyn Fn() -> String + Sync),
    ) -> Result<Answer, Error> {
        let answer = self.line.send(request).await;
        answer.map_err(|kind| failed(doing, kind))
    }

    /// All pages of a list. Together they have the limits of one answer, because all of them are
    /// kept.
    async fn list(
        &self,
        project: &str,
        of: &str,
        doing: &(dyn Fn() -> String + Sync),
    ) -> Result<Vec<Value>, Error> {
        let mut list = vec![];
        let (mut length, mut values) = (0, 0);
        let mut query = format!("per_page={MAX_PAGE_ELEMENTS}");
        for _ in 0..MOST_PAGES {
            let request = Request::get(path(project, &format!("{of}?{query}")));
            let answer = self.ask(&request, doing).await?;
            let answer = self.refusal(project, answer).await;
            let answer = answer.map_err(|kind| failed(doing, kind))?;
            let (status, next) = (answer.status, answer.next());
            length += answer.length;
            values += answer.values;
            if length > LARGEST_ANSWER || values > MAX_VALUES {
                return Err(failed(doing, Kind::TooLarge));
            }
            match answer.json().map_err(|kind| failed(doing, kind))? {
                Value::Array(page) if page.len() > MAX_PAGE_ELEMENTS => {
                    return Err(failed(doing, Kind::TooLarge));
                }
                Value::Array(page) => list.extend(page),
                _ => return Err(failed(doing, Kind::Unreadable { status })),
            }
            match next {
                Some(next) => query = next,
                None => return Ok(list),
            }
        }
        Err(failed(doing, Kind::TooManyPages(MOST_PAGES)))
    }

    async fn create_at(
        &self,
        project: &str,
        url: &str,
        password: &Password,
        settings: &Settings,
        doing: &(dyn Fn() -> String + Sync),
    ) -> Result<Mirror, Error> {
        let mut body = settings.to_json();
        body["url"] = json!(url);
        body["enabled"] = json!(false);
        let mut request = Request::new("POST", path(project, "/remote_mirrors"), Some(body));
        request.is_repeatable = false;
        request.secret = Some(password);
        let answer = self.ask(&request, doing).await?;
        let answer = self.refusal(project, answer).await;
        let answer = answer.map_err(|kind| failed(doing, kind))?;
        let status = answer.status;
        let described = answer.json().map_err(|kind| failed(doing, kind))?;
        let mirror = Mirror::read(&described);
        mirror.ok_or_else(|| failed(doing, Kind::Unreadable { status }))
    }

    async fn mirror_in_answer(
        &self,
        project: &str,
        request: &Request<'_>,
        doing: &(dyn Fn() -> String + Sync),
    ) -> Result<Option<Mirror>, Error> {
        let answer = self.ask(request, doing).await?;
        let status = answer.status;
        let present = self.present(project, answer).await;
        let Some(answer) = present.map_err(|kind| failed(doing, kind))? else {
            return Ok(None);
        };
        let described = answer.json().map_err(|kind| failed(doing, kind))?;
        match Mirror::read(&described) {
            Some(mirror) => Ok(Some(mirror)),
            None => Err(failed(doing, Kind::Unreadable { status })),
        }
    }

    /// An answer about one mirror; `None` when it is the mirror that is not there.
    async fn present(&self, project: &str, answer: Answer) -> Result<Option<Answer>, Kind> {
        let is_page = matches!(answer.body, Body::Other);
        let names_project = answer.message().to_ascii_lowercase().contains("project");
        if answer.status == 404 && !is_page && !names_project {
            return Ok(None);
        }
        self.refusal(project, answer).await.map(Some)
    }

    /// Whether GitLab ignored the pattern. The Community Edition does not know the parameter. The
    /// Enterprise Edition applies it without a licence check
    /// (`ee/lib/ee/api/helpers/remote_mirrors_helpers.rb`, `ee/app/models/ee/remote_mirror.rb`).
    async fn ignores_the_pattern(&self, asked: &Settings, made: &Mirror) -> bool {
        if asked.branch_regex.is_none() || made.settings.branch_regex.is_some() {
            return false;
        }
        // https://docs.gitlab.com/api/metadata/
        let answer = self.line.send(&Request::get("/metadata".to_owned())).await;
        match answer.map(|answer| answer.body) {
            Ok(Body::Json(metadata)) => metadata["enterprise"].is_boolean(),
            _ => false,
        }
    }
}

impl Project {
    fn read(described: &Value) -> Self {
        let level = |of: &str| described["permissions"][of]["access_level"].as_u64();
        Project {
            // Older versions tell it by the default branch.
            is_empty: described["empty_repo"]
                .as_bool()
                .unwrap_or_else(|| described.get("default_branch").is_some_and(Value::is_null)),
            access_level: level("project_access").max(level("group_access")),
            lfs_objects_size: described["statistics"]["lfs_objects_size"]
                .as_u64()
                .filter(|_| described["lfs_enabled"] != false)
                .unwrap_or_default(),
        }
    }
}

fn failed(doing: &(dyn Fn() -> String + Sync), kind: Kind) -> Error {
    Error {
        doing: sanitize::shown(&doing()),
        kind,
    }
}

/// Whether a token may be sent to `url` and API paths can be put behind it.
fn is_usable(url: &str) -> bool {
    let Ok(parsed) = reqwest::Url::parse(url) else {
        return false;
    };
    let has_login = !parsed.username().is_empty() || parsed.password().is_some();
    let is_bare = parsed.query().is_none() && parsed.fragment().is_none();
    is_https_or_loopback(url) && !has_login && is_bare && !url.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests;
