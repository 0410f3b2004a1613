//! The records that GitLab must have, and the effects that reporting must not have.

use std::collections::BTreeSet;

use crate::account::assert_others_unwritten;
use crate::fixture::{COMMITS, Reporting, SITE, records};
use crate::scenarios::Expected;
use fake_aws::FakeAws;
use fake_aws::gitlab::records::{Note, OWN_USER, Records, Status, is_open};
use test_support::secrecy::assert_none_shown;

/// Fails unless the descriptions of the commits' statuses and their notes have the expected texts.
pub fn check_texts(fake: &FakeAws, of: Reporting, expected: &[Expected]) {
    let records = records(fake);
    for one in expected {
        let sha = COMMITS[one.commit];
        let current = records.current(sha, &of.status());
        let description = &current.last().expect("a status").description;
        for text in &one.text {
            assert!(description.contains(text), "{text}: {description}");
        }
        let marker = format!("{}{sha} ", of.marker());
        let notes = records.notes.iter();
        let notes: Vec<&Note> = notes.filter(|note| note.body.contains(&marker)).collect();
        let Some(texts) = &one.notes else { continue };
        assert_eq!(notes.is_empty(), texts.is_empty(), "notes: {notes:#?}");
        for Note { body, place, .. } in notes {
            for text in texts {
                assert!(body.contains(text), "{text}: {body}");
            }
            for text in &one.not_in_notes {
                assert!(!body.contains(text), "{text}: {body}");
            }
            let is_there = one.place.as_ref().is_none_or(|wanted| place.starts_with(wanted));
            assert!(is_there, "at {place}");
        }
    }
}

/// Fails if a deployment was recorded twice.
pub fn check_recorded_once(fake: &FakeAws) {
    let deployments = records(fake).deployments.into_iter();
    let ends: Vec<_> = deployments.map(|one| (one.sha, one.state)).collect();
    let is_new = |pair: &[_]| pair[0] != pair[1];
    assert!(ends.windows(2).all(is_new), "recorded twice: {ends:?}");
}

/// Calls that change a pipeline.
const FORBIDDEN: [&str; 4] = [
    "StartPipelineExecution",
    "StopPipelineExecution",
    "PutApprovalResult",
    "RetryStageExecution",
];

/// Fails unless GitLab shows the last state of each commit, and reporting has changed nothing else.
pub fn check(fake: &FakeAws, of: Reporting, expected: &[Expected]) {
    check_with_notes(fake, of, expected, 1);
}

/// As [`check`], with at most `notes` notes in each place: two deliveries at once may both write
/// one.
pub fn check_with_notes(fake: &FakeAws, of: Reporting, expected: &[Expected], notes: usize) {
    let records = records(fake);
    for one in expected.iter().filter(|one| !one.status.is_empty()) {
        check_statuses(&records, of, one);
        check_deployments(&records, of, one);
        let has_note = one.notes.as_ref().is_none_or(|texts| !texts.is_empty());
        let is_note_kept = one.approval.as_deref() == Some("pending") || one.status == "failed";
        if has_note && is_note_kept {
            check_notes(&records, of, one, notes);
        }
        check_ends(&records, of, one);
    }
    check_ended_approvals(fake, of, &records);
    check_harmless(fake);
}

/// Fails if a note is about an approval that waits, although it has ended.
fn check_ended_approvals(fake: &FakeAws, of: Reporting, records: &Records) {
    let pipeline = fake.look(|aws| aws.pipelines[&of.pipeline()].clone());
    let waits = |note: &Note| {
        pipeline.executions.iter().any(|execution| {
            let approval = execution.actions.iter().rev().find(|action| action.name == "Approval");
            note.body.contains(&format!("/{}/timeline", execution.id))
                && execution.status == "InProgress"
                && approval.is_some_and(|action| action.status == "InProgress")
        })
    };
    let marker = of.marker();
    for note in &records.notes {
        let is_about_waiting = note.body.contains("wait for an approval");
        if note.body.contains(&marker) && is_about_waiting {
            assert!(waits(note), "no approval waits: {}", note.body);
        }
    }
}

/// Fails if reporting has called something that changes a pipeline, or shown a secret.
pub fn check_harmless(fake: &FakeAws) {
    for operation in FORBIDDEN {
        assert_eq!(fake.count(operation), 0);
    }
    let shown = format!("{:?}", records(fake));
    assert_eq!(fake.secret_in(&shown), None, "{shown}");
    assert_none_shown(fake);
    assert_others_unwritten(fake);
    fake.assert_unbroken();
}

/// The state of the commit's latest status with this name. Fails if an earlier one is open.
fn state_of(records: &Records, sha: &str, name: &str) -> Option<&'static str> {
    let is_left = |one: &Status| is_open(one.state) && !records.is_archived(one.pipeline);
    let own = records.statuses.iter().filter(|one| one.user == OWN_USER);
    let open = own.filter(|one| one.sha == sha && one.name == name && is_left(one));
    assert!(
        open.count() <= 1,
        "two are open: {name} of {sha}: {records:#?}"
    );
    let mut current = records.current(sha, name);
    let latest = current.pop();
    let is_any_left = current.into_iter().any(is_left);
    assert!(
        !is_any_left,
        "open in an earlier pipeline: {name} of {sha}: {records:#?}"
    );
    latest.map(|latest| latest.state)
}

fn check_statuses(records: &Records, of: Reporting, expected: &Expected) {
    let (sha, name) = (COMMITS[expected.commit], of.status());
    let shown = state_of(records, sha, &name);
    assert_eq!(
        shown,
        Some(&*expected.status),
        "status of {sha}: {records:#?}"
    );
    // The newest execution may not have reached an approval that an earlier one had.
    if expected.approval.is_some() {
        let shown = state_of(records, sha, &format!("{name}/approval"));
        assert_eq!(
            shown,
            expected.approval.as_deref(),
            "approval of {sha}: {records:#?}"
        );
    }
    let current = records.current(sha, &name);
    let url = &current[current.len() - 1].target_url;
    let is_linked = url.contains(&format!("/{}/timeline", expected.execution));
    assert!(
        is_open(&expected.status) || is_linked,
        "the status of {sha} leads to {url}"
    );
}

/// Fails unless the statuses of each execution are in the same pipeline.
pub fn check_pipelines(fake: &FakeAws, expected: &[Expected]) {
    let records = records(fake);
    for execution in expected.iter().map(|one| &one.execution) {
        let link = format!("/{execution}/timeline");
        let statuses = records.statuses.iter();
        let of_execution = statuses.filter(|one| one.target_url.contains(&link));
        let pipelines: BTreeSet<u64> = of_execution.map(|one| one.pipeline).collect();
        assert_eq!(pipelines.len(), 1, "{records:#?}");
    }
}

/// The latest deployment of the commit, and the environment that it has changed.
fn check_deployments(records: &Records, of: Reporting, expected: &Expected) {
    let sha = COMMITS[expected.commit];
    let of_environment = records.deployments.iter().filter(|one| one.environment == of.environment);
    let deployments: Vec<_> = of_environment.clone().filter(|one| one.sha == sha).collect();
    let latest = deployments.last().map(|one| one.state);
    // A lost record is not repeated after a later deployment. The newest execution may not have
    // reached a deployment that an earlier one had.
    let deployment = expected.deployment.as_deref();
    let is_outdated = expected.status != "success" && deployment == Some("success");
    if latest.is_some() || !is_outdated {
        assert_eq!(latest, deployment, "deployment of {sha}: {records:#?}");
    }
    let current = of_environment.rev().find(|one| one.state == "success");
    let is_current = current.is_some_and(|one| one.sha == sha);
    assert!(
        expected.status != "success" || is_current,
        "{current:?} instead of {sha}"
    );
    let is_any_open = deployments.iter().any(|one| is_open(one.state));
    assert!(!is_any_open, "an open deployment of {sha}: {records:#?}");
    if latest == Some("success") {
        let environment = records.environments.iter().find(|one| one.name == of.environment);
        let environment = environment.expect("an environment");
        assert_eq!(environment.external_url.as_deref(), Some(SITE), "{sha}");
        let tiers = ["development", "production"];
        let tier = tiers[usize::from(of.env_id == "prd")];
        assert_eq!(environment.tier, tier, "{sha}");
    }
}

/// Fails if a note about the commit shows another end than its status.
fn check_ends(records: &Records, of: Reporting, expected: &Expected) {
    let marker = format!("{}{} ", of.marker(), COMMITS[expected.commit]);
    let ends: &[&str] = match &*expected.status {
        "success" => &[" deployed**"],
        "failed" => &["failed**", "was rolled back**", "on the way to `dev`**"],
        "canceled" => &["were rejected**", "no longer need an approval**"],
        _ => return,
    };
    let link = format!("/{}/timeline", expected.execution);
    for note in records.notes.iter().filter(|note| note.body.contains(&marker)) {
        // The end of an earlier execution of the commit stays, if this one has deployed nothing.
        if expected.status == "canceled" && !note.body.contains(&link) {
            continue;
        }
        let is_told = ends.iter().any(|end| note.body.contains(end));
        let shows_failure = note.body.contains(" failure ");
        let is_failed = expected.status == "failed";
        assert!(
            is_told && shows_failure == is_failed,
            "{expected:?}: {}",
            note.body
        );
    }
}

/// A note in each place of the commit, about its newest execution.
fn check_notes(records: &Records, of: Reporting, expected: &Expected, most: usize) {
    let sha = COMMITS[expected.commit];
    let requests = records.merge_requests.get(sha).into_iter().flatten();
    let requests = requests.filter(|_| !records.switched_off.contains("merge_requests"));
    let mut places: Vec<String> =
        requests.map(|(iid, _)| format!("merge_requests/{iid}")).collect();
    if places.is_empty() {
        places.push(format!("commits/{sha}"));
    }
    let marker = format!("{}{sha} ", of.marker());
    let link = format!("/{}/timeline", expected.execution);
    for place in places {
        let mut notes: Vec<&Note> = records.notes.iter().collect();
        notes.retain(|note| note.place == place && note.body.contains(&marker));
        assert!((1..=most).contains(&notes.len()), "on {place}: {notes:#?}");
        let text = &notes[notes.len() - 1].body;
        let lists = expected.status == "failed" || text.contains("| `Orders` |");
        assert!(text.contains(&link) && lists, "the note on {place}: {text}");
    }
}
