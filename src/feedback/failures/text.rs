//! The text about a failed build in statuses, and in notes on merge requests.

use super::build::{FailedBuild, PhaseContext};
use super::build_log;
use crate::clients::aws::Aws;
use crate::clients::gitlab::ProjectDetails;
use crate::feedback::change_sets::{Audience, Values, code, shown_reason};
use crate::gitops_pipeline::names::ResourceNames;

/// The part of a note about the log of a failed build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogText {
    pub text: String,
    /// Whether a later look may find more.
    pub is_late: bool,
}

impl FailedBuild {
    /// The build with the parts of its messages that are shown: none of the `values` of the
    /// deployed stack's parameters, although a build does not get them.
    #[must_use]
    pub fn shown(mut self, values: Values, names: &ResourceNames) -> Self {
        let values = values.without_others();
        for context in &mut self.contexts {
            let message = build_log::message(&context.message);
            context.message = shown_reason(&message, &values, Audience::Members, names);
        }
        self
    }

    /// The failed phase, and what CodeBuild reports about it.
    pub fn text(&self) -> String {
        let contexts = self.contexts.iter().map(PhaseContext::text);
        let parts = [self.phase.clone()].into_iter().chain(contexts);
        format!("phase {}", parts.collect::<Vec<_>>().join(": "))
    }

    /// The same as Markdown.
    pub fn markdown(&self) -> String {
        let contexts = self.contexts.iter().map(PhaseContext::text);
        let parts = [self.phase.clone()].into_iter().chain(contexts);
        let parts: Vec<String> = parts.map(|part| code(&part)).collect();
        format!("phase {}", parts.join(": "))
    }
}

impl PhaseContext {
    fn text(&self) -> String {
        let parts = [self.code.as_str(), self.message.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(": ")
    }
}

/// The end of the failed phase's log, or why it is not posted. It is posted only while no others
/// than members can see the `project`: a build may print what they may not know. `None` if GitLab
/// does not show the project.
pub async fn of_log(aws: &Aws, build: &FailedBuild, project: Option<&ProjectDetails>) -> LogText {
    let Some(project) = project else {
        let because = "GitLab does not show who may see the project";
        return LogText {
            is_late: true,
            ..without_log(&format!("The log is not posted, because {because}"))
        };
    };
    if let Some(what) = project.visibility.beyond_members() {
        return without_log(&format!(
            "The log is not posted, because the project {what}"
        ));
    }
    let Some(window) = &build.log else {
        return without_log("The build has no log of this phase");
    };
    match build_log::read(aws, window).await {
        Ok(end) => {
            let text = if end.lines.is_empty() {
                without_log("CloudWatch Logs has no log of this phase").text
            } else {
                format!(
                    "\nThe end of its log:\n\n{}\n",
                    build_log::block(&end.lines)
                )
            };
            let is_late = !end.is_complete;
            LogText { text, is_late }
        }
        Err(error) => {
            let error = error.reason();
            tracing::warn!(
                error = error.as_error(),
                "the log of a failed build is not read"
            );
            LogText {
                is_late: true,
                ..without_log("The log cannot be read")
            }
        }
    }
}

fn without_log(sentence: &str) -> LogText {
    LogText {
        text: format!("\n{sentence}.\n"),
        is_late: false,
    }
}
