//! The records of mirrors and of the spec: in the login's version, in the log's claims, and in the
//! entry of the saved spec.

use std::time::SystemTime;

use crate::mirror_credential::intent_log::key;
use serde_json::{Value, json};

/// On a claim's version whose [`MirrorIntent`] has to be read: it names mirrors, or a rotation
/// wrote it.
pub const MIRROR_INTENT_LABEL: &str = "cfn-gitops:journal";

/// The prefix of a rotation's claimant.
const BY_ROTATION: &str = "rotation ";

/// The prefix of the claimant that aborts a rotation.
const BY_ABORT: &str = "given up ";

/// The claimant that aborts the rotation to `version_id`.
pub fn abort_claimant(version_id: &str) -> String {
    format!("{BY_ABORT}{version_id}")
}

/// The claimant of a delivery. It is unique, and shows the rotation if the delivery is a
/// rotation's.
pub fn claimant(rotation: Option<&str>) -> String {
    let own = fastrand::u64(..);
    match rotation {
        Some(version_id) => format!("{BY_ROTATION}{version_id} {own:016x}"),
        None => format!("{own:016x}"),
    }
}

/// One push mirror of this resource. GitLab assigns the ID, which is unique within its instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MirrorRecord {
    /// The URL of the GitLab instance.
    pub gitlab_url: String,
    /// ID or full path of the project.
    pub project: String,
    /// The CodeCommit repository that the mirror pushes to.
    pub repository_name: String,
    /// GitLab's ID of the mirror.
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

/// Parses the value of [`write_mirrors`].
pub fn read_mirrors(value: &Value) -> Vec<MirrorRecord> {
    let mirrors = value["mirrors"].as_array().into_iter().flatten();
    mirrors.filter_map(MirrorRecord::read).collect()
}

/// The mirrors from one project to one repository before an attempt to create one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorsBefore {
    /// The URL of the GitLab instance.
    pub gitlab_url: String,
    /// ID or full path of the project.
    pub project: String,
    /// The repository.
    pub repository_name: String,
    /// The IDs of the mirrors.
    pub ids: Vec<u64>,
}

/// The write-ahead record of an attempt to create mirrors, which a claim holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorIntent {
    /// The delivery that wrote the claim. See [`claimant`].
    pub claimant: String,
    /// When it was written, by Secrets Manager's clock. Not part of the value.
    pub written: Option<SystemTime>,
    /// The mirrors that existed before the attempt.
    pub before: Vec<MirrorsBefore>,
    /// The mirrors created since. Only mirrors in this list are enabled.
    pub created: Vec<MirrorRecord>,
}

impl MirrorIntent {
    /// The mirrors from `project` to `repository_name` before the attempt. `None` if they were not
    /// read.
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

    /// Parses the text of [`MirrorIntent::write`].
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

    /// Whether it holds more than the claimant of an ordinary delivery.
    pub fn must_be_read(&self) -> bool {
        !self.before.is_empty() || !self.created.is_empty() || self.is_by_any_rotation()
    }

    /// Whether a rotation wrote it, or the abort of a rotation.
    pub fn is_by_any_rotation(&self) -> bool {
        self.claimant.starts_with(BY_ROTATION) || self.claimant.starts_with(BY_ABORT)
    }

    /// Whether a rotation to `version_id` wrote it.
    pub fn is_by_rotation(&self, version_id: &str) -> bool {
        let rotation = self.claimant.strip_prefix(BY_ROTATION);
        rotation.is_some_and(|rest| rest.starts_with(version_id))
    }
}

/// The version that holds the saved spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSpec {
    /// The number of the log's entry.
    pub entry: u64,
    /// The [`spec_key`] of the document.
    pub key: String,
}

impl SavedSpec {
    /// Formats the label of the version.
    pub fn write(&self) -> String {
        format!("cfn-gitops:properties:{}:{}", self.entry, self.key)
    }

    /// Parses the label that [`SavedSpec::write`] wrote.
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

/// The key of a document. The members of a document are sorted, so equal documents have equal keys.
pub fn spec_key(document: &Value) -> String {
    key(&document.to_string())
}

/// The value of a [`SavedSpec`] entry.
pub fn write_spec(document: &Value) -> String {
    json!({"properties": document}).to_string()
}

/// Parses the text of [`write_spec`].
pub fn read_spec(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    let document = value.get("properties")?;
    document.is_object().then(|| document.clone())
}

#[cfg(test)]
mod tests;
