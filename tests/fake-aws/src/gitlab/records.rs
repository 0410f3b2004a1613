//! The records of a GitLab project: commit statuses, deployments, environments and notes. Each rule
//! names the file of GitLab's source that it was read from.

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

use crate::gitlab::project_data::{History, MergeRequest};

/// The user of the tests' tokens.
pub const OWN_USER: u64 = 7;
/// Another bot.
pub const OTHER_USER: u64 = 8;
/// A person who may post statuses.
pub const PERSON: u64 = 9;
/// `app/models/commit_status.rb`, `app/models/generic_commit_status.rb`,
/// `app/models/environment.rb`.
const MAX_CHARACTERS: usize = 255;

/// A pipeline of GitLab CI, or an external one, which a commit status creates
/// (`app/models/ci/pipeline.rb`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiPipeline {
    pub id: u64,
    pub sha: String,
    pub reference: String,
    /// No job can be added to it (`not_archived` in `app/models/ci/pipeline.rb`).
    pub is_archived: bool,
}

/// When GitLab CI creates another pipeline of every commit: a schedule, or "Run pipeline".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CiRuns {
    #[default]
    Never,
    /// Before the call with this number, from 0, of those about commits and environments.
    At(usize),
    /// Before each of them.
    Always,
}

/// A job in the stage `external` of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub id: u64,
    /// The number of its pipeline.
    pub pipeline: u64,
    pub sha: String,
    pub name: String,
    pub state: &'static str,
    pub reference: String,
    pub description: String,
    pub target_url: String,
    pub user: u64,
    /// Replaced by a later job. GitLab lists it with `all` only.
    pub is_retried: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    pub id: u64,
    pub environment: String,
    pub sha: String,
    pub reference: String,
    pub state: &'static str,
    /// When it was created.
    pub created_at: String,
    /// Whether a job of GitLab CI made it, which is its `deployable`.
    pub is_from_ci: bool,
    /// The number of its last change.
    changed: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    pub id: u64,
    pub name: String,
    pub external_url: Option<String>,
    pub tier: &'static str,
    pub is_stopped: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub id: u64,
    /// `merge_requests/<iid>`, or `commits/<sha>` where it is a discussion.
    pub place: String,
    pub body: String,
    pub user: u64,
    /// GitLab wrote it about a change (`app/models/system_note_metadata.rb`).
    pub is_system: bool,
}

/// The records of a project.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// A public project, which shows all of this to everybody.
    pub is_public: bool,
    /// All users of the instance see it.
    pub is_internal: bool,
    pub ci_runs: CiRuns,
    /// The parts that are switched off, such as `merge_requests`
    /// (<https://docs.gitlab.com/api/projects/#project-feature-visibility-level>).
    pub switched_off: BTreeSet<&'static str>,
    /// The number of calls about commits and environments.
    calls: usize,
    pub pipelines: Vec<CiPipeline>,
    pub statuses: Vec<Status>,
    pub deployments: Vec<Deployment>,
    pub environments: Vec<Environment>,
    /// The merge requests of a commit: number and state.
    pub merge_requests: BTreeMap<String, Vec<(u64, &'static str)>>,
    /// More of each merge request that a test describes.
    pub details: BTreeMap<u64, MergeRequest>,
    pub notes: Vec<Note>,
    /// How its branches got their tips.
    pub history: History,
    /// The objects of its tags, by their names.
    pub tags: BTreeMap<String, String>,
    ids: u64,
}

/// A response that is not a success: its status, and `message`.
pub type Rejection = (u16, serde_json::Value);

impl Records {
    /// Removes what programs have written: it has none of it.
    pub(crate) fn forget_written(&mut self) {
        self.pipelines.clear();
        self.statuses.clear();
        self.deployments.clear();
        self.environments.clear();
        self.notes.clear();
    }

    /// Whether programs have written nothing.
    pub fn is_unwritten(&self) -> bool {
        self.statuses.is_empty()
            && self.deployments.is_empty()
            && self.environments.is_empty()
            && self.notes.is_empty()
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        1000 + self.ids
    }

    /// The statuses that GitLab lists, the oldest first: without those that were replaced in their
    /// pipelines.
    pub fn current(&self, sha: &str, name: &str) -> Vec<&Status> {
        let statuses = self.statuses.iter();
        let current = statuses.filter(|one| one.sha == sha && one.name == name && !one.is_retried);
        current.collect()
    }

    /// Counts a call, and creates the pipelines of GitLab CI that precede it.
    pub fn before_call(&mut self, commits: &BTreeSet<String>, reference: &str) {
        let runs = match self.ci_runs {
            CiRuns::Never => false,
            CiRuns::At(number) => number == self.calls,
            CiRuns::Always => true,
        };
        self.calls += 1;
        for sha in commits.iter().filter(|_| runs) {
            self.create_pipeline(sha, reference);
        }
    }

    pub fn create_pipeline(&mut self, sha: &str, reference: &str) -> u64 {
        let id = self.next_id();
        self.pipelines.push(CiPipeline {
            id,
            sha: sha.to_owned(),
            reference: reference.to_owned(),
            is_archived: false,
        });
        id
    }

    /// GitLab CI creates a pipeline of a later commit than `sha`: all open jobs of the earlier one
    /// are canceled, also in pipelines that GitLab CI has not created. By default
    /// (`app/services/ci/pipeline_creation/cancel_redundant_pipelines_service.rb`).
    pub fn cancel_redundant(&mut self, sha: &str) {
        let statuses = self.statuses.iter_mut();
        for status in statuses.filter(|one| one.sha == sha && is_open(one.state)) {
            status.state = "canceled";
        }
    }

    pub fn is_archived(&self, pipeline: u64) -> bool {
        self.pipelines.iter().any(|one| one.id == pipeline && one.is_archived)
    }

    /// `first_matching_pipeline` in `app/services/ci/create_commit_status_service.rb`: the newest
    /// of the SHA and ref, or the `wanted` one.
    fn find_pipeline(&self, posted: &Status, wanted: Option<u64>) -> Option<u64> {
        let mut matching = self.pipelines.iter().rev().filter(|one| {
            let same = (&one.sha, &one.reference) == (&posted.sha, &posted.reference);
            same && !one.is_archived && wanted.is_none_or(|id| id == one.id)
        });
        matching.next().map(|one| one.id)
    }

    /// `app/services/ci/create_commit_status_service.rb`. `wanted` is the parameter `pipeline_id`.
    pub fn post_status(
        &mut self,
        posted: Status,
        wanted: Option<u64>,
    ) -> Result<Status, Rejection> {
        let pipeline = self.find_pipeline(&posted, wanted);
        if pipeline.is_none() && wanted.is_some() {
            let message = "404 Pipeline for pipeline_id, sha and ref Not Found";
            return Err((404, message.into()));
        }
        let pipeline =
            pipeline.unwrap_or_else(|| self.create_pipeline(&posted.sha, &posted.reference));
        let is_long = |text: &str| text.chars().count() > MAX_CHARACTERS;
        let reason = "is too long (maximum is 255 characters)";
        if is_long(&posted.description) {
            return Err((400, json!({"description": [reason]})));
        }
        // Two validations of the model have this limit.
        if is_long(&posted.target_url) {
            return Err((400, json!({"target_url": [reason, reason]})));
        }
        if !posted.target_url.is_empty() && !posted.target_url.starts_with("http") {
            let reason = "is blocked: Only allowed schemes are http, https";
            return Err((400, json!({"target_url": [reason]})));
        }
        // `external_commit_status_scope`: finds only a running or pending status of the same name,
        // ref and user in the pipeline. `retried` is not a condition and is never reset, so a
        // retried status is found and remains retried.
        let found = self.statuses.iter().position(|one| {
            is_open(one.state)
                && (one.pipeline, &one.name, one.user) == (pipeline, &posted.name, posted.user)
        });
        let former = found.map_or("created", |at| self.statuses[at].state);
        let state = transition(former, posted.state)?;
        let saved = if let Some(at) = found {
            let one = &mut self.statuses[at];
            one.state = state;
            // `optional_commit_status_params`: only the given ones.
            for (held, given) in [
                (&mut one.description, posted.description),
                (&mut one.target_url, posted.target_url),
            ] {
                if !given.is_empty() {
                    *held = given;
                }
            }
            one.clone()
        } else {
            let id = self.next_id();
            let saved = Status {
                id,
                pipeline,
                state,
                ..posted
            };
            self.statuses.push(saved.clone());
            saved
        };
        // `update_older_statuses_retried!` in `app/models/commit_status.rb`: all others of this
        // name in the pipeline, of any user.
        for other in &mut self.statuses {
            let same = (other.pipeline, &other.name) == (saved.pipeline, &saved.name);
            if same && other.id != saved.id {
                other.is_retried = true;
            }
        }
        Ok(saved)
    }

    /// `app/services/deployments/create_service.rb`: a deployment that equals the environment's
    /// latest successful one is not created again.
    pub fn create_deployment(
        &mut self,
        environment: &str,
        sha: &str,
        reference: &str,
        state: &'static str,
        now: &str,
    ) -> Deployment {
        if !self.environments.iter().any(|one| one.name == environment) {
            let id = self.next_id();
            self.environments.push(Environment {
                id,
                name: environment.to_owned(),
                external_url: None,
                tier: guessed_tier(environment),
                is_stopped: false,
            });
        }
        // `app/services/deployments/update_environment_service.rb`.
        let mut environments = self.environments.iter_mut();
        if let Some(held) = environments.find(|one| one.name == environment && state == "success") {
            held.is_stopped = false;
        }
        let of_environment = self.deployments.iter();
        let successes =
            of_environment.filter(|one| one.environment == environment && one.state == "success");
        let latest = successes.max_by_key(|one| one.changed);
        let same = latest.filter(|one| {
            (one.sha.as_str(), one.reference.as_str(), one.state) == (sha, reference, state)
        });
        if let Some(same) = same {
            return same.clone();
        }
        let id = self.next_id();
        let created = Deployment {
            id,
            environment: environment.to_owned(),
            sha: sha.to_owned(),
            reference: reference.to_owned(),
            state,
            created_at: now.to_owned(),
            is_from_ci: false,
            changed: id,
        };
        self.deployments.push(created.clone());
        created
    }

    /// `lib/api/notes.rb`, `lib/api/discussions.rb`.
    pub fn create_note(&mut self, place: &str, body: &str, user: u64) -> Note {
        let note = Note {
            id: self.next_id(),
            place: place.to_owned(),
            body: body.to_owned(),
            user,
            is_system: false,
        };
        self.notes.push(note.clone());
        note
    }
}

pub fn is_open(state: &str) -> bool {
    matches!(state, "pending" | "running")
}

/// The `state_machine` of `app/models/commit_status.rb`, with the message of
/// `app/services/ci/pipelines/add_job_service.rb`.
fn transition(from: &'static str, to: &'static str) -> Result<&'static str, Rejection> {
    // `job.enqueue` precedes `job.run!`.
    let from = if to == "running" && from == "created" {
        "pending"
    } else {
        from
    };
    let (event, before): (_, &[&str]) = match to {
        "pending" => ("enqueue", &["created"]),
        "running" => ("run", &["pending"]),
        "success" => ("success", &["created", "pending", "running"]),
        "failed" => ("drop", &["created", "pending", "running"]),
        _ => ("cancel", &["created", "pending", "running"]),
    };
    if before.contains(&from) {
        return Ok(to);
    }
    let message = format!(
        "Cannot transition status via :{event} from :{from} (Reason(s): Status cannot transition \
         via \"{event}\")"
    );
    Err((400, message.into()))
}

/// `guess_tier` in `app/models/environment.rb`: the first of its patterns that the name contains.
fn guessed_tier(name: &str) -> &'static str {
    let words: [(_, &[&str]); 4] = [
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
    let has = |(_, words): &&(_, &[&str])| words.iter().any(|word| name.contains(word));
    words.iter().find(has).map_or("other", |(tier, _)| tier)
}
