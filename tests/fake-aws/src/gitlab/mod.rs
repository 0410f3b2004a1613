//! GitLab's projects, their branches and their push mirrors: the state, and the rules that change
//! it. Each rule names the file of GitLab's source that it was read from; where GitLab's versions
//! differ, [`Behaviour`] decides.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    gitlab::{
        branch_patterns::{is_like, matches_regex},
        mirror_urls::sanitized,
        records::Records,
    },
    services::event_bus::Reaction,
};

/// GitLab's REST API.
mod api;
/// The patterns of branches.
pub(crate) mod branch_patterns;
/// GitLab's REST API of commits, deployments and notes.
mod commits_api;
/// Responses of GitLab's REST API.
mod entities;
/// GitLab's branches, ancestors of commits and push events.
pub mod history;
/// GitLab's merge requests.
pub mod merge_requests;
/// The addresses of push mirrors.
mod mirror_urls;
/// The lists of the API.
mod pages;
/// The history, the merge requests and the tasks of a project.
mod project_data;
/// GitLab's commit statuses, deployments, environments and notes.
pub mod records;
/// The addresses of the API.
mod routes;
/// The runs of push mirrors.
pub(crate) mod runs;

pub use crate::world::gitlab_behaviour::{
    Behaviour, EmptyProjects, Firewall, Gateway, MAX_MIRRORS_PER_PROJECT,
};
pub use crate::world::gitlab_languages::Language;
pub(crate) use api::answer;
pub use project_data::{DEVELOPER, Job, Served};
pub(crate) use project_data::{MAINTAINER, REPORTER};
pub(crate) use routes::decode;

/// The GitLab of most tests.
pub const HOST: &str = "gitlab.example.com";
/// Another GitLab, which has no token unless a test adds one.
pub const REDIRECT_HOST: &str = "gitlab.elsewhere.example";
/// `MAX_INCREMENTAL_RUNTIME` in `app/models/remote_mirror.rb`: the lease of a run.
pub(crate) const MAX_INCREMENTAL_RUNTIME: Duration = Duration::from_hours(1);
/// `MAX_FIRST_RUNTIME` in `app/models/remote_mirror.rb`: the lease of a run of a mirror that has no
/// `last_update_at`.
pub(crate) const MAX_FIRST_RUNTIME: Duration = Duration::from_hours(3);
/// `LIMIT` in `app/finders/protected_branches_finder.rb`, over all pages.
pub(crate) const MAX_PROTECTED_BRANCHES_LISTED: usize = 100;
/// The creator of foreign mirrors.
pub const ANOTHER_PERSON: &str = "another person";

/// The scope of a token (`lib/gitlab/auth/scope_validator.rb`, `API_SCOPES`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Api,
    ReadApi,
    ReadRepository,
    /// A fine-grained token with every permission that a request needs. GitLab shows no permissions
    /// (`app/services/authn/personal_access_tokens/create_granular_service.rb`).
    Granular,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub host: &'static str,
    pub scope: Scope,
    pub user: u64,
    /// The access level of its user in every project. `None` for each project's `access`.
    pub level: Option<u64>,
    pub is_revoked: bool,
    /// When it expires: at the day's midnight. `None` for a token that does not expire.
    pub expires: Option<Duration>,
}

/// Two hosts' worth of projects and tokens.
#[derive(Clone, Debug, Default)]
pub struct GitLab {
    pub projects: BTreeMap<u64, Project>,
    /// By the token itself.
    pub tokens: BTreeMap<String, Token>,
    /// The number of the users whom another program has created.
    pub users: u64,
    /// Runs of mirrors that are to begin.
    pub jobs: Vec<Job>,
    /// Runs in progress.
    pub pushes: Vec<Push>,
    /// The events that `EventBridge` sent because of the mirrors' pushes.
    pub reactions: Vec<Reaction>,
    pub(super) mirrors_made: u64,
    /// How many more posts of a commit status find another one in progress.
    pub status_conflicts: usize,
    /// Merge requests whose notes GitLab does not show: it responds with 500.
    pub broken_merge_requests: BTreeSet<u64>,
    /// Mirrors whose maker was cut off before any secret named them.
    pub unnamed_mirrors: BTreeSet<u64>,
    /// Another program has the repositories, and pushes them. `None` in the process of a test.
    pub served: Option<Served>,
}

/// A running sync. It continues if its mirror is deleted, because git is pushing.
#[derive(Clone, Debug)]
pub struct Push {
    pub project: u64,
    /// As it was when the run began.
    pub mirror: Mirror,
    pub ends: Duration,
    pub branches: Vec<(String, String)>,
    pub tries: u32,
    /// Its mirror stood in a secret's AWSCURRENT when the run began, or is not the product's.
    pub counts: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Project {
    pub id: u64,
    pub host: &'static str,
    /// With its groups: `group/subgroup/project`.
    pub path: String,
    /// Where it was before it was moved or renamed.
    pub former_path: Option<String>,
    /// The newest commit of each branch; none in a project without commits.
    pub branches: BTreeMap<String, String>,
    pub default_branch: String,
    /// Names or patterns with `*`, protected in the project itself.
    pub protected: BTreeSet<String>,
    /// Those of them with "Allowed to force push".
    pub force_pushed: BTreeSet<String>,
    /// Names or patterns with `*` that a group protects. The API lists them with `inherited: true`
    /// (<https://docs.gitlab.com/api/protected_branches/>).
    pub(crate) protected_by_group: BTreeSet<String>,
    /// `statistics.lfs_objects_size` (<https://docs.gitlab.com/api/projects/>), in bytes.
    pub lfs_objects_size: u64,
    /// The access level of the tokens' user. `None` if they may not see the project.
    pub access: Option<u64>,
    pub mirrors: BTreeMap<u64, Mirror>,
    /// All that was ever pushed here: a commit that is not among them has diverged.
    pub commits: BTreeSet<String>,
    /// Its commits in the API.
    pub records: Records,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mirror {
    pub id: u64,
    /// Without its login.
    pub url: String,
    pub login: Option<(String, String)>,
    /// The stored setting. GitLab's responses depend on more ([`GitLab::is_enabled`]).
    pub enabled: bool,
    pub only_protected_branches: bool,
    pub branch_regex: Option<String>,
    pub keep_divergent_refs: bool,
    pub status: &'static str,
    pub last_error: Option<String>,
    pub started: Option<Duration>,
    pub updated: Option<Duration>,
    pub succeeded: Option<Duration>,
    /// When the lease ends that a killed run left behind.
    pub(crate) abandoned_lease_ends: Option<Duration>,
    /// The caller that created it. GitLab does not store it; the tests need it.
    pub made_by: String,
}

/// Members of a mirror, as far as a request names them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub enabled: Option<bool>,
    pub only_protected_branches: Option<bool>,
    /// An empty one removes it.
    pub branch_regex: Option<String>,
    pub keep_divergent_refs: Option<bool>,
}

/// A member of a mirror and its error.
pub type Invalid = (&'static str, String);

impl GitLab {
    /// By number or by full path.
    pub fn project(&self, host: &str, name: &str) -> Option<&Project> {
        let number = name.parse().ok();
        self.projects.values().find(|project| {
            project.host == host && (Some(project.id) == number || project.path == name)
        })
    }

    /// The project of a test. It has to exist.
    pub fn named(&self, name: &str) -> &Project {
        let number = name.parse().ok();
        let mut projects = self.projects.values();
        projects
            .find(|project| Some(project.id) == number || project.path == name)
            .expect("a project of the fake GitLab")
    }

    /// As [`GitLab::named`].
    pub fn project_mut(&mut self, name: &str) -> &mut Project {
        let number = name.parse().ok();
        let mut projects = self.projects.values_mut();
        projects
            .find(|project| Some(project.id) == number || project.path == name)
            .expect("a project of the fake GitLab")
    }

    /// The shown state, and whether the mirror pushes (`enabled` in `app/models/remote_mirror.rb`).
    pub(crate) fn is_enabled(behaviour: &Behaviour, project: &Project, mirror: &Mirror) -> bool {
        let looks_disabled =
            project.branches.is_empty() && behaviour.empty_projects == EmptyProjects::LookDisabled;
        mirror.enabled && !behaviour.mirroring_disabled && !behaviour.silent && !looks_disabled
    }

    /// Creates a mirror (`post ':id/remote_mirrors'` in `lib/api/remote_mirrors.rb`): by default
    /// disabled, and for all branches.
    pub(crate) fn create_mirror(
        &mut self,
        behaviour: &Behaviour,
        project: u64,
        raw_url: &str,
        wanted: &Wanted,
        made_by: &str,
    ) -> Result<&Mirror, Invalid> {
        let blank = behaviour.language.blank();
        let (url, login) = sanitized(raw_url, blank).map_err(|reason| ("url", reason))?;
        let id = 100 + self.mirrors_made;
        let mut mirror = Mirror {
            id,
            url,
            login,
            status: "none",
            made_by: made_by.to_owned(),
            ..Mirror::default()
        };
        let project = self.projects.get_mut(&project).expect("a project");
        let mut others = project.mirrors.values();
        if behaviour.unique_urls && others.any(|other| other.url == mirror.url) {
            return Err(("url", behaviour.language.taken().to_owned()));
        }
        project.has_place_for(behaviour, &mirror, wanted)?;
        wanted.apply(&mut mirror);
        self.mirrors_made += 1;
        Ok(project.mirrors.entry(id).or_insert(mirror))
    }

    /// Changes a mirror (`put ':id/remote_mirrors/:mirror_id'`). It has no parameter `url`.
    pub(crate) fn update_mirror(
        &mut self,
        behaviour: &Behaviour,
        project: u64,
        mirror: u64,
        wanted: &Wanted,
    ) -> Result<(), Invalid> {
        let project = self.projects.get_mut(&project).expect("a project");
        let held = project.mirrors[&mirror].clone();
        project.has_place_for(behaviour, &held, wanted)?;
        wanted.apply(project.mirrors.get_mut(&mirror).expect("just found"));
        Ok(())
    }
}

impl Project {
    /// A project without a commit, which no token shows.
    pub(crate) fn empty(id: u64, host: &'static str, path: &str, default_branch: &str) -> Self {
        Self {
            id,
            host,
            path: path.to_owned(),
            default_branch: default_branch.to_owned(),
            ..Self::default()
        }
    }

    /// `validate_mirror_count` in `spec/models/remote_mirror_spec.rb`: enabled mirrors count, when
    /// one more is created or enabled.
    fn has_place_for(
        &self,
        behaviour: &Behaviour,
        mirror: &Mirror,
        wanted: &Wanted,
    ) -> Result<(), Invalid> {
        let Some(limit) = behaviour.enabled_mirrors_limit else {
            return Ok(());
        };
        let enabled = self.mirrors.values().filter(|mirror| mirror.enabled);
        if wanted.enabled == Some(true) && !mirror.enabled && enabled.count() >= limit {
            let message =
                format!("Maximum number of push mirrors ({limit}) exceeded for this project.");
            return Err(("base", message));
        }
        Ok(())
    }

    /// The branches that a mirror pushes: `options_for_update` in `app/models/remote_mirror.rb`
    /// names the project's own protected branches (`project.protected_branches.pluck(:name)`), and
    /// in `ee/app/models/ee/remote_mirror.rb` the existing branches that match the regex. Gitaly's
    /// `newReferenceMatcher` matches every branch if that list is empty
    /// (`internal/gitaly/service/remote/update_remote_mirror.go`;
    /// <https://gitlab.com/gitlab-org/gitlab/-/issues/221215>).
    pub fn mirrored(&self, mirror: &Mirror) -> Vec<(String, String)> {
        let names = self.mirrored_names(mirror);
        let is_mirrored =
            |branch: &str| names.is_empty() || names.iter().any(|name| is_like(name, branch));
        let branches = self.branches.iter();
        branches
            .filter(|(branch, _)| is_mirrored(branch))
            .map(|(branch, commit)| (branch.clone(), commit.clone()))
            .collect()
    }

    /// The names of [`Project::mirrored`]. None if it mirrors every branch.
    pub(crate) fn mirrored_names(&self, mirror: &Mirror) -> Vec<&String> {
        match &mirror.branch_regex {
            _ if mirror.only_protected_branches => self.protected.iter().collect(),
            Some(regex) => self.branches_like(regex).collect(),
            None => vec![],
        }
    }

    pub(crate) fn is_protected(&self, branch: &str) -> bool {
        self.protected.iter().any(|name| is_like(name, branch))
    }

    /// The existing branches whose names match (`app/finders/branches_finder.rb`, `by_regex`).
    pub(crate) fn branches_like(&self, regex: &str) -> impl Iterator<Item = &String> {
        let branches = self.branches.keys();
        branches.filter(move |branch| matches_regex(regex, branch).unwrap_or_default())
    }
}

impl Mirror {
    /// How often it runs (`backoff_delay` in `app/models/remote_mirror.rb`).
    pub(crate) fn backoff(&self, behaviour: &Behaviour) -> Duration {
        if self.only_protected_branches {
            return behaviour.protected_backoff;
        }
        behaviour.unprotected_backoff
    }

    /// `masked_url` in `lib/gitlab/url_sanitizer.rb`.
    pub(crate) fn masked_url(&self) -> String {
        match self.login {
            Some(_) => self.url.replacen("://", "://*****:*****@", 1),
            None => self.url.clone(),
        }
    }

    /// `stuck` in `app/models/remote_mirror.rb`: a push to the project sets it to failed.
    pub(crate) fn is_stuck(&self, now: Duration) -> bool {
        let started = self.started.filter(|_| self.status == "started");
        started.is_some_and(|started| started + self.max_runtime() < now)
    }

    /// `max_runtime` in `app/models/remote_mirror.rb`.
    pub(crate) fn max_runtime(&self) -> Duration {
        match self.updated {
            Some(_) => MAX_INCREMENTAL_RUNTIME,
            None => MAX_FIRST_RUNTIME,
        }
    }

    /// The `CodeCommit` repository of its URL, in any spelling.
    pub fn repository(&self) -> Option<&str> {
        let rest = self.url.strip_prefix("https://")?;
        let (host, path) = rest.split_once('/')?;
        let host = host.strip_suffix(":443").unwrap_or(host);
        if !host.eq_ignore_ascii_case("git-codecommit.eu-central-1.amazonaws.com") {
            return None;
        }
        Some(path.strip_prefix("v1/repos/")?.trim_end_matches('/'))
    }

    pub fn is_ours(&self) -> bool {
        self.made_by != ANOTHER_PERSON
    }
}

impl Wanted {
    /// `verify_mirror_branches_setting` in `ee/lib/ee/api/helpers/remote_mirrors_helpers.rb`: one
    /// of the two replaces the other one.
    fn apply(&self, mirror: &mut Mirror) {
        mirror.enabled = self.enabled.unwrap_or(mirror.enabled);
        mirror.keep_divergent_refs = self.keep_divergent_refs.unwrap_or(mirror.keep_divergent_refs);
        if let Some(only) = self.only_protected_branches {
            mirror.only_protected_branches = only;
            if only {
                mirror.branch_regex = None;
            }
        }
        if let Some(regex) = &self.branch_regex {
            mirror.branch_regex = Some(regex.clone()).filter(|regex| !regex.is_empty());
            if mirror.branch_regex.is_some() {
                mirror.only_protected_branches = false;
            }
        }
    }
}
