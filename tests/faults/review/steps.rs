//! The steps of a review's story, and what it expects.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::fixture::{CART, LOGIN};
use test_support::scenarios::{Word, commit};

/// The words of a review's story.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReviewWord {
    /// A push to a branch, and its build.
    #[serde(deserialize_with = "commit")]
    Push(Push),
    /// The only build of a head ends.
    #[serde(deserialize_with = "commit")]
    Build(Push),
    /// The event of a build arrives, which was lost so far.
    #[serde(deserialize_with = "commit")]
    Event(Push),
    #[serde(rename = "merge request")]
    MergeRequest(MergeRequest),
    /// The branch is deleted, and its merge request is closed.
    #[serde(rename = "delete branch")]
    DeleteBranch(Branch),
    /// A health check.
    Check,
}

/// The branches of the stories, with their merge requests.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Branch {
    #[default]
    Login,
    Cart,
    /// GitLab has neither it nor its commits.
    Unknown,
}

impl Branch {
    /// Its name in CodeCommit, and the number of its merge request.
    pub fn name(self) -> (&'static str, u64) {
        match self {
            Branch::Login => LOGIN,
            Branch::Cart => CART,
            Branch::Unknown => ("検証/a", 9),
        }
    }
}

/// A commit with its build, which stores the changed template and its configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    pub commit: String,
    #[serde(default)]
    pub branch: Branch,
    #[serde(default)]
    pub build: Build,
    pub lost: Option<Lost>,
    /// Laid over the changed template, or its text.
    #[serde(default = "unchanged")]
    pub template: Value,
    /// Laid over the template configuration, or its text. Null if the build stores none.
    #[serde(default = "unchanged")]
    pub configuration: Value,
    /// The first delivery of the build's event returns each text, without a fault.
    #[serde(default)]
    pub answers: Vec<String>,
}

/// The end of a build.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Build {
    #[default]
    Succeeds,
    Fails,
    /// A person stops it.
    Stops,
    /// It has not ended.
    Runs,
}

/// An event that is not delivered.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Lost {
    /// CodeCommit's, so that no build starts.
    Push,
    /// CodeBuild's.
    Build,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MergeRequest {
    pub branch: Branch,
    pub state: Option<String>,
    pub head: Option<String>,
    pub behind: Option<u64>,
}

/// The state after all deliveries so far.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expectation {
    pub branch: Branch,
    /// The function's only note in the merge request shows the newest build of the branch and has
    /// each of these texts.
    pub note: Option<Vec<String>>,
    #[serde(rename = "not in note")]
    pub not_in_note: Vec<String>,
    /// The number of the function's notes in the merge request, if it is about that.
    pub notes: Option<usize>,
    /// The state of the review's status at the commit, or `none`.
    pub status: Option<String>,
    /// The state of the drift's status at the deployed commit with a part of its text, or nothing.
    pub drift: Option<BTreeMap<String, String>>,
    /// The number of builds of each commit.
    pub builds: BTreeMap<String, usize>,
    /// How often the deliveries made a call since the story began, without a fault.
    pub calls: BTreeMap<String, usize>,
    /// Texts in the log or in metrics so far, without a fault.
    pub logs: Vec<String>,
    #[serde(rename = "not in logs")]
    pub not_in_logs: Vec<String>,
}

impl Word for ReviewWord {
    type Expectation = Expectation;

    fn is_by_hand(&self) -> bool {
        matches!(self, ReviewWord::MergeRequest(_))
    }
}

fn unchanged() -> Value {
    json!({})
}
