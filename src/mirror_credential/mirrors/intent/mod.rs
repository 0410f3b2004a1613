//! What is written down of GitLab's mirrors, and of what the template asked for: in the secret's
//! value, in the claims of its log, and in an entry of its own.

use std::time::SystemTime;

use crate::mirror_credential::intent_log::key;
use serde_json::{Value, json};

/// On a claim's version whose [`MirrorIntent`] has to be read: it speaks of mirrors, or is a rotation's.
pub const MIRROR_INTENT_LABEL: &str = "cfn-gitops:journal";

/// How the claimant of a rotation begins.
const BY_ROTATION: &str = "rotation ";

/// How the claimant begins that gives a rotation up.
const BY_ABORT: &str = "given up ";

/// Who claims to give the rotation to `version_id` up.
pub fn abort_claimant(version_id: &str) -> String {
    format!("{BY_ABORT}{version_id}")
}

/// Who claims: each delivery for itself, and those of a rotation recognizable as its.
pub fn claimant(rotation: Option<&str>) -> String {
    let own = fastrand::u64(..);
    match rotation {
        Some(version_id) => format!("{BY_ROTATION}{version_id} {own:016x}"),
        None => format!("{own:016x}"),
    }
}

/// One push mirror of ours: a number that only GitLab gives, and where it counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MirrorRecord {
    /// The GitLab.
    pub gitlab_url: String,
    /// Number or full path of the project.
    pub project: String,
    /// The CodeCommit repository that is pushed to.
    pub repository_name: String,
    /// GitLab's number of the mirror.
    pub id: u64,
}

impl MirrorRecord {
    fn write(&self) -> Value {
        json!({
            "gitLabUrl": self.gitlab_url,
            "gitLabProject": self.project,
            "repositoryName": self.repository_name,
            "mirrorId": self.id,
        })
    }

    fn read(value: &Value) -> Option<Self> {
        Some(MirrorRecord {
            gitlab_url: value["gitLabUrl"].as_str()?.to_owned(),
            project: value["gitLabProject"].as_str()?.to_owned(),
            repository_name: value["repositoryName"].as_str()?.to_owned(),
            id: value["mirrorId"].as_u64()?,
        })
    }
}

/// The `mirrors` of a secret's value.
pub fn write_mirrors(mirrors: &[MirrorRecord]) -> Value {
    mirrors.iter().map(MirrorRecord::write).collect()
}

/// Reads what [`write_mirrors`] wrote.
pub fn read_mirrors(value: &Value) -> Vec<MirrorRecord> {
    let mirrors = value["mirrors"].as_array().into_iter().flatten();
    mirrors.filter_map(MirrorRecord::read).collect()
}

/// The mirrors of one project that led to one repository before an attempt to make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorsBefore {
    /// The GitLab.
    pub gitlab_url: String,
    /// Number or full path of the project.
    pub project: String,
    /// The repository.
    pub repository_name: String,
    /// Their numbers.
    pub ids: Vec<u64>,
}

/// What a claim says of mirrors: the write-ahead record of an attempt to make some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorIntent {
    /// Whose claim it is: see [`claimant`].
    pub claimant: String,
    /// When it was written, as Secrets Manager has it. Not part of the value.
    pub written: Option<SystemTime>,
    /// What was there before.
    pub before: Vec<MirrorsBefore>,
    /// What was made since. Only what stands here is enabled.
    pub created: Vec<MirrorRecord>,
}

impl MirrorIntent {
    /// What was there before in `project` that led to `repository_name`, if anybody looked.
    pub fn before(
        &self,
        gitlab_url: &str,
        project: &str,
        repository_name: &str,
    ) -> Option<&MirrorsBefore> {
        self.before.iter().find(|before| {
            before.gitlab_url == gitlab_url
                && before.project == project
                && before.repository_name == repository_name
        })
    }

    /// The value of the claim.
    pub fn write(&self) -> String {
        let before: Vec<Value> = self
            .before
            .iter()
            .map(|before| {
                json!({
                    "gitLabUrl": before.gitlab_url,
                    "gitLabProject": before.project,
                    "repositoryName": before.repository_name,
                    "mirrorIds": before.ids,
                })
            })
            .collect();
        json!({
            "claimedBy": self.claimant,
            "mirrorsBefore": before,
            "mirrors": write_mirrors(&self.created),
        })
        .to_string()
    }

    /// Reads what [`MirrorIntent::write`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let before = value["mirrorsBefore"].as_array()?.iter().filter_map(|one| {
            Some(MirrorsBefore {
                gitlab_url: one["gitLabUrl"].as_str()?.to_owned(),
                project: one["gitLabProject"].as_str()?.to_owned(),
                repository_name: one["repositoryName"].as_str()?.to_owned(),
                ids: one["mirrorIds"]
                    .as_array()?
                    .iter()
                    .filter_map(Value::as_u64)
                    .collect(),
            })
        });
        Some(MirrorIntent {
            claimant: value["claimedBy"].as_str()?.to_owned(),
            written: None,
            before: before.collect(),
            created: read_mirrors(&value),
        })
    }

    /// Whether it says more than that somebody is at work.
    pub fn must_be_read(&self) -> bool {
        !self.before.is_empty() || !self.created.is_empty() || self.is_by_any_rotation()
    }

    /// Whether a rotation wrote it, or gave one up.
    pub fn is_by_any_rotation(&self) -> bool {
        self.claimant.starts_with(BY_ROTATION) || self.claimant.starts_with(BY_ABORT)
    }

    /// Whether a rotation to `version_id` wrote it.
    pub fn is_by_rotation(&self, version_id: &str) -> bool {
        let rotation = self.claimant.strip_prefix(BY_ROTATION);
        rotation.is_some_and(|rest| rest.starts_with(version_id))
    }
}

/// The version that holds what the template asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSpec {
    /// The number of the log's entry.
    pub entry: u64,
    /// The [`spec_key`] of the document.
    pub key: String,
}

impl SavedSpec {
    /// As a version's label.
    pub fn write(&self) -> String {
        format!("cfn-gitops:properties:{}:{}", self.entry, self.key)
    }

    /// Reads what [`SavedSpec::write`] wrote.
    pub fn read(label: &str) -> Option<Self> {
        let (entry, key) = label
            .strip_prefix("cfn-gitops:properties:")?
            .split_once(':')?;
        Some(SavedSpec {
            entry: entry.parse().ok()?,
            key: key.to_owned(),
        })
    }
}

/// A short name for a document. Its members have one order, so equal documents have equal names.
pub fn spec_key(document: &Value) -> String {
    key(&document.to_string())
}

/// The value of a [`SavedSpec`] entry.
pub fn write_spec(document: &Value) -> String {
    json!({"properties": document}).to_string()
}

/// Reads what [`write_spec`] wrote.
pub fn read_spec(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    let document = value.get("properties")?;
    document.is_object().then(|| document.clone())
}

#[cfg(test)]
mod tests;
