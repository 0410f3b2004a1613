//! Answers whether the branch of a pipeline contains a commit in GitLab. `cfn-gitops undo` requests
//! it before it starts an execution of an earlier commit: the operator has no token of GitLab.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::checker::Checker;
use super::findings::shown;
use crate::clients::failing_calls::within;
use crate::clients::gitlab;
use crate::clients::gitlab::Containment;
use crate::gitops_pipeline::names::ResourceNames;
use cfn_custom_resource::Reason;

/// How long AWS and GitLab may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A pipeline and a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitQuestion {
    names: ResourceNames,
    commit: String,
}

/// Why a question is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    #[error("Doctor.Contains.ProjectID is not the name of a project")]
    ProjectId,
    #[error("Doctor.Contains.Commit is not a commit's full ID")]
    Commit,
}

impl QuestionError {
    /// The imperative for the operator.
    pub fn remedy(self) -> &'static str {
        match self {
            QuestionError::ProjectId => "Set it to the ProjectID of a pipeline",
            QuestionError::Commit => "Set it to 40 hexadecimal digits in lower case",
        }
    }
}

impl CommitQuestion {
    /// Parses the member `Contains` of a diagnosis of the environment `env_id`.
    pub fn parse(member: &Value, env_id: &str) -> Result<Self, QuestionError> {
        let project_id = member["ProjectID"].as_str();
        let names = project_id.and_then(|project_id| ResourceNames::new(env_id, project_id));
        let names = names.ok_or(QuestionError::ProjectId)?;
        let commit = member["Commit"].as_str().filter(|text| is_commit(text));
        let commit = commit.ok_or(QuestionError::Commit)?.to_owned();
        Ok(CommitQuestion { names, commit })
    }
}

fn is_commit(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 40 && text.bytes().all(is_digit)
}

impl<'a> Checker<'a> {
    /// Whether GitLab's branch contains the commit: `Contained` is null if that is not known, and
    /// `Problem` has the cause.
    pub fn answer(self, question: &'a CommitQuestion) -> BoxFuture<'a, Value> {
        Box::pin(async move {
            let found = match within(TIMEOUT, Box::pin(self.look_up(question))).await {
                Ok(found) => found,
                Err(cut) => {
                    let problem = cut.and("there was no time to look up the commit in GitLab");
                    Err(Reason::uncoded(problem, "Try again later"))
                }
            };
            let known = |is_contained: bool, problem: &str| json!({"Contained": is_contained, "Problem": problem});
            match found {
                Ok(Containment::Contained) => known(true, ""),
                Ok(Containment::Missing) => known(false, ""),
                Ok(Containment::NoBranch) => known(false, "the branch does not exist in GitLab"),
                Err(reason) => {
                    let mut shown = shown(&reason);
                    shown["Contained"] = Value::Null;
                    shown
                }
            }
        })
    }

    async fn look_up(&self, question: &CommitQuestion) -> Result<Containment, Reason> {
        const REMEDY: &str = "Look for the commit in the branch in GitLab yourself";
        let (names, clients) = (&question.names, self.clients);
        let settings = self.gitops_pipeline.read_settings(names).await?;
        let settings = settings.ok_or_else(|| {
            let stack = names.stack();
            Reason::uncoded(format!("no stack {stack} has a pipeline"), REMEDY)
        })?;
        let report = settings.report.ok_or_else(|| {
            Reason::uncoded(
                "the pipeline has no GitLab in its properties, or its stack is outdated",
                REMEDY,
            )
        })?;
        let found = async {
            let gitlab = gitlab::open(&clients.aws, &clients.http, &report.access).await?;
            let (project, branch) = (report.project(), &settings.branch);
            gitlab.branch_contains(project, branch, &question.commit).await
        };
        Box::pin(found).await.map_err(|error| error.reason())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_names_a_project_and_a_full_commit() {
        let parse = |project: Value, commit: Value| {
            let member = json!({"ProjectID": project, "Commit": commit});
            CommitQuestion::parse(&member, "dev")
        };
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let question = parse(json!("shop"), json!(commit)).expect("a question");
        assert_eq!(question.names.stack(), "gitops-dev-shop");
        for project in [json!(null), json!(1), json!(""), json!("-"), json!("a/b")] {
            let found = parse(project, json!(commit));
            assert_eq!(found, Err(QuestionError::ProjectId));
        }
        for other in [
            json!(null),
            json!(&commit[1..]),
            json!(commit.to_uppercase()),
            json!(format!("{commit}0")),
            json!("main"),
        ] {
            assert_eq!(parse(json!("shop"), other), Err(QuestionError::Commit));
        }
        let not_an_object = CommitQuestion::parse(&json!("shop"), "dev");
        assert_eq!(not_an_object, Err(QuestionError::ProjectId));
    }
}
