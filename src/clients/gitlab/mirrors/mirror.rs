//! Push mirrors: as GitLab's API describes them, and the calls that list, create, update, sync and
//! delete them.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};

use super::mirror_address::{Destination, spellings, with_login};
use crate::clients::gitlab::api::call::Call;
use crate::clients::gitlab::api::error::{ErrorKind, GitLabError, Rejection, Result};
use crate::clients::gitlab::api::list::Reading;
use crate::clients::gitlab::api::members::{parse_time, typed};
use crate::clients::gitlab::api::project_ref::ProjectRef;
use crate::clients::gitlab::api::response::ApiResponse;
use crate::clients::gitlab::api::sanitize::Unredacted;
use crate::clients::gitlab::api::transport::{Area, GitLab};
use crate::common::password::Password;

/// GitLab's `MAX_INCREMENTAL_RUNTIME` (`app/models/remote_mirror.rb`): the lease of a push.
const MAX_INCREMENTAL_RUNTIME: Duration = Duration::from_hours(1);

/// GitLab's `MAX_FIRST_RUNTIME` (`app/models/remote_mirror.rb`): the lease of a push of a mirror
/// without `last_update_at`.
const MAX_FIRST_RUNTIME: Duration = Duration::from_hours(3);

/// GitLab's `MAX_MIRRORS_PER_PROJECT` (`spec/models/remote_mirror_spec.rb`): the most enabled
/// mirrors of a project.
pub const MAX_ENABLED_MIRRORS: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub only_protected_branches: bool,
    /// Whether a person chose the branches by a regular expression (`mirror_branch_regex`). No
    /// stack does.
    pub has_branch_regex: bool,
    /// Do not overwrite branches that diverged in the destination.
    pub keep_divergent_refs: bool,
}

impl Settings {
    /// The body of a request.
    fn to_json(&self) -> Value {
        json!({
            "keep_divergent_refs": self.keep_divergent_refs,
            "only_protected_branches": self.only_protected_branches,
        })
    }

    pub fn has_branches_of(&self, other: &Settings) -> bool {
        self.only_protected_branches == other.only_protected_branches
            && self.has_branch_regex == other.has_branch_regex
    }

    /// The properties of `Mirrors` that these settings and the `desired` ones differ in, or
    /// GitLab's setting.
    pub fn changed_properties(&self, desired: &Settings) -> Vec<&'static str> {
        let is_changed = [
            self.only_protected_branches != desired.only_protected_branches,
            self.has_branch_regex != desired.has_branch_regex,
            self.keep_divergent_refs != desired.keep_divergent_refs,
        ];
        let names = [
            "OnlyProtectedBranches",
            "mirror_branch_regex",
            "KeepDivergentRefs",
        ];
        let changed = names.into_iter().zip(is_changed);
        changed.filter_map(|(name, is)| is.then_some(name)).collect()
    }
}

/// The status of the latest push (`update_status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushStatus {
    /// The mirror has not pushed yet.
    #[default]
    None,
    Scheduled,
    Started,
    Finished,
    /// GitLab does not retry the push.
    Failed,
    /// The push failed, and GitLab retries it.
    ToRetry,
    #[serde(other)]
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    pub id: u64,
    /// Where it pushes to, as GitLab shows it.
    pub destination: Destination,
    /// Whether the mirror pushes. Also `false` while the instance mirrors nothing: in silent mode,
    /// or if push mirrors are switched off.
    pub enabled: bool,
    pub settings: Settings,
    pub status: PushStatus,
    pub last_error: Option<Unredacted>,
    /// When the latest push began.
    pub started_at: Option<SystemTime>,
    /// When the latest push ended, either way.
    pub updated_at: Option<SystemTime>,
    /// When a push last succeeded.
    pub succeeded_at: Option<SystemTime>,
}

impl Mirror {
    /// Whether the process that pushed was killed: no push outlives GitLab's lease. GitLab keeps
    /// the status `started` until the next push to the project (`stuck` in
    /// `app/models/remote_mirror.rb`, `mark_stuck_remote_mirrors_as_failed!` in
    /// `app/models/project.rb`), and a sync does nothing meanwhile.
    pub fn is_stuck(&self, now: SystemTime) -> bool {
        let max_runtime = match self.updated_at {
            Some(_) => MAX_INCREMENTAL_RUNTIME,
            None => MAX_FIRST_RUNTIME,
        };
        let started = self.started_at.filter(|_| self.is_pushing());
        started.is_some_and(|started| started + max_runtime < now)
    }

    /// Whether GitLab shows a push in progress. With a status that this version does not know, it
    /// shows one that has begun and not ended.
    pub fn is_pushing(&self) -> bool {
        match self.status {
            PushStatus::Started => true,
            PushStatus::Other => self.started_at > self.updated_at,
            PushStatus::None
            | PushStatus::Scheduled
            | PushStatus::Finished
            | PushStatus::Failed
            | PushStatus::ToRetry => false,
        }
    }

    /// How long the latest push has not succeeded: since it began. Zero if it succeeded. `None` if
    /// no push has begun, or if the mirror is disabled.
    ///
    /// GitLab sets `last_update_started_at` at each attempt, and `last_successful_update_at` when a
    /// push succeeds (`app/models/remote_mirror.rb`). It does not store when the first of several
    /// attempts began.
    pub fn lag(&self, now: SystemTime) -> Option<Duration> {
        let started = self.started_at.filter(|_| self.enabled)?;
        let has_succeeded = self.succeeded_at.is_some_and(|ended| ended >= started);
        // Clocks differ a little, so the time may be in the future.
        let lag = || now.duration_since(started).unwrap_or_default();
        Some(if has_succeeded { Duration::ZERO } else { lag() })
    }

    /// Whether the destination is `clone_url`, with any login.
    pub fn leads_to(&self, clone_url: &str) -> bool {
        self.destination.is_same(&Destination::parse(clone_url))
    }

    /// Whether the latest push failed, as with a deleted login.
    pub fn has_failed(&self) -> bool {
        match self.status {
            PushStatus::Failed | PushStatus::ToRetry => true,
            PushStatus::None
            | PushStatus::Scheduled
            | PushStatus::Started
            | PushStatus::Finished
            | PushStatus::Other => false,
        }
    }

    /// Whether it is disabled and has never pushed, as a killed delivery leaves one.
    pub fn is_unused(&self) -> bool {
        let has_pushed = self.started_at.is_some() || self.updated_at.is_some();
        !self.enabled && !has_pushed
    }

    /// Whether the destination may be the CodeCommit repository `name` in `region`, of any account.
    /// The clone URL of a deleted repository cannot be read, and GitLab may reach CodeCommit
    /// through a proxy. So only a host of CodeCommit in another region makes a difference.
    pub fn may_lead_to(&self, name: &str, region: Option<&str>) -> bool {
        let named = self.destination.codecommit_region();
        let is_elsewhere = named.zip(region).is_some_and(|(named, own)| named != own);
        !is_elsewhere && self.destination.ends_with(&format!("/v1/repos/{name}"))
    }

    /// Whether GitLab shows a destination on another host than CodeCommit's in `region`, and not
    /// through a proxy to the repository `name`.
    pub fn leads_elsewhere(&self, name: &str, region: Option<&str>) -> bool {
        let named = self.destination.codecommit_region();
        let is_own_host = named.is_some_and(|named| region.is_none_or(|own| own == named));
        let is_of_repository = self.destination.ends_with(&format!("/v1/repos/{name}"));
        self.destination.is_shown() && !is_own_host && !is_of_repository
    }

    /// Parses GitLab's description. `None` if it has no ID, which is a signed number of 64 bits in
    /// GitLab's database. Every other member may be missing, as it is from older versions.
    pub fn parse(description: &Value) -> Option<Mirror> {
        let text = |name: &str| description[name].as_str().map(str::trim);
        let filled = |name: &str| text(name).filter(|text| !text.is_empty());
        let flag = |name: &str, default: bool| description[name].as_bool().unwrap_or(default);
        Some(Mirror {
            id: description["id"].as_i64()?.try_into().ok()?,
            destination: Destination::parse(text("url").unwrap_or_default()),
            enabled: flag("enabled", true),
            settings: Settings {
                only_protected_branches: flag("only_protected_branches", false),
                has_branch_regex: filled("mirror_branch_regex").is_some(),
                keep_divergent_refs: flag("keep_divergent_refs", false),
            },
            status: typed(&text("update_status").into()).unwrap_or_default(),
            last_error: filled("last_error").map(Unredacted::new),
            started_at: text("last_update_started_at").and_then(parse_time),
            updated_at: text("last_update_at").and_then(parse_time),
            succeeded_at: text("last_successful_update_at").and_then(parse_time),
        })
    }
}

impl GitLab {
    pub async fn mirrors(&self, project: ProjectRef<'_>) -> Result<Vec<Mirror>> {
        let purpose = format!("listing the push mirrors of project {project}");
        let call = self.get(Area::Mirrors(project), "/remote_mirrors", &purpose);
        call.list(Reading::ALL, Mirror::parse).await
    }

    /// One mirror. `None` if it does not exist.
    pub async fn mirror(&self, project: ProjectRef<'_>, id: u64) -> Result<Option<Mirror>> {
        self.mirror_call("GET", "looking up", project, id).find_mirror().await
    }

    /// Creates a mirror to `clone_url`, disabled: it does not push until [`GitLab::update`].
    /// `known` are the mirrors of the project that were read before.
    ///
    /// Newer versions of GitLab accept an address once. Their message about a second one is in the
    /// language of the token's user, so it decides nothing: if GitLab rejects the address, and the
    /// project has another mirror, then the next spelling follows. A proxy may rewrite the address
    /// that GitLab shows, so any mirror may have this one.
    ///
    /// The request is not retried if its response was lost, because a second one could create a
    /// second mirror.
    pub async fn create(
        &self,
        project: ProjectRef<'_>,
        clone_url: &str,
        login: &str,
        password: &Password,
        settings: &Settings,
        known: &[Mirror],
    ) -> Result<Mirror> {
        let purpose = format!("creating the push mirror of project {project}");
        let call = self.call("POST", Area::Mirrors(project), "/remote_mirrors", &purpose);
        let call = call.secret(password);
        let (mut rejected, mut others) = (None, vec![]);
        for spelling in spellings(clone_url) {
            let Some(url) = with_login(&spelling, login, password) else {
                break;
            };
            let mut body = settings.to_json();
            body["url"] = json!(url);
            body["enabled"] = json!(false);
            let call = call.clone().body(body);
            let created = call.success().await;
            match created.and_then(|response| call.decode(&response, Mirror::parse)) {
                Err(error) if error.kind.is_unexplained() => {
                    if rejected.is_none() {
                        let listed = self.mirrors(project).await;
                        others = listed.unwrap_or_else(|_| known.to_vec());
                    }
                    if others.is_empty() {
                        return Err(error);
                    }
                    rejected = Some(error);
                }
                created => return created,
            }
        }
        let is_duplicate = others.iter().any(|mirror| mirror.leads_to(clone_url));
        Err(match rejected {
            Some(error) if is_duplicate => error.because(Rejection::DuplicateAddress),
            Some(error) => error,
            None => GitLabError::unsent(ErrorKind::UnsafeLogin).of(&call.doing),
        })
    }

    /// Sets a mirror's settings, and whether it pushes. `None` if it does not exist.
    ///
    /// A mirror that was enabled can come back disabled: see [`Mirror::enabled`].
    pub async fn update(
        &self,
        project: ProjectRef<'_>,
        id: u64,
        settings: &Settings,
        enabled: bool,
    ) -> Result<Option<Mirror>> {
        let gerund = if enabled { "enabling" } else { "updating" };
        let call = self.mirror_call("PUT", gerund, project, id);
        let mut body = settings.to_json();
        body["enabled"] = json!(enabled);
        let mirror = match call.clone().body(body).find_mirror().await {
            Ok(Some(mirror)) => mirror,
            Err(error) if enabled && error.kind.is_unexplained() => {
                let listed = self.mirrors(project).await.unwrap_or_default();
                let enabled = listed.iter().filter(|mirror| mirror.enabled).count();
                return Err(if enabled >= MAX_ENABLED_MIRRORS {
                    error.because(Rejection::TooManyMirrors)
                } else {
                    error
                });
            }
            other => return other,
        };
        // GitLab rejects both choices of branches in one request, even if one is `false`
        // (`mutually_exclusive` in its `ee/lib/ee/api/helpers/remote_mirrors_helpers.rb`).
        if mirror.settings.has_branch_regex {
            let body = json!({"mirror_branch_regex": ""});
            return call.body(body).find_mirror().await;
        }
        Ok(Some(mirror))
    }

    /// Requests a push. `false` if the mirror does not exist.
    pub async fn sync(&self, project: ProjectRef<'_>, id: u64) -> Result<bool> {
        let part = format!("/remote_mirrors/{id}/sync");
        let purpose = format!("starting a push of push mirror {id} of project {project}");
        let call = self.call("POST", Area::Mirrors(project), &part, &purpose).idempotent();
        let is_unknown =
            |response: &ApiResponse| is_missing(response) || response.is_unknown_route();
        match call.unless(is_unknown).await {
            Ok(Some(_)) => Ok(true),
            // A GitLab before 16.11 does not have the call, and responds as if the mirror did not
            // exist.
            Ok(None) => match self.mirror(project, id).await? {
                Some(_) => Err(call.unsupported(ErrorKind::NoSync)),
                None => Ok(false),
            },
            // The message is in the language of the token's user.
            Err(GitLabError {
                kind:
                    ErrorKind::Rejected {
                        status: status @ (400 | 422),
                        message,
                        cause: Rejection::Other,
                    },
                ..
            }) if self.is_disabled(project, id).await => {
                let cause = Rejection::StaysDisabled;
                Err(GitLabError::rejected(status, cause, message).of(&call.doing))
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes a mirror, if it exists. If GitLab does not show the project, this is not known:
    /// GitLab deletes the mirrors of a project with it, and also hides a project from a user who
    /// left it.
    pub async fn delete(&self, project: ProjectRef<'_>, id: u64) -> Result<()> {
        let call = self.mirror_call("DELETE", "deleting", project, id);
        call.unless(is_missing).await.map(drop)
    }

    async fn is_disabled(&self, project: ProjectRef<'_>, id: u64) -> bool {
        let shown = self.mirror(project, id).await;
        shown.is_ok_and(|mirror| mirror.is_some_and(|mirror| !mirror.enabled))
    }

    fn mirror_call<'a>(
        &'a self,
        method: &'static str,
        gerund: &str,
        project: ProjectRef<'a>,
        id: u64,
    ) -> Call<'a> {
        let part = format!("/remote_mirrors/{id}");
        let purpose = format!("{gerund} push mirror {id} of project {project}");
        self.call(method, Area::Mirrors(project), &part, &purpose)
    }
}

impl Call<'_> {
    fn unsupported(&self, kind: ErrorKind) -> GitLabError {
        GitLabError::answered(kind).of(&self.doing)
    }

    /// The mirror in a successful response. `None` if it does not exist.
    async fn find_mirror(&self) -> Result<Option<Mirror>> {
        let found = self.unless(is_missing).await?;
        let parse = |response| self.decode(&response, Mirror::parse);
        found.map(parse).transpose()
    }
}

/// Whether the mirror does not exist: GitLab has found the project, and no such record
/// (`rescue_from ActiveRecord::RecordNotFound` in `lib/api/api.rb`). Any other 404 is about the
/// project or the route, or is a gateway's.
fn is_missing(response: &ApiResponse) -> bool {
    response.status == 404 && response.member("message") == Some("404 Not found")
}
