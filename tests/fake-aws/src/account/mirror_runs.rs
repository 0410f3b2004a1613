//! The runs of push mirrors: their start, their pushes with their logins, and the state after a
//! failure. Nothing runs in the background: the fake AWS takes each step when its
//! time has come.

use std::time::Duration;

use crate::{
    account::state::AwsState,
    gitlab::{EmptyProjects, GitLab, Job, Mirror, Push, runs::FailedPush},
    services::iam::ACCOUNT,
};

/// `MAX_TRIES` in `app/services/projects/update_remote_mirror_service.rb`: a failed push is tried
/// again so often.
const MOST_TRIES: u32 = 3;
/// `LOCK_WAIT_TIME` in `app/workers/repository_update_remote_mirror_worker.rb`: a run waits for one
/// in progress, three times at most.
const WAITS: Duration = Duration::from_secs(30);
const MOST_WAITS: u32 = 3;
/// Takes the next due step.
pub fn step(aws: &mut AwsState) {
    let gitlab = &mut aws.gitlab;
    let job = (0..gitlab.jobs.len()).min_by_key(|at| gitlab.jobs[*at].due);
    let push = (0..gitlab.pushes.len()).min_by_key(|at| gitlab.pushes[*at].ends);
    let comes_first =
        |job: &usize| push.is_none_or(|push| gitlab.jobs[*job].due < gitlab.pushes[push].ends);
    if let Some(job) = job.filter(comes_first) {
        let job = gitlab.jobs.remove(job);
        begin(aws, job);
    } else if let Some(push) = push {
        let push = gitlab.pushes.remove(push);
        let outcome = finish(aws, &push);
        note(aws, &push, outcome);
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
    let backoff = mirror.backoff(&behaviour);
    let is_running = |push: &Push| push.mirror.id == job.mirror;
    let is_leased = mirror.abandoned_lease_ends > Some(now);
    if is_leased || gitlab.pushes.iter().any(is_running) {
        let (after, waits) = match job.waits {
            MOST_WAITS => (backoff, 0),
            waits => (WAITS.min(backoff), waits + 1),
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
        ends: now + aws.world.options.sync_takes,
        branches: project.mirrored(mirror),
        tries: job.tries,
        counts: counts || !mirror.is_ours(),
    };
    let project = gitlab.projects.get_mut(&job.project).expect("found");
    let mirror = project.mirrors.get_mut(&job.mirror).expect("found");
    mirror.status = "started";
    mirror.started = Some(now);
    if is_empty {
        let why = "13:push to mirror: no refs to push".to_owned();
        note(aws, &push, Err(PushFailure::Again(why)));
        return;
    }
    if let Some(served) = &mut aws.gitlab.served {
        served.begun.push(push.mirror.id);
        // It ends by [`end`].
        let ends = Duration::MAX;
        aws.gitlab.pushes.push(Push { ends, ..push });
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
    let shown = mirror.masked_url();
    let fatal = |text: &str| {
        format!("13:push to mirror: git push: exit status 128, stderr: \"fatal: {text}\\n\".")
    };
    let login = mirror.login.as_ref();
    let iam = aws.iam.seen(aws.now, aws.options.login_late);
    let status = login.map_or(401, |(name, password)| {
        let answer = aws.codecommit.may_push(iam, name, password, repository);
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

/// The push of a mirror has ended in another program. Without an error, `diverged` has the
/// references that it kept.
pub fn end(aws: &mut AwsState, mirror: u64, error: Option<&str>, diverged: &[&str]) {
    let pushes = &mut aws.gitlab.pushes;
    let at = pushes.iter().position(|push| push.mirror.id == mirror);
    let push = pushes.remove(at.expect("a push that has begun"));
    let outcome = match error {
        Some(why) => Err(PushFailure::Again(why.to_owned())),
        None if diverged.is_empty() => Ok(()),
        None => Err(have_diverged(diverged)),
    };
    note(aws, &push, outcome);
}

fn have_diverged(references: &[impl AsRef<str>]) -> PushFailure {
    let references: Vec<&str> = references.iter().map(AsRef::as_ref).collect();
    PushFailure::ForGood(format!(
        "Some refs have diverged and have not been updated on the remote:\n\n{}",
        references.join("\n")
    ))
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
    let known = aws.gitlab.projects.get(&push.project).map(|project| project.commits.clone());
    let mut diverged = vec![];
    for (branch, commit) in &push.branches {
        let held = &aws.codecommit.repositories[repository];
        let old = held.branches.get(branch).cloned();
        // With `keep_divergent_refs`, references stay that the other side has and this one never
        // had (`doc/user/project/repository/mirror/push.md`, "Keep divergent refs").
        let is_foreign = |old: &String| known.as_ref().is_some_and(|known| !known.contains(old));
        if push.mirror.keep_divergent_refs && old.as_ref().is_some_and(is_foreign) {
            diverged.push(format!("refs/heads/{branch}"));
        } else if old.as_ref() != Some(commit) {
            let event = aws.push(ACCOUNT, repository, branch, commit);
            let reactions = aws.send_event(&event);
            aws.gitlab.reactions.extend(reactions);
        }
    }
    if diverged.is_empty() {
        return Ok(());
    }
    Err(have_diverged(&diverged))
}

fn is_there(aws: &AwsState, push: &Push) -> bool {
    let project = aws.gitlab.projects.get(&push.project);
    project.is_some_and(|project| project.mirrors.contains_key(&push.mirror.id))
}

/// The message with the address that the mirror pushes to, as git shows it.
fn with_login(why: &str, push: &Push) -> String {
    let (name, password) = push.mirror.login.clone().unwrap_or_default();
    let login = format!("://{name}:{password}@");
    format!("{why}\nTo {}", push.mirror.url.replacen("://", &login, 1))
}

/// Writes down how a run ended (`app/services/projects/update_remote_mirror_service.rb` and the
/// states in `app/models/remote_mirror.rb`).
fn note(aws: &mut AwsState, push: &Push, outcome: Result<(), PushFailure>) {
    let now = aws.now;
    let shows_login = aws.options.gitlab.errors_show_the_login;
    let failure = outcome.err().map(|failure| match failure {
        PushFailure::Again(why) if shows_login => PushFailure::Again(with_login(&why, push)),
        PushFailure::ForGood(why) if shows_login => PushFailure::ForGood(with_login(&why, push)),
        masked => masked,
    });
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
            let backoff = mirror.backoff(&aws.world.options.gitlab);
            mirror.status = "to_retry";
            mirror.last_error = Some(why);
            gitlab.jobs.push(Job {
                project: push.project,
                mirror: push.mirror.id,
                due: now + backoff,
                asked: now + Duration::from_secs(1).min(backoff),
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
