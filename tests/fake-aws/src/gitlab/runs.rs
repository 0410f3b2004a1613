//! The runs of push mirrors that are to begin or in progress.

use std::time::Duration;

use crate::{
    gitlab::{GitLab, Job, Push, history},
    world::World,
};

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
pub fn sync(gitlab: &mut GitLab, world: &World, project: u64, mirror: u64) {
    let now = world.now;
    let held = &gitlab.projects[&project].mirrors[&mirror];
    let backoff = held.backoff(&world.options.gitlab);
    let recent = held.started.is_some_and(|started| started + backoff >= now);
    gitlab.jobs.push(Job {
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
pub fn kill_sidekiq(gitlab: &mut GitLab, project: &str) {
    let id = gitlab.named(project).id;
    let (killed, left) = std::mem::take(&mut gitlab.pushes)
        .into_iter()
        .partition(|push| push.project == id);
    gitlab.pushes = left;
    let killed: Vec<Push> = killed;
    for push in killed {
        let mirrors = &mut gitlab.project_mut(project).mirrors;
        if let Some(mirror) = mirrors.get_mut(&push.mirror.id) {
            let lease_ends = mirror.started.map(|started| started + push.mirror.max_runtime());
            mirror.abandoned_lease_ends = lease_ends;
        }
    }
}

/// A developer pushes to GitLab. Every enabled mirror runs, and stuck ones are set to
/// failed before it (`update_remote_mirrors` in `app/services/git/process_ref_changes_service.rb`
/// and `mark_stuck_remote_mirrors_as_failed!` in `app/models/project.rb`).
pub fn push(gitlab: &mut GitLab, world: &World, project: &str, branch: &str, commit: &str) {
    let held = gitlab.project_mut(project);
    // The first pushed branch becomes the default branch, which GitLab protects
    // (`app/services/projects/protect_default_branch_service.rb`).
    if held.branches.is_empty() {
        branch.clone_into(&mut held.default_branch);
        held.protected.insert(branch.to_owned());
    }
    history::record(held, branch, commit, world.now);
    held.branches.insert(branch.to_owned(), commit.to_owned());
    held.commits.insert(commit.to_owned());
    let id = held.id;
    project_was_pushed_to(gitlab, world, id);
}

/// Every enabled mirror runs, and stuck ones are set to failed before it.
pub fn project_was_pushed_to(gitlab: &mut GitLab, world: &World, id: u64) {
    let (now, behaviour) = (world.now, &world.options.gitlab);
    let held = gitlab.projects.get_mut(&id).expect("a project");
    let mirrors = held.mirrors.values();
    let enabled = mirrors.filter(|mirror| GitLab::is_enabled(behaviour, held, mirror));
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
        sync(gitlab, world, id, mirror);
    }
}
