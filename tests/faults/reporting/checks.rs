//! The records that GitLab must have, and the effects that reporting must not have.

use std::collections::BTreeSet;

use crate::fixture::{COMMITS, PROJECT, Reporting, SITE};
use crate::scripts::Expected;
use fake_aws::FakeAws;
use fake_aws::gitlab::records::{Note, OWN_USER, Records, Status, is_open};
use test_support::secrecy::assert_none_shown;

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
    let records = fake.look(|aws| aws.gitlab.named(PROJECT).records.clone());
    let wrong = expected
        .iter()
        .find_map(|one| difference(&records, of, one, notes).err());
    if let Some(wrong) = wrong.or_else(|| ended_approval(fake, of, &records)) {
        panic!("{wrong}\n{records:#?}");
    }
    check_harmless(fake);
}

/// The note about an approval that waits, although it has ended.
fn ended_approval(fake: &FakeAws, of: Reporting, records: &Records) -> Option<String> {
    let pipeline = fake.look(|aws| aws.pipelines[&of.pipeline()].clone());
    let waits = |note: &Note| {
        pipeline.executions.iter().any(|execution| {
            let mut attempts = execution.actions.iter().rev();
            let approval = attempts.find(|action| action.name == "Approval");
            note.body.contains(&format!("/{}/timeline", execution.id))
                && execution.status == "InProgress"
                && approval.is_some_and(|action| action.status == "InProgress")
        })
    };
    let marker = format!("change set {}/{} -->", of.env_id, of.project_id);
    let mut waiting = records
        .notes
        .iter()
        .filter(|note| note.body.contains(&marker) && note.body.contains("wait for an approval"));
    let wrong = waiting.find(|note| !waits(note))?;
    Some(format!("no approval waits: {}", wrong.body))
}

/// Fails if reporting has called something that changes a pipeline, or shown a secret.
pub fn check_harmless(fake: &FakeAws) {
    for operation in FORBIDDEN {
        assert_eq!(fake.count(operation), 0);
    }
    let records = fake.look(|aws| aws.gitlab.named(PROJECT).records.clone());
    let shown = format!("{records:?}");
    assert_eq!(fake.secret_in(&shown), None, "{shown}");
    assert_none_shown(fake);
    fake.assert_unbroken();
}

/// The difference of GitLab's records from the last state of a commit.
fn difference(
    records: &Records,
    of: Reporting,
    expected: &Expected,
    notes: usize,
) -> Result<(), String> {
    let sha = COMMITS[expected.commit];
    let state = |name: &str| -> Result<Option<&'static str>, String> {
        let open = records.statuses.iter().filter(|one| {
            let is_ours = one.user == OWN_USER && !records.is_archived(one.pipeline);
            is_ours && one.sha == sha && one.name == name && is_open(one.state)
        });
        if open.count() > 1 {
            return Err(format!("two open statuses {name} of {sha}"));
        }
        let current = records.current(sha, name);
        let (latest, others) = match current.split_last() {
            Some((latest, others)) => (Some(latest), others),
            None => (None, &[][..]),
        };
        let is_left = |one: &Status| is_open(one.state) && !records.is_archived(one.pipeline);
        if others.iter().any(|one| is_left(one)) {
            return Err(format!(
                "an open status {name} of {sha} in an earlier pipeline"
            ));
        }
        Ok(latest.map(|latest| latest.state))
    };
    let name = of.status();
    differs("status", sha, state(&name)?, Some(expected.state))?;
    // The newest execution may not have reached an approval or a deployment that an earlier one
    // had.
    if let Some(approval) = expected.approval {
        differs(
            "approval",
            sha,
            state(&format!("{name}/approval"))?,
            Some(approval),
        )?;
    }
    check_deployments(records, of, expected)?;
    let current = records.current(sha, &name);
    let url = &current[current.len() - 1].target_url;
    if !is_open(expected.state) && !url.contains(&format!("/{}/timeline", expected.execution)) {
        return Err(format!("the status of {sha} leads to {url}"));
    }
    if expected.approval == Some("pending") {
        check_notes(records, of, expected, notes)?;
    }
    Ok(())
}

/// Fails unless the statuses of each execution are in the same pipeline.
pub fn check_pipelines(fake: &FakeAws, expected: &[Expected]) {
    let records = fake.look(|aws| aws.gitlab.named(PROJECT).records.clone());
    for execution in expected.iter().map(|one| one.execution) {
        let link = format!("/{execution}/timeline");
        let statuses = records.statuses.iter();
        let of_execution = statuses.filter(|one| one.target_url.contains(&link));
        let pipelines: BTreeSet<u64> = of_execution.map(|one| one.pipeline).collect();
        assert_eq!(pipelines.len(), 1, "{records:#?}");
    }
}

fn differs(what: &str, of: &str, shown: Option<&str>, wanted: Option<&str>) -> Result<(), String> {
    if shown == wanted {
        return Ok(());
    }
    Err(format!("{what} of {of}: {shown:?} instead of {wanted:?}"))
}

/// The latest deployment of the commit, and the environment that it has changed.
fn check_deployments(records: &Records, of: Reporting, expected: &Expected) -> Result<(), String> {
    let sha = COMMITS[expected.commit];
    let deployments = records.deployments.iter();
    let deployments: Vec<_> = deployments
        .filter(|one| one.sha == sha && one.environment == of.environment)
        .collect();
    let latest = deployments.last().map(|one| one.state);
    // A lost record is not repeated after a later deployment.
    let is_outdated = expected.state != "success" && expected.deployment == Some("success");
    if latest.is_some() || !is_outdated {
        differs("deployment", sha, latest, expected.deployment)?;
    }
    let of_environment = records.deployments.iter();
    let of_environment = of_environment.filter(|one| one.environment == of.environment);
    let current = of_environment.rev().find(|one| one.state == "success");
    if expected.state == "success" && current.is_none_or(|one| one.sha != sha) {
        return Err(format!(
            "the environment shows {current:?} instead of {sha}"
        ));
    }
    if deployments.iter().any(|one| is_open(one.state)) {
        return Err(format!("an open deployment of {sha}"));
    }
    if latest == Some("success") {
        let mut environments = records.environments.iter();
        let environment = environments.find(|one| one.name == of.environment);
        let shown = environment.and_then(|one| one.external_url.as_deref());
        differs("address", sha, shown, Some(SITE))?;
        let tier = match of.env_id {
            "prd" => "production",
            _ => "development",
        };
        differs("tier", sha, environment.map(|one| one.tier), Some(tier))?;
    }
    Ok(())
}

/// A note in each place of the commit, about the execution that waits.
fn check_notes(
    records: &Records,
    of: Reporting,
    expected: &Expected,
    most: usize,
) -> Result<(), String> {
    let sha = COMMITS[expected.commit];
    let requests = records.merge_requests.get(sha).into_iter().flatten();
    let mut places: Vec<String> = requests
        .map(|(iid, _)| format!("merge_requests/{iid}"))
        .collect();
    if places.is_empty() {
        places.push(format!("commits/{sha}"));
    }
    let marker = format!("change set {}/{} -->", of.env_id, of.project_id);
    for place in places {
        let notes = records.notes.iter();
        let notes: Vec<_> = notes
            .filter(|note| note.place == place && note.body.contains(&marker))
            .collect();
        let Some(note) = notes.last().filter(|_| notes.len() <= most) else {
            return Err(format!("{} notes on {place}", notes.len()));
        };
        let link = format!("/{}/timeline", expected.execution);
        if !note.body.contains(&link) || !note.body.contains("| `Orders` |") {
            return Err(format!("the note on {place}: {}", note.body));
        }
    }
    Ok(())
}
