//! What a GitLab project shows of its commits: commit statuses, deployments, environments and notes.
//! Each rule names the file of GitLab's source that it was read from.

use std::collections::BTreeMap;

/// The user of the tests' tokens.
pub const OWN_USER: u64 = 7;
/// Another bot.
pub const OTHER_USER: u64 = 8;
/// `app/models/commit_status.rb`, `app/models/generic_commit_status.rb`, `app/models/environment.rb`.
const MAX_CHARACTERS: usize = 255;

/// A job of an external pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub id: u64,
    pub sha: String,
    pub name: String,
    pub state: &'static str,
    pub reference: String,
    pub description: String,
    pub target_url: String,
    pub user: u64,
    /// Replaced by a later job. GitLab does not list it.
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
    /// The number of its last change.
    changed: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    pub id: u64,
    pub name: String,
    pub external_url: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub id: u64,
    /// `merge_requests/<iid>`, or `commits/<sha>` where it is a discussion.
    pub place: String,
    pub body: String,
    pub user: u64,
}

/// The records of a project.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// A public project, which shows all of this to everybody.
    pub is_public: bool,
    /// CI/CD is switched off (`builds_access_level`).
    pub without_ci: bool,
    pub statuses: Vec<Status>,
    pub deployments: Vec<Deployment>,
    pub environments: Vec<Environment>,
    /// The merge requests of a commit: number and state.
    pub merge_requests: BTreeMap<String, Vec<(u64, &'static str)>>,
    /// The source branch of each merge request that a test names one for.
    pub source_branches: BTreeMap<u64, String>,
    pub notes: Vec<Note>,
    ids: u64,
}

/// A response that is not a success: its status, and `message`.
pub type Rejection = (u16, serde_json::Value);

impl Records {
    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        1000 + self.ids
    }

    /// The statuses that GitLab lists: without those that were replaced.
    pub fn current(&self, sha: &str, name: &str) -> Vec<&Status> {
        let statuses = self.statuses.iter();
        let current = statuses.filter(|one| one.sha == sha && one.name == name && !one.is_retried);
        current.collect()
    }

    /// `app/services/ci/create_commit_status_service.rb`.
    pub fn post_status(&mut self, posted: Status) -> Result<Status, Rejection> {
        let is_long = |text: &str| text.chars().count() > MAX_CHARACTERS;
        if is_long(&posted.description) || is_long(&posted.target_url) {
            let reason = "is too long (maximum is 255 characters)";
            return Err((400, serde_json::json!({"description": [reason]})));
        }
        // `external_commit_status_scope`: finds only a running or pending status of the same name,
        // ref and user. `retried` is not a condition and is never reset, so a retried status is
        // found and remains retried.
        let found = self.statuses.iter().position(|one| {
            is_open(one.state)
                && (&one.sha, &one.name, &one.reference, one.user)
                    == (&posted.sha, &posted.name, &posted.reference, posted.user)
        });
        let former = found.map_or("created", |at| self.statuses[at].state);
        let state = transition(former, posted.state)?;
        let saved = if let Some(at) = found {
            let one = &mut self.statuses[at];
            *one = Status {
                id: one.id,
                state,
                is_retried: one.is_retried,
                ..posted
            };
            one.clone()
        } else {
            let id = self.next_id();
            let saved = Status {
                id,
                state,
                ..posted
            };
            self.statuses.push(saved.clone());
            saved
        };
        // `update_older_statuses_retried!` in `app/models/commit_status.rb`: all others of this
        // name in the pipeline, of any user.
        for other in &mut self.statuses {
            let same = (&other.sha, &other.name, &other.reference)
                == (&saved.sha, &saved.name, &saved.reference);
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
            });
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
