//! A push mirror as GitLab's API describes it, and the addresses that it accepts.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::client::parse_time;
use super::sanitize;
use crate::common::password::Password;

/// GitLab's `MAX_INCREMENTAL_RUNTIME` (`app/models/remote_mirror.rb`): the lease of a push.
const MAX_INCREMENTAL_RUNTIME: Duration = Duration::from_hours(1);

/// GitLab's `MAX_FIRST_RUNTIME` (`app/models/remote_mirror.rb`): the lease of a push of a mirror
/// without `last_update_at`.
const MAX_FIRST_RUNTIME: Duration = Duration::from_hours(3);

/// The settings of a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Push only protected branches.
    pub only_protected_branches: bool,
    /// Push the branches whose names match (GitLab Premium).
    pub branch_regex: Option<String>,
    /// Do not overwrite branches that diverged in the destination.
    pub keep_divergent_refs: bool,
}

impl Settings {
    /// The body of a request. GitLab rejects both choices of branches in one request, also if one
    /// is `false` (`mutually_exclusive` in its `ee/lib/ee/api/helpers/remote_mirrors_helpers.rb`).
    pub(super) fn to_json(&self) -> Value {
        let keep = self.keep_divergent_refs;
        match &self.branch_regex {
            Some(regex) => json!({"keep_divergent_refs": keep, "mirror_branch_regex": regex}),
            None => json!({
                "keep_divergent_refs": keep,
                "only_protected_branches": self.only_protected_branches,
            }),
        }
    }

    /// The body of a second request that gets from these settings to the `wanted` ones. `None` if
    /// none is needed.
    pub(super) fn pending_switch_off(&self, wanted: &Settings) -> Option<Value> {
        if self.branch_regex.is_some() && wanted.branch_regex.is_none() {
            Some(json!({"mirror_branch_regex": ""}))
        } else if self.only_protected_branches && !wanted.only_protected_branches {
            Some(json!({"only_protected_branches": false}))
        } else {
            None
        }
    }
}

/// `clone_url` with an unescaped login: GitLab escapes it itself (`lib/gitlab/url_sanitizer.rb`).
/// `None` if the login has a character that is not safe there.
///
/// The name of an IAM user may contain an `@`: GitLab takes the last one for the end of the login.
pub fn with_login(clone_url: &str, login: &str, password: &Password) -> Option<String> {
    let name_is_safe = Password::new(login.replace('@', "")).is_url_safe();
    let (scheme, rest) = clone_url.split_once("://")?;
    if !name_is_safe || !password.is_url_safe() || rest.contains('@') {
        return None;
    }
    Some(format!("{scheme}://{login}:{}@{rest}", password.expose()))
}

/// Spellings of the address `clone_url` that lead to the same repository. Newer versions of GitLab
/// accept each spelling once in a project, and a mirror and its replacement exist side by side. Git
/// ignores a slash at the end and the default port.
pub fn spellings(clone_url: &str) -> Vec<String> {
    let plain = clone_url.trim_end_matches('/').to_owned();
    let mut spellings = vec![plain.clone(), format!("{plain}/")];
    if let Some(rest) = plain.strip_prefix("https://")
        && let Some((host, path)) = rest.split_once('/')
        && !host.contains(':')
    {
        spellings.push(format!("https://{host}:443/{path}"));
        spellings.push(format!("https://{host}:443/{path}/"));
    }
    spellings
}

/// The status of the latest push (`update_status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushStatus {
    /// The mirror has not pushed yet.
    None,
    /// A push is scheduled.
    Scheduled,
    /// A push is under way.
    Started,
    /// The push succeeded.
    Finished,
    /// The push failed, and GitLab does not retry it.
    Failed,
    /// The push failed, and GitLab retries it.
    ToRetry,
    /// An unknown status.
    Other,
}

/// A push mirror of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The mirror's ID.
    pub id: u64,
    /// The destination, with a masked login.
    pub url: String,
    /// Whether the mirror pushes. Also `false` while the instance mirrors nothing: in silent mode, or
    /// if push mirrors are switched off.
    pub enabled: bool,
    /// The settings that GitLab stored.
    pub settings: Settings,
    /// The status of the latest push.
    pub status: PushStatus,
    /// Why the latest push failed, without logins.
    pub last_error: Option<String>,
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
        let started = self
            .started_at
            .filter(|_| self.status == PushStatus::Started);
        started.is_some_and(|started| started + max_runtime < now)
    }

    /// How long the latest push has not succeeded: since it began. Zero if it succeeded. `None` if no
    /// push has begun, or if the mirror is disabled.
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
        let parse = |url: &str| reqwest::Url::parse(url).ok();
        let (Some(own), Some(other)) = (parse(&self.url), parse(clone_url)) else {
            return false;
        };
        own.scheme() == other.scheme()
            && own.host() == other.host()
            && own.port_or_known_default() == other.port_or_known_default()
            && own.path().trim_end_matches('/') == other.path().trim_end_matches('/')
    }

    /// Parses GitLab's description. `None` if it has no ID. Every other member may be missing, as
    /// it is from older versions.
    pub fn parse(description: &Value) -> Option<Mirror> {
        let text = |name: &str| description[name].as_str().map(str::trim);
        let filled = |name: &str| text(name).filter(|text| !text.is_empty());
        let flag = |name: &str, default: bool| description[name].as_bool().unwrap_or(default);
        Some(Mirror {
            id: description["id"].as_u64()?,
            url: sanitize::without_logins(text("url").unwrap_or_default()),
            enabled: flag("enabled", true),
            settings: Settings {
                only_protected_branches: flag("only_protected_branches", false),
                branch_regex: filled("mirror_branch_regex").map(ToOwned::to_owned),
                keep_divergent_refs: flag("keep_divergent_refs", false),
            },
            status: match text("update_status").unwrap_or("none") {
                "none" => PushStatus::None,
                "scheduled" => PushStatus::Scheduled,
                "started" => PushStatus::Started,
                "finished" => PushStatus::Finished,
                "failed" => PushStatus::Failed,
                "to_retry" => PushStatus::ToRetry,
                _ => PushStatus::Other,
            },
            last_error: filled("last_error").map(sanitize::shown),
            started_at: text("last_update_started_at").and_then(parse_time),
            updated_at: text("last_update_at").and_then(parse_time),
            succeeded_at: text("last_successful_update_at").and_then(parse_time),
        })
    }
}
