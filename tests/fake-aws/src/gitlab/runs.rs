//! The runs of push mirrors: their start, their pushes with their logins, and the state after a
//! failure. Nothing runs in the background: the fake AWS takes each step when its
//! time has come.

use std::time::Duration;

use crate::{
    gitlab::{EmptyProjects, GitLab, Mirror, history},
    services::{codecommit, event_bus, iam::ACCOUNT},
    state::AwsState,
};

/// `MAX_TRIES` in `app/services/projects/update_remote_mirror_service.rb`: a failed push is tried
/// again so often.
const MOST_TRIES: u32 = 3;
/// `LOCK_WAIT_TIME` in `app/workers/repository_update_remote_mirror_worker.rb`: a run waits for one
/// in progress, three times at most.
const WAITS: Duration = Duration::from_secs(30);
const MOST_WAITS: u32 = 3;
/// Longer than any run is put off.
const ALL_HAVE_RUN: Duration = Duration::from_mins(12);

/// A run that is to begin (`RepositoryUpdateRemoteMirrorWorker`).
#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub project: u64,
    pub mirror: u64,
    pub due: Duration,
    /// When it was ordered: a run that started later has done its work.
    asked: Duration,
    tries: u32,
    waits: u32,
}

/// A running sync. It continues if its mirror is deleted, because git is pushing.
#[derive(Clone, Debug)]
pub struct Push {
    pub project: u64,
    /// As it was when the run began.
    pub mirror: Mirror,
    pub ends: Duration,
    branches: Vec<(String, String)>,
    tries: u32,
    /// Its mirror stood in a secret's AWSCURRENT when the run began, or is not the product's.
    counts: bool,
}

/// A push that did not arrive.
#[derive(Clone, Debug, PartialEq)]
pub struct FailedPush {
    pub at: Duration,
    pub project: u64,
    pub mirror: u64,
    pub made_by: String,
    pub repository: Option<String>,
    pub why: String,
    /// Whether a failure has an effect. A mirror that is removed before it was ever in a secret's
    /// AWSCURRENT fails without one: its predecessor pushes the same commits.
    pub counts: bool,
}

impl GitLab {
    /// When something happens next.
    pub fn due(&self) -> Option<Duration> {
        let jobs = self.jobs.iter().map(|job| job.due);
        let ends = self.pushes.iter().map(|push| push.ends);
        jobs.chain(ends).min()
    }
}

/// Orders a run of a mirror (`sync` in `app/models/remote_mirror.rb`): now, or, if the last
/// one started less than the backoff ago, the whole backoff from now.
pub fn sync(aws: &mut AwsState, project: u64, mirror: u64) {
    let now = aws.now;
    let held = &aws.gitlab.projects[&project].mirrors[&mirror];
    let backoff = held.backoff();
    let recent = held.started.is_some_and(|started| started + backoff >= now);
    aws.gitlab.jobs.push(Job {
        project,
        mirror,
        due: if recent { now + backoff } else { now },
        asked: now,
        tries: 0,
        waits: 0,
    });
}

/// Kills the Sidekiq process that runs the mirrors of `project` (a deployment, or out of memory).
/// Nothing corrects the state of a killed run: `started` stays, and the lease remains for
/// `max_runtime` (`in_lock` in `app/workers/repository_update_remote_mirror_worker.rb`). Sidekiq's
/// repetition of the job ends at once, because the run started after it was ordered
/// (`updated_since?`). <https://gitlab.com/gitlab-org/gitlab/-/issues/628725> is the same for
/// pull mirrors.
pub fn kill_sidekiq(aws: &mut AwsState, project: &str) {
    let id = aws.gitlab.named(project).id;
    let (killed, left) = std::mem::take(&mut aws.gitlab.pushes)
        .into_iter()
        .partition(|push| push.project == id);
    aws.gitlab.pushes = left;
    let killed: Vec<Push> = killed;
    for push in killed {
        let mirrors = &mut aws.gitlab.project_mut(project).mirrors;
        if let Some(mirror) = mirrors.get_mut(&push.mirror.id) {
            let lease_ends = mirror
                .started
                .map(|started| started + push.mirror.max_runtime());
            mirror.abandoned_lease_ends = lease_ends;
        }
    }
}

/// A developer pushes to GitLab. Every enabled mirror runs, and stuck ones are set to
/// failed before it (`update_remote_mirrors` in `app/services/git/process_ref_changes_service.rb`
/// and `mark_stuck_remote_mirrors_as_failed!` in `app/models/project.rb`).
pub fn push(aws: &mut AwsState, project: &str, branch: &str, commit: &str) {
    let (now, behaviour) = (aws.now, aws.options.gitlab.clone());
    let held = aws.gitlab.project_mut(project);
    // The first pushed branch becomes the default branch, which GitLab protects
    // (`app/services/projects/protect_default_branch_service.rb`).
    if held.branches.is_empty() {
        branch.clone_into(&mut held.default_branch);
        held.protected.insert(branch.to_owned());
    }
    history::record(held, branch, commit, now);
    held.branches.insert(branch.to_owned(), commit.to_owned());
    held.commits.insert(commit.to_owned());
    let id = held.id;
    let mirrors = held.mirrors.values();
    let enabled = mirrors.filter(|mirror| GitLab::is_enabled(&behaviour, held, mirror));
    let enabled: Vec<u64> = enabled.map(|mirror| mirror.id).collect();
    // `has_remote_mirror?`: where no mirror is enabled, no stuck one is corrected either.
    if !enabled.is_empty() {
        let stuck = held.mirrors.values_mut();
        for mirror in stuck.filter(|mirror| mirror.is_stuck(now)) {
            mirror.status = "failed";
            mirror.last_error = Some("The remote mirror took to long to complete.".to_owned());
            mirror.updated = Some(now);
        }
    }
    for mirror in enabled {
        sync(aws, id, mirror);
    }
}

/// Takes the next due step.
pub fn step(aws: &mut AwsState) {
    let gitlab = &mut aws.gitlab;
    let job = (0..gitlab.jobs.len()).min_by_key(|at| gitlab.jobs[*at].due);
    let push = (0..gitlab.pushes.len()).min_by_key(|at| gitlab.pushes[*at].ends);
    match (job, push) {
        (Some(job), Some(push)) if gitlab.jobs[job].due < gitlab.pushes[push].ends => {
            let job = gitlab.jobs.remove(job);
            begin(aws, job);
        }
        (_, Some(push)) => {
            let push = gitlab.pushes.remove(push);
            let outcome = finish(aws, &push);
            note(aws, &push, outcome);
        }
        (Some(job), None) => {
            let job = gitlab.jobs.remove(job);
            begin(aws, job);
        }
        (None, None) => {}
    }
}

/// `perform` in `app/workers/repository_update_remote_mirror_worker.rb`.
fn begin(aws: &mut AwsState, job: Job) {
    let (now, behaviour) = (aws.now, aws.options.gitlab.clone());
    let counts = is_current(aws, job.mirror);
    let gitlab = &mut aws.gitlab;
    let Some(project) = gitlab.projects.get(&job.project) else {
        return;
    };
    let Some(mirror) = project.mirrors.get(&job.mirror) else {
        return;
    };
    // Checked before it waits, and not again.
    let has_run = mirror.status != "failed" && mirror.started > Some(job.asked);
    if job.waits == 0 && has_run {
        return;
    }
    let is_running = |push: &Push| push.mirror.id == job.mirror;
    let is_leased = mirror.abandoned_lease_ends > Some(now);
    if is_leased || gitlab.pushes.iter().any(is_running) {
        let (after, waits) = match job.waits {
            MOST_WAITS => (mirror.backoff(), 0),
            waits => (WAITS, waits + 1),
        };
        gitlab.jobs.push(Job {
            due: now + after,
            waits,
            ..job
        });
        return;
    }
    let is_empty = project.branches.is_empty();
    if !GitLab::is_enabled(&behaviour, project, mirror)
        || (is_empty && behaviour.empty_projects == EmptyProjects::NeverRun)
    {
        return;
    }
    let push = Push {
        project: job.project,
        mirror: mirror.clone(),
        ends: now + aws.options.sync_takes,
        branches: project.mirrored(mirror),
        tries: job.tries,
        counts: counts || !mirror.is_ours(),
    };
    let mirrors = &mut gitlab
        .projects
        .get_mut(&job.project)
        .expect("found")
        .mirrors;
    let mirror = mirrors.get_mut(&job.mirror).expect("found");
    mirror.status = "started";
    mirror.started = Some(now);
    if is_empty {
        let why = "13:push to mirror: no refs to push".to_owned();
        note(aws, &push, Err(PushFailure::Again(why)));
        return;
    }
    match logs_in(aws, &push.mirror) {
        Ok(()) => aws.gitlab.pushes.push(push),
        Err(why) => note(aws, &push, Err(PushFailure::Again(why))),
    }
}

/// Whether a secret names a mirror at AWSCURRENT.
fn is_current(aws: &AwsState, mirror: u64) -> bool {
    aws.secrets.keys().any(|name| {
        let value = aws.current(name).unwrap_or_default();
        let value: serde_json::Value = serde_json::from_str(value).unwrap_or_default();
        let named = value["mirrors"].as_array().into_iter().flatten();
        named.into_iter().any(|one| one["mirrorId"] == mirror)
    })
}

/// git logs in with every request: a login that is deleted during a push stops it.
fn logs_in(aws: &AwsState, mirror: &Mirror) -> Result<(), String> {
    let Some(repository) = mirror.repository() else {
        // A manual mirror to an address outside of this fake AWS.
        return Ok(());
    };
    let shown = if aws.options.gitlab.errors_show_the_login {
        let (name, password) = mirror.login.clone().unwrap_or_default();
        mirror
            .url
            .replacen("://", &format!("://{name}:{password}@"), 1)
    } else {
        mirror.masked_url()
    };
    let fatal = |text: &str| {
        format!("13:push to mirror: git push: exit status 128, stderr: \"fatal: {text}\\n\".")
    };
    let login = mirror.login.as_ref();
    let status = login.map_or(401, |(name, password)| {
        let answer = codecommit::may_push(aws, name, password, repository);
        answer.err().unwrap_or(200)
    });
    match status {
        200 => Ok(()),
        401 => Err(fatal(&format!("Authentication failed for '{shown}/'"))),
        404 => Err(fatal(&format!("repository '{shown}/' not found"))),
        status => Err(fatal(&format!(
            "unable to access '{shown}/': The requested URL returned error: {status}"
        ))),
    }
}

enum PushFailure {
    /// A git command failed (`hard_retry_or_fail`).
    Again(String),
    /// References have diverged (`mark_as_failed!`): no other try would change that.
    ForGood(String),
}

/// The push arrives, in the order of the branches' names.
fn finish(aws: &mut AwsState, push: &Push) -> Result<(), PushFailure> {
    logs_in(aws, &push.mirror).map_err(PushFailure::Again)?;
    let Some(repository) = push.mirror.repository() else {
        return Ok(());
    };
    let known = aws.gitlab.projects.get(&push.project);
    let known = known.map(|project| project.commits.clone());
    let mut diverged = vec![];
    for (branch, commit) in &push.branches {
        let held = aws.repositories.get_mut(repository).expect("it was found");
        let old = held.branches.get(branch).cloned();
        // With `keep_divergent_refs`, references stay that the other side has and this one never
        // had (`doc/user/project/repository/mirror/push.md`, "Keep divergent refs").
        let is_foreign = |old: &String| known.as_ref().is_some_and(|known| !known.contains(old));
        if push.mirror.keep_divergent_refs && old.as_ref().is_some_and(is_foreign) {
            diverged.push(format!("refs/heads/{branch}"));
        } else if old.as_ref() != Some(commit) {
            held.push(branch, commit);
            let event =
                event_bus::push_event(aws, ACCOUNT, repository, branch, commit, old.as_deref());
            let reactions = event_bus::send(aws, &event);
            aws.gitlab.reactions.extend(reactions);
        }
    }
    if diverged.is_empty() {
        return Ok(());
    }
    Err(PushFailure::ForGood(format!(
        "Some refs have diverged and have not been updated on the remote:\n\n{}",
        diverged.join("\n")
    )))
}

fn is_there(aws: &AwsState, push: &Push) -> bool {
    let project = aws.gitlab.projects.get(&push.project);
    project.is_some_and(|project| project.mirrors.contains_key(&push.mirror.id))
}

/// Writes down how a run ended (`app/services/projects/update_remote_mirror_service.rb` and the
/// states in `app/models/remote_mirror.rb`).
fn note(aws: &mut AwsState, push: &Push, outcome: Result<(), PushFailure>) {
    let now = aws.now;
    let failure = outcome.err();
    if let Some(PushFailure::Again(why)) = &failure
        && !push.branches.is_empty()
    {
        aws.failed_pushes.push(FailedPush {
            at: now,
            project: push.project,
            mirror: push.mirror.id,
            made_by: push.mirror.made_by.clone(),
            repository: push.mirror.repository().map(str::to_owned),
            why: why.clone(),
            counts: push.counts || is_there(aws, push),
        });
    }
    let gitlab = &mut aws.gitlab;
    let project = gitlab.projects.get_mut(&push.project);
    let mirror = project.and_then(|project| project.mirrors.get_mut(&push.mirror.id));
    let Some(mirror) = mirror else {
        return;
    };
    match failure {
        None => {
            mirror.status = "finished";
            mirror.last_error = None;
            mirror.updated = Some(now);
            mirror.succeeded = Some(now);
        }
        Some(PushFailure::Again(why)) if push.tries < MOST_TRIES => {
            mirror.status = "to_retry";
            mirror.last_error = Some(why);
            gitlab.jobs.push(Job {
                project: push.project,
                mirror: push.mirror.id,
                due: now + mirror.backoff(),
                asked: now + Duration::from_secs(1),
                tries: push.tries + 1,
                waits: 0,
            });
        }
        Some(PushFailure::Again(why) | PushFailure::ForGood(why)) => {
            mirror.status = "failed";
            mirror.last_error = Some(why);
            mirror.updated = Some(now);
        }
    }
}

impl AwsState {
    /// Whether a push to GitLab would reach the repository now, through a mirror that the product
    /// created, and whether no such mirror would fail. Tried on a copy: nothing changes.
    pub fn mirrors_work(&self, project: &str, repository: &str) -> Result<(), String> {
        let mut copy = self.clone();
        let (before, began) = (copy.failed_pushes.len(), copy.now);
        let branch = copy.gitlab.named(project).default_branch.clone();
        let commit = format!("probe-at-{}", began.as_micros());
        push(&mut copy, project, &branch, &commit);
        let id = copy.gitlab.named(project).id;
        while copy.step(began + ALL_HAVE_RUN) {}
        let mut failed = copy.failed_pushes[before..].iter();
        let is_ours = |push: &&FailedPush| {
            let leads_there = push.repository.as_deref() == Some(repository);
            let is_ours = push.made_by != crate::gitlab::ANOTHER_PERSON;
            push.project == id && leads_there && is_ours && push.counts
        };
        if let Some(push) = failed.find(is_ours) {
            return Err(format!(
                "mirror {} of {project} fails: {}",
                push.mirror, push.why
            ));
        }
        let arrived = copy.repositories.get(repository);
        let arrived = arrived.and_then(|held| held.branches.get(&branch));
        if arrived != Some(&commit) {
            return Err(format!(
                "a push to {project} does not reach {repository}: {:?}",
                copy.gitlab.named(project).mirrors
            ));
        }
        let carries = |mirror: &Mirror| {
            mirror.is_ours()
                && mirror.repository() == Some(repository)
                && mirror.succeeded > Some(began)
        };
        let mut mirrors = copy.gitlab.named(project).mirrors.values();
        if !mirrors.any(carries) {
            return Err(format!(
                "a push to {project} reaches {repository} only through a foreign mirror"
            ));
        }
        Ok(())
    }
}
