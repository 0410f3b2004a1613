//! A push mirror as GitLab describes it.

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Value, json};

use super::sanitize;
use crate::password::Password;

/// GitLab's `MAX_INCREMENTAL_RUNTIME` (`app/models/remote_mirror.rb`): the lease of a push.
const MAX_INCREMENTAL_RUNTIME: Duration = Duration::from_hours(1);

/// GitLab's `MAX_FIRST_RUNTIME` (`app/models/remote_mirror.rb`): the lease of a push of a mirror
/// without `last_update_at`.
const MAX_FIRST_RUNTIME: Duration = Duration::from_hours(3);

/// What a mirror does besides pushing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Push protected branches alone.
    pub only_protected_branches: bool,
    /// Push the branches whose names match (GitLab Premium).
    pub branch_regex: Option<String>,
    /// Leave alone what has gone another way at the destination.
    pub keep_divergent_refs: bool,
}

impl Settings {
    /// As GitLab takes them. It refuses both choices of branches in one request, whatever they
    /// say (`mutually_exclusive` in its `ee/lib/ee/api/helpers/remote_mirrors_helpers.rb`).
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

    /// What has to be told once more to get from these settings to the `wanted` ones.
    pub(super) fn left_over(&self, wanted: &Settings) -> Option<Value> {
        if self.branch_regex.is_some() && wanted.branch_regex.is_none() {
            Some(json!({"mirror_branch_regex": ""}))
        } else if self.only_protected_branches && !wanted.only_protected_branches {
            Some(json!({"only_protected_branches": false}))
        } else {
            None
        }
    }
}

/// `clone_url` with a login, raw, as GitLab takes it and escapes it itself
/// (`lib/gitlab/url_sanitizer.rb`). `None` when it cannot stand there.
///
/// The name of an IAM user may hold an `@`, which does no harm: GitLab takes the last one for the
/// end of the login.
pub fn with_login(clone_url: &str, login: &str, password: &Password) -> Option<String> {
    let name_is_safe = Password::new(login.replace('@', "")).is_url_safe();
    let (scheme, rest) = clone_url.split_once("://")?;
    if !name_is_safe || !password.is_url_safe() || rest.contains('@') {
        return None;
    }
    Some(format!("{scheme}://{login}:{}@{rest}", password.expose()))
}

/// Ways to write the address `clone_url`, which lead to the same place. Newer versions of GitLab take
/// an address once for each project, to the letter, and a mirror's successor has to stand beside it:
/// git does not care for a slash at the end, nor for the port that goes without saying.
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

/// How the latest push went, in GitLab's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There was none yet.
    None,
    /// One is due.
    Scheduled,
    /// One is under way.
    Started,
    /// It succeeded.
    Finished,
    /// It failed, and is not tried again by itself.
    Failed,
    /// It failed and is tried again.
    ToRetry,
    /// A word that is not known here.
    Other,
}

/// A push mirror of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// Its number.
    pub id: u64,
    /// Where it pushes to; GitLab masks the login.
    pub url: String,
    /// Whether it pushes. GitLab says `false`, too, while it mirrors nothing at all: in silent mode,
    /// or when mirroring is switched off for the instance.
    pub enabled: bool,
    /// What it was told.
    pub settings: Settings,
    /// How the latest push went.
    pub status: Status,
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
        let started = self.started_at.filter(|_| self.status == Status::Started);
        started.is_some_and(|started| started + max_runtime < now)
    }

    /// Whether it leads to `clone_url`, whatever its login.
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

    /// Reads GitLab's description. `None` when it is none: without a number nothing can be done
    /// with a mirror. Everything else may be missing, as it is from older versions.
    pub(super) fn read(description: &Value) -> Option<Mirror> {
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
                "none" => Status::None,
                "scheduled" => Status::Scheduled,
                "started" => Status::Started,
                "finished" => Status::Finished,
                "failed" => Status::Failed,
                "to_retry" => Status::ToRetry,
                _ => Status::Other,
            },
            last_error: filled("last_error").map(sanitize::shown),
            started_at: text("last_update_started_at").and_then(read_time),
            updated_at: text("last_update_at").and_then(read_time),
            succeeded_at: text("last_successful_update_at").and_then(read_time),
        })
    }
}

/// A time as GitLab writes it: to the millisecond, in the instance's time zone.
fn read_time(text: &str) -> Option<SystemTime> {
    let time = DateTime::from_str(text, Format::DateTimeWithOffset).ok()?;
    SystemTime::try_from(time).ok()
}
