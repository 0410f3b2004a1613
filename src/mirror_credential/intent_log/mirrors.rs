//! The records of mirrors and of the spec: in the login's version, in the log's claims, and in the
//! entry of the saved spec.

use std::time::SystemTime;

use crate::clients::gitlab::ProjectRef;
use crate::mirror_credential::intent_log::key;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// On a claim's version whose [`MirrorIntent`] has to be read: it names mirrors, or a rotation
/// wrote it.
pub const MIRROR_INTENT_LABEL: &str = "cfn-gitops:journal";

/// The prefix of a rotation's claimant.
const BY_ROTATION: &str = "rotation ";

/// The prefix of the claimant that aborts a rotation.
const BY_ABORT: &str = "given up ";

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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct MirrorRecord {
    #[serde(rename = "gitLabUrl")]
    pub gitlab_url: String,
    /// The project as the template names it: its number or its full path.
    #[serde(rename = "gitLabProject")]
    pub project: String,
    /// The project's number, by which GitLab is called.
    #[serde(rename = "gitLabProjectNumber")]
    pub number: u64,
    /// The CodeCommit repository that the mirror pushes to.
    #[serde(rename = "repositoryName")]
    pub repository_name: String,
    /// GitLab's ID of the mirror.
    #[serde(rename = "mirrorId")]
    pub id: u64,
}

/// A mirror, as calls address it and as texts name it.
#[derive(Clone, Copy, Debug)]
pub struct MirrorPlace<'a> {
    pub project: ProjectRef<'a>,
    /// The CodeCommit repository that it pushes to.
    pub repository_name: &'a str,
    pub gitlab_url: &'a str,
    pub id: u64,
}

impl MirrorRecord {
    pub fn place(&self) -> MirrorPlace<'_> {
        MirrorPlace {
            project: self.project(),
            repository_name: &self.repository_name,
            gitlab_url: &self.gitlab_url,
            id: self.id,
        }
    }

    pub fn project(&self) -> ProjectRef<'_> {
        ProjectRef::numbered(Some(self.number), &self.project)
    }

    /// Whether `name`, a number or a path, is that of its project.
    pub fn is_named(&self, name: &str) -> bool {
        self.project == name || self.number.to_string() == name
    }

    /// Its project in a text that is about no call: with its number too, if the name is a path.
    pub fn shown_project(&self) -> String {
        let (name, number) = (&self.project, self.number.to_string());
        if *name == number {
            number
        } else {
            format!("{name} ({number})")
        }
    }

    /// Whether both are about one mirror. GitLab's ID of a mirror is unique until a restore of an
    /// older backup, so the project decides too.
    pub fn is_same(&self, other: &MirrorRecord) -> bool {
        let is_same_project = self.gitlab_url == other.gitlab_url && self.number == other.number;
        is_same_project && self.id == other.id
    }

    pub fn is_in(&self, records: &[MirrorRecord]) -> bool {
        records.iter().any(|other| self.is_same(other))
    }
}

/// Parses the `mirrors` of a secret's value.
pub fn read_mirrors(value: &Value) -> Vec<MirrorRecord> {
    let mirrors = value["mirrors"].as_array().into_iter().flatten().map(MirrorRecord::deserialize);
    mirrors.filter_map(Result::ok).collect()
}

/// The write-ahead record of an attempt to create mirrors, which a claim holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct MirrorIntent {
    /// The delivery that wrote the claim. See [`claimant`].
    #[serde(rename = "claimedBy")]
    pub claimant: String,
    /// When it was written, by Secrets Manager's clock. Not part of the value.
    #[serde(skip)]
    pub written: Option<SystemTime>,
    /// The mirrors that the attempt created. Only mirrors in this list are enabled.
    #[serde(rename = "mirrors")]
    pub created: Vec<MirrorRecord>,
}

impl MirrorIntent {
    /// The value of the claim.
    pub fn write(&self) -> String {
        json!(self).to_string()
    }

    /// Parses the text of [`MirrorIntent::write`].
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether it holds more than the claimant of an ordinary delivery.
    pub fn must_be_read(&self) -> bool {
        !self.created.is_empty() || self.is_by_any_rotation()
    }

    /// Whether a rotation wrote it, or the abort of a rotation.
    pub fn is_by_any_rotation(&self) -> bool {
        self.claimant.starts_with(BY_ROTATION) || self.claimant.starts_with(BY_ABORT)
    }

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
        let (entry, key) = label.strip_prefix("cfn-gitops:properties:")?.split_once(':')?;
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
mod tests {
    use crate::mirror_credential::intent_log::mirrors::*;

    #[test]
    fn claimant_names_its_rotation() {
        let mirror_intent = MirrorIntent {
            claimant: claimant(Some("5f3b2c10")),
            written: None,
            created: vec![],
        };
        assert!(mirror_intent.is_by_rotation("5f3b2c10"));
        assert!(!mirror_intent.is_by_rotation("6"));
        assert_ne!(claimant(None), claimant(None));
    }

    #[test]
    fn key_of_a_spec_ignores_the_order_of_its_members() {
        let key = spec_key(&json!({"b": 1, "a": 2}));
        assert_eq!(key, spec_key(&json!({"a": 2, "b": 1})));
    }

    #[test]
    fn text_without_a_claimant_and_foreign_text_are_not_records() {
        assert_eq!(MirrorIntent::read(r#"{"mirrors":[]}"#), None);
        assert_eq!(MirrorIntent::read("text"), None);
        assert_eq!(
            read_mirrors(&json!({"mirrors": [{"mirrorId": "x"}, 7]})),
            []
        );
        assert_eq!(SavedSpec::read("cfn-gitops:properties:x:y"), None);
        assert_eq!(read_spec(r#"{"properties":7}"#), None);
    }
}
