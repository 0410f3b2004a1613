//! The text about a failed build in statuses, and in notes on merge requests.

use std::fmt::Write;

use super::build::{BuildEnd, FailedBuild, FailedPhase, PhaseContext};
use super::build_log;
use super::build_log::LogEnd;
use crate::clients::aws::Aws;
use crate::clients::gitlab::{GitLab, ProjectRef};
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
        let contexts = self.phases.iter_mut().flat_map(|it| &mut it.contexts);
        for context in contexts {
            let message = build_log::message(&context.message);
            context.message = shown_reason(&message, &values, Audience::Members, names);
        }
        self
    }

    /// The build without CodeBuild's messages: one may have a line of its log.
    #[must_use]
    pub fn without_messages(mut self) -> Self {
        let contexts = self.phases.iter_mut().flat_map(|it| &mut it.contexts);
        contexts.for_each(|context| context.message.clear());
        self
    }

    /// The phase that ended the build with CodeBuild's report about it, and the names of others.
    pub fn text(&self) -> String {
        let mut text = self.sentence(ToOwned::to_owned);
        for phase in self.phases.iter().skip(1) {
            let _ = write!(text, "; phase {} {}", phase.name, phase.end.verb());
        }
        text
    }

    /// The same as Markdown, with CodeBuild's report about each phase in a line of its own.
    pub fn markdown(&self) -> String {
        let mut text = self.sentence(code) + ".\n";
        for phase in self.phases.iter().skip(1) {
            let described = phase.described(code);
            let _ = write!(text, "\nAnother one {}: {described}.\n", phase.end.verb());
        }
        text + self.advice()
    }

    /// The remedy for an end that the commit may not have caused.
    fn advice(&self) -> &'static str {
        let waits = self.phases.first().is_some_and(|phase| phase.name == "QUEUED");
        match self.end {
            BuildEnd::Failed => "",
            BuildEnd::Stopped | BuildEnd::Fault => {
                "\nThe commit may be sound. Start the build again.\n"
            }
            BuildEnd::TimedOut if waits => {
                "\nStart the build again, set another `Build.QueuedTimeoutInMinutes`, or request more concurrent builds in \
                 Service Quotas\n"
            }
            BuildEnd::TimedOut => {
                "\nStart the build again, or set another `Build.TimeoutInMinutes`\n"
            }
        }
    }

    fn sentence(&self, shown: impl Fn(&str) -> String) -> String {
        let build = match self.end {
            BuildEnd::Fault => "CodeBuild had a fault".to_owned(),
            end => format!("The build {}", end.verb()),
        };
        match (self.phases.first(), self.end) {
            (Some(phase), _) => format!("{build} in {}", phase.described(shown)),
            // CodeBuild names none, so the build's status stands for it.
            (None, BuildEnd::Failed) => format!("{build} in phase {}", shown("FAILED")),
            (None, _) => build,
        }
    }
}

impl FailedPhase {
    fn described(&self, shown: impl Fn(&str) -> String) -> String {
        let contexts = self.contexts.iter().map(PhaseContext::text);
        let parts = [self.name.clone()].into_iter().chain(contexts);
        let parts: Vec<String> = parts.map(|part| shown(&part)).collect();
        format!("phase {}", parts.join(": "))
    }
}

impl BuildEnd {
    fn verb(self) -> &'static str {
        match self {
            BuildEnd::Failed => "failed",
            BuildEnd::Stopped => "was stopped",
            BuildEnd::TimedOut => "timed out",
            BuildEnd::Fault => "ended by a fault of CodeBuild",
        }
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
/// than members can see the `project`: a build may print what they may not know. That is read
/// before, and again after the log, which takes up to minutes.
pub async fn of_log(
    aws: &Aws,
    gitlab: &GitLab,
    project: ProjectRef<'_>,
    build: &FailedBuild,
) -> LogText {
    if let Some(withheld) = withheld(gitlab, project).await {
        return withheld;
    }
    let Some(window) = &build.log else {
        return without_log("The build has no log of this phase");
    };
    let text = match build_log::read(aws, window).await {
        Ok(end) => log_text(&end),
        Err(error) => {
            warn!(error.reason(), "the log of a failed build is not read");
            LogText {
                is_late: true,
                ..without_log("The log cannot be read")
            }
        }
    };
    withheld(gitlab, project).await.unwrap_or(text)
}

/// Why no log is posted in the project. `None` if only its members can see it.
async fn withheld(gitlab: &GitLab, project: ProjectRef<'_>) -> Option<LogText> {
    const NOT_POSTED: &str = "The log is not posted, because";
    match gitlab.project(project).await {
        Ok(project) => {
            let what = project.visibility.beyond_members()?;
            Some(without_log(&format!("{NOT_POSTED} the project {what}")))
        }
        Err(_) => Some(LogText {
            is_late: true,
            ..without_log(&format!(
                "{NOT_POSTED} GitLab does not show who may see the project"
            ))
        }),
    }
}

fn log_text(end: &LogEnd) -> LogText {
    let heading = if end.is_complete {
        "The end of its log"
    } else {
        "The end of the log, which may be incomplete"
    };
    let text = if end.lines.is_empty() && !end.has_beginning {
        without_log("The log was not read to its beginning, and its end has no lines of this phase")
            .text
    } else if end.lines.is_empty() {
        without_log("CloudWatch Logs has no log of this phase").text
    } else {
        let block = build_log::block(&end.lines);
        format!("\n{heading}:\n\n{block}\n")
    };
    LogText {
        text,
        is_late: !end.is_complete,
    }
}

fn without_log(sentence: &str) -> LogText {
    LogText {
        text: format!("\n{sentence}.\n"),
        is_late: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_without_lines_names_the_reason() {
        let text = |has_beginning| {
            let end = LogEnd {
                has_beginning,
                ..LogEnd::default()
            };
            log_text(&end).text
        };
        assert!(text(false).contains("The log was not read to its beginning"));
        assert!(text(true).contains("CloudWatch Logs has no log of this phase"));
    }
}
