//! The note about a commit in an environment: the change set that waits for an approval, how the
//! approval ended, and how the deployment did.
//!
//! ```text
//! <!-- cfn-gitops deployment dev/shop 8c1b… 1234…/eu-central-1 failure 5f3b… -->  the marker
//! **The deployment to `dev` failed**: [execution](…) of project shop  the headline
//!
//! …                                                               why it failed
//!
//! <!-- change set -->
//! …                                                               the change set, if listed
//! ```
//!
//! The function reads the first two lines again, when it edits the note.

use std::fmt::Write;

use crate::feedback::approval::ApprovalEnd;
use crate::feedback::change_sets::{Change, code, counts, short_commit, write_table};
use crate::feedback::execution::{Execution, ExecutionState};
use crate::feedback::failures::cause::way_back;
use crate::gitops_pipeline::executions::{APPROVAL, BUILD, DEPLOY};
use crate::gitops_pipeline::names::{AwsLocation, ResourceNames};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use cfn_custom_resource::Remedy;

/// The end of the headline while the approval waits.
const WAIT: &str = "wait for an approval";

/// The line before the change set.
const CHANGE_SET: &str = "<!-- change set -->";

/// The words of the marker before the failed attempt, and after it if a later look may find more.
const FAILURE: &str = "failure ";
const LATE: &str = " may be incomplete";

/// The beginning of the note. It distinguishes the notes of environments, projects and commits,
/// also those of the same names in another account or region.
pub fn marker(pipeline: &PipelineSettings, commit: &str) -> String {
    let AwsLocation {
        account, region, ..
    } = &pipeline.location;
    format!(
        "{}{account}/{region} ",
        marker_of_all(&pipeline.names, commit)
    )
}

/// The beginning of the notes of each account and region.
pub fn marker_of_all(names: &ResourceNames, commit: &str) -> String {
    let ResourceNames { env_id, project_id } = names;
    format!("<!-- cfn-gitops deployment {env_id}/{project_id} {commit} ")
}

/// How an execution ended that its approval did not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionEnd {
    /// It runs, or its approval has ended it.
    Open,
    Deployed,
    /// It was stopped or superseded after the approval. This is CodePipeline's word.
    Canceled(String),
    /// This action failed. `None` if a condition of a stage did.
    Failed(Option<String>),
    RolledBack,
}

/// How far an execution is, as its note shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteState {
    pub approval: Option<ApprovalEnd>,
    pub end: ExecutionEnd,
    pub has_former_release: bool,
}

impl NoteState {
    pub fn of(execution: &Execution, names: &ResourceNames) -> Self {
        let approval = execution.action(APPROVAL);
        let approval = approval.and_then(|it| ApprovalEnd::of(it, names, execution.state));
        let is_over = matches!(
            approval,
            Some(ApprovalEnd::Rejected | ApprovalEnd::Unneeded)
        );
        let end = match execution.state {
            _ if is_over => ExecutionEnd::Open,
            ExecutionState::Running => ExecutionEnd::Open,
            ExecutionState::Succeeded => ExecutionEnd::Deployed,
            ExecutionState::Canceled => ExecutionEnd::Canceled(execution.status.to_lowercase()),
            ExecutionState::RolledBack => ExecutionEnd::RolledBack,
            ExecutionState::Failed => {
                let failed = execution.failed_action();
                ExecutionEnd::Failed(failed.map(|action| action.name.clone()))
            }
        };
        NoteState {
            approval,
            end,
            has_former_release: execution.has_former_release,
        }
    }

    /// The state if `approval` is all that is known.
    pub fn ended(approval: Option<ApprovalEnd>) -> Self {
        NoteState {
            approval,
            end: ExecutionEnd::Open,
            has_former_release: false,
        }
    }

    /// Whether the note has to show why the execution failed.
    pub fn is_failure(&self) -> bool {
        matches!(self.end, ExecutionEnd::Failed(_) | ExecutionEnd::RolledBack)
    }

    /// Whether more is known than that an approval is required.
    pub fn has_ended(&self) -> bool {
        self.approval.is_some() || self.end != ExecutionEnd::Open
    }

    /// The text of the headline about `environment`, which is Markdown.
    fn text(&self, environment: &str) -> String {
        let before = self.approval.as_ref().map(|approval| match approval {
            ApprovalEnd::Approved => "were approved",
            ApprovalEnd::Rejected => "were rejected",
            ApprovalEnd::Unneeded => "no longer need an approval",
            ApprovalEnd::Unchanged => "needed no approval, because there are none",
        });
        let changes = format!("Changes to {environment}");
        // A failure is that of the execution: another one may have deployed the changes.
        let but = |alone: String, after_approval: &str| match &before {
            Some(before) => format!("{changes} {before}, but {after_approval}"),
            None => alone,
        };
        let work = |name: &str, to: &str, end: &str| {
            let alone = format!("The {name} {to} {environment} {end}");
            but(alone, &format!("the {name} {end}"))
        };
        match &self.end {
            ExecutionEnd::Open => format!("{changes} {}", before.unwrap_or_default()),
            ExecutionEnd::Deployed => match &before {
                Some(before) if self.approval == Some(ApprovalEnd::Unchanged) => {
                    format!("{changes} {before}")
                }
                Some(before) => format!("{changes} {before} and deployed"),
                None => format!("{changes} were deployed"),
            },
            ExecutionEnd::Canceled(how) => {
                let stopped = format!("execution was {how}");
                let alone = format!("An {stopped} on its way to {environment}");
                but(alone, &format!("the {stopped}"))
            }
            ExecutionEnd::RolledBack => work("deployment", "to", "was rolled back"),
            ExecutionEnd::Failed(None) => {
                let alone = format!("A condition of a stage failed on the way to {environment}");
                but(alone, "a condition of the stage failed")
            }
            ExecutionEnd::Failed(Some(action)) => match action.as_str() {
                DEPLOY => work("deployment", "to", "failed"),
                BUILD => work("build", "for", "failed"),
                action => {
                    let failed = format!("{} failed", code(action));
                    but(format!("{failed} on the way to {environment}"), &failed)
                }
            },
        }
    }
}

/// Why an execution failed, for its note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureText {
    /// CodePipeline's ID of the attempt that failed. Empty if it is not known.
    pub attempt: String,
    /// Whether a later look may find more.
    pub is_late: bool,
    pub text: String,
}

/// The parts of a note that was written before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written<'a> {
    pub note: &'a str,
    /// The address of the headline. Empty if a person has edited it.
    pub url: &'a str,
    /// The execution of the headline. Empty if a person has edited it.
    pub execution_id: &'a str,
    /// Whether it shows a change set as waiting.
    pub waits: bool,
    /// The attempt whose failure it shows. `None` if it shows none.
    pub failed_attempt: Option<&'a str>,
    /// Whether a later look may find more about the failure.
    pub is_late: bool,
}

impl<'a> Written<'a> {
    pub fn parse(note: &'a str) -> Self {
        let (first, rest) = note.split_once('\n').unwrap_or((note, ""));
        let (headline, _) = rest.split_once('\n').unwrap_or((rest, ""));
        let failure = first.strip_suffix(" -->").unwrap_or(first);
        let failure = failure.split_once(&format!(" {FAILURE}")).map(|(_, attempt)| attempt);
        let failed_attempt = failure.map(|it| it.strip_suffix(LATE).unwrap_or(it));
        let url = headline.split_once("[execution](").and_then(|(_, rest)| rest.split_once(')'));
        let url = url.map_or("", |(url, _)| url);
        let id = url.split_once("/executions/").and_then(|(_, rest)| rest.split_once('/'));
        Written {
            note,
            url,
            execution_id: id.map_or("", |(id, _)| id),
            waits: headline.contains(&format!(" {WAIT}**: ")),
            failed_attempt,
            is_late: failure.is_some_and(|it| it.ends_with(LATE)),
        }
    }
}

/// The place of notes about a commit, and what they have in common.
#[derive(Clone, Copy, Debug)]
pub struct NoteOf<'a> {
    pub pipeline: &'a PipelineSettings,
    /// GitLab's environment.
    pub environment: &'a str,
    pub commit: &'a str,
    /// The execution in the console.
    pub url: &'a str,
}

impl NoteOf<'_> {
    /// The note about the sorted `changes` that wait for an approval.
    pub fn waiting(&self, changes: &[Change]) -> String {
        let environment = code(self.environment);
        let headline = format!("Changes to {environment} {WAIT}");
        self.with(&headline, None, "", Some(changes))
    }

    /// The note after its execution has this state, which may be a failure. `changes` are those of
    /// its change set, if CloudFormation still shows it.
    pub fn ended(
        &self,
        state: &NoteState,
        failure: Option<&FailureText>,
        changes: Option<&[Change]>,
    ) -> String {
        let text = match (failure, &state.end) {
            (Some(failure), _) => failure.text.clone(),
            (None, ExecutionEnd::Deployed) if state.has_former_release => paragraph(&way_back(
                "To go back to the former release",
                &self.pipeline.names,
            )),
            (None, _) => String::new(),
        };
        self.with(&self.headline(state), failure, &text, changes)
    }

    /// Whether a note of this text shows that its execution has this state, which is not a failure.
    pub fn is_shown(&self, state: &NoteState, note: &str) -> bool {
        note.starts_with(&self.head(&self.headline(state), None))
    }

    fn headline(&self, state: &NoteState) -> String {
        state.text(&code(self.environment))
    }

    /// The marker and the headline.
    fn head(&self, headline: &str, failure: Option<&FailureText>) -> String {
        let mut head = marker(self.pipeline, self.commit);
        if let Some(failure) = failure {
            let late = if failure.is_late { LATE } else { "" };
            let _ = write!(head, "{FAILURE}{}{late} ", failure.attempt);
        }
        let (url, project) = (self.url, &self.pipeline.names.project_id);
        let _ = write!(
            head,
            "-->\n**{headline}**: [execution]({url}) of project {project}\n"
        );
        head
    }

    fn with(
        &self,
        headline: &str,
        failure: Option<&FailureText>,
        text: &str,
        changes: Option<&[Change]>,
    ) -> String {
        let mut note = self.head(headline, failure);
        if !text.is_empty() {
            let _ = write!(note, "\n{}\n", text.trim());
        }
        let _ = write!(note, "\n{CHANGE_SET}\n");
        if let Some(changes) = changes {
            let commit = short_commit(self.commit);
            let stack = code(&self.pipeline.deployed_stack);
            let _ = writeln!(note, "Commit {commit}, stack {stack}: {}", counts(changes));
            write_table(&mut note, changes, self.url);
        }
        note
    }
}

/// The text of a note that a person may have edited, without lines that GitLab would execute as
/// quick actions of the token's user: outside of a code block that began before the text, or in
/// another merge request. The function writes no such lines.
pub fn without_commands(text: &str) -> String {
    // GitLab deletes carriage returns before it looks for quick actions.
    let text = text.replace('\r', "");
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.starts_with('/')).collect()
}

/// The note in the function's own words, if a firewall rejects the whole `note`: its marker and
/// headline, and the number of changes.
pub fn short(note: &str) -> String {
    let mut lines = note.split_inclusive('\n');
    let head: String = lines.by_ref().take(2).collect();
    let change_set = note.rsplit_once(CHANGE_SET).map_or("", |(_, rest)| rest);
    let counts = change_set.trim_start().lines().next().unwrap_or_default();
    format!(
        "{head}\nThe reason and the changes are in AWS: a firewall or proxy in front of GitLab rejects the whole note.\n\n{CHANGE_SET}\n{counts}\n"
    )
}

/// A paragraph of a note.
pub fn paragraph(remedy: &Remedy) -> String {
    format!("\n{}\n", remedy.with_code(code))
}

#[cfg(test)]
#[path = "note_tests.rs"]
pub mod tests;
