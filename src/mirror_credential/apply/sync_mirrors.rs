//! Starts the pushes of mirrors, and waits until they end.

use std::fmt::Write as _;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::clients::gitlab::{GitLab, Mirror, PushStatus};
use crate::common::reason_codes::Code;
use crate::mirror_credential::intent_log::mirrors::MirrorRecord;
use crate::mirror_credential::intent_log::write_time;
use crate::mirror_credential::spec::Spec;
use crate::mirror_credential::state::{DeliveryError, State};
use crate::reconcile::backoff::Backoff;
use cfn_custom_resource::Reason;

/// Maximum wait for one push.
const PUSH_TIMEOUT: Duration = Duration::from_secs(12 * 60);

/// The time that waiting for pushes leaves for a rollback.
const ROLLBACK_RESERVE: Duration = Duration::from_secs(90);

/// Lets the mirrors of `records` push, and waits until the pushes end. It stops some time before
/// `until`, for the rollback. All pushes start before it waits for one, so that they run
/// concurrently.
pub async fn sync_mirrors(
    gitlab: &GitLab,
    spec: &Spec,
    state: &mut State,
    records: &[MirrorRecord],
    until: Instant,
    is_rollback: bool,
) -> Result<(), DeliveryError> {
    let Some(mut waiting) = start_pushes(gitlab, spec, state, records, is_rollback).await? else {
        return Ok(());
    };
    let left = until.saturating_duration_since(Instant::now());
    let kept_back = ROLLBACK_RESERVE.max(left.mul_f64(0.1)).min(left.mul_f64(0.5));
    let give_up = Instant::now() + PUSH_TIMEOUT.min(left.saturating_sub(kept_back));
    let mut backoff = Backoff::new();
    while !waiting.is_empty() {
        // A push that ended makes the end of the next one likely.
        backoff.observe(Some(waiting.len()));
        let left = give_up.saturating_duration_since(Instant::now());
        let pause = backoff.next_pause().min(left);
        let is_late = left.is_zero();
        let records = waiting.iter().map(|one: &AwaitedPush| &one.record);
        let calls = records.map(|record| gitlab.mirror(record.project(), record.id));
        let shown = join_all(calls).await;
        for (mut awaited, shown) in std::mem::take(&mut waiting).into_iter().zip(shown) {
            let Some(mirror) = shown? else {
                state.note_mirror_deleted(&awaited.record);
                return Ok(());
            };
            if !has_ended(gitlab, state, &mut awaited, mirror, is_late).await? {
                waiting.push(awaited);
            }
        }
        if !waiting.is_empty() {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(())
}

/// Starts the pushes of `records`, and returns those to wait for: none in a rollback. `None` if a
/// mirror was deleted.
async fn start_pushes(
    gitlab: &GitLab,
    spec: &Spec,
    state: &mut State,
    records: &[MirrorRecord],
    is_rollback: bool,
) -> Result<Option<Vec<AwaitedPush>>, DeliveryError> {
    let mut waiting = Vec::new();
    // A mirror of an empty project has nothing to push.
    let (silent, records): (Vec<_>, Vec<_>) = records.iter().partition(|record| {
        let before = state.mirrors.shown(record);
        before.is_some_and(|mirror| !mirror.enabled)
    });
    state.mirrors.synced.extend(silent.iter().map(|one| one.id));
    let calls = records.iter().map(|one| gitlab.sync(one.project(), one.id));
    for (record, started) in records.iter().zip(join_all(calls).await) {
        let Some(wanted) = state.mirrors.wanted(spec, record) else {
            continue;
        };
        let before = state.mirrors.shown(record).cloned();
        match started {
            Ok(true) => {}
            Ok(false) => {
                state.note_mirror_deleted(record);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        if wanted.waits_for_sync && !is_rollback {
            waiting.push(AwaitedPush {
                record: (*record).clone(),
                before,
                is_requested_again: false,
                has_commits: false,
            });
        } else {
            state.mirrors.synced.insert(record.id);
        }
    }
    Ok(Some(waiting))
}

/// Whether the push is over, and succeeded: GitLab shows `mirror` now.
async fn has_ended(
    gitlab: &GitLab,
    state: &mut State,
    awaited: &mut AwaitedPush,
    mirror: Mirror,
    is_late: bool,
) -> Result<bool, DeliveryError> {
    let record = &awaited.record;
    match Push::of(awaited.before.as_ref(), &mirror) {
        Push::Succeeded => {
            state.mirrors.synced.insert(record.id);
            state.mirrors.note_shown(record, Some(&mirror));
            return Ok(true);
        }
        // IAM may not have propagated the login to where GitLab's push arrived.
        Push::Failed if !awaited.is_requested_again => {
            awaited.is_requested_again = true;
            gitlab.sync(record.project(), record.id).await?;
            awaited.before = Some(mirror.clone());
        }
        Push::Failed => return Err(push_error(state, record, &mirror, "failed")),
        Push::UnderWay => {}
    }
    if !awaited.has_commits {
        if is_empty(gitlab, record).await {
            state.mirrors.synced.insert(record.id);
            return Ok(true);
        }
        awaited.has_commits = true;
    }
    if is_late {
        return Err(push_error(state, record, &mirror, "did not end in time"));
    }
    Ok(false)
}

fn push_error(state: &State, record: &MirrorRecord, mirror: &Mirror, what: &str) -> DeliveryError {
    let (project, repository_name, id) = (&record.project, &record.repository_name, record.id);
    let values = state.login.stored.values().flatten();
    let issued = state.login.issued.as_ref().and_then(|issued| issued.password.as_ref());
    let passwords = values.map(|value| &value.password).chain(issued);
    let error = mirror.last_error.as_ref();
    let error = error.map_or_else(String::new, |error| error.shown(passwords));
    // A constant of GitLab (`app/services/projects/update_remote_mirror_service.rb`).
    let has_diverged = error.contains("Some refs have diverged");
    let mut remedy = "Correct the cause, then update the stack, or press the mirror's update button in the \
        project's Settings, Repository, Mirroring repositories";
    let mut error = if error.is_empty() {
        "GitLab reports no reason".to_owned()
    } else {
        format!("GitLab reports: {error}")
    };
    if has_diverged {
        error.push_str(
            "; with KeepDivergentRefs GitLab overwrites nothing that went another way in the repository",
        );
        remedy = "Delete the diverged branches and tags in the repository, or set KeepDivergentRefs to false";
    }
    if let Some(since) = mirror.started_at.filter(|_| mirror.is_pushing()) {
        let since = write_time(since);
        let _ = write!(error, "; GitLab shows a push in progress since {since}");
        remedy = "If its process was killed, push to the project after one hour, or after three hours for a \
            mirror that never ended a push: then GitLab corrects that";
    }
    let problem = format!(
        "pushing project {project} to repository {repository_name} with push mirror {id}: the push \
         {what}; {error}"
    );
    // GitLab gives the reason only as text. Diverged branches stay until a person acts.
    // Failures of the network and of CodeCommit may pass.
    DeliveryError {
        reason: Reason::new(Code::PushFailed, problem, remedy),
        is_transient: !has_diverged,
    }
}

/// Whether the project has no commits, so that its mirrors have nothing to push.
pub async fn is_empty(gitlab: &GitLab, record: &MirrorRecord) -> bool {
    let project = gitlab.project(record.project()).await;
    project.is_ok_and(|project| project.is_empty)
}

struct AwaitedPush {
    record: MirrorRecord,
    /// The mirror before the push was requested.
    before: Option<Mirror>,
    is_requested_again: bool,
    has_commits: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Push {
    UnderWay,
    Succeeded,
    Failed,
}

impl Push {
    /// Compares the mirror `now` with the mirror `before` the push was requested.
    fn of(before: Option<&Mirror>, now: &Mirror) -> Push {
        let is_newer = |get: fn(&Mirror) -> Option<std::time::SystemTime>| {
            get(now).is_some() && get(now) > before.and_then(get)
        };
        if is_newer(|mirror| mirror.succeeded_at) {
            return Push::Succeeded;
        }
        let has_ended = is_newer(|mirror| mirror.updated_at)
            || is_newer(|mirror| mirror.started_at)
            || before.is_none_or(|before| before.status != PushStatus::Failed);
        match now.status {
            PushStatus::Failed if has_ended => Push::Failed,
            _ => Push::UnderWay,
        }
    }
}
