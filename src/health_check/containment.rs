//! Whether the branch of a pipeline contains a commit in GitLab. `cfn-gitops undo` shows it before it
//! starts an execution of an earlier commit: the operator has no token of GitLab.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::checker::Checker;
use super::findings::shown;
use super::request::CommitQuestion;
use crate::clients::failing_calls::within;
use crate::clients::gitlab;
use crate::clients::gitlab::Containment;
use cfn_custom_resource::Reason;

/// How long AWS and GitLab may take.
const TIMEOUT: Duration = Duration::from_secs(30);

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
