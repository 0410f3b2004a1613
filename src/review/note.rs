//! The note on the merge request. What comes from the branch is written as code.

use std::fmt::Write;

use super::output::Unusable;
use super::template::Scan;
use crate::change_sets::{Change, code, counts, write_table};
use crate::gitops_pipeline::names::ResourceNames;

/// The most types of resources in a summary.
const MAX_TYPES: usize = 50;

/// The most characters of CloudFormation's reason.
const MAX_REASON_CHARACTERS: usize = 500;

/// What a note is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The names of the pipeline's resources.
    pub names: &'a ResourceNames,
    /// The environment in GitLab.
    pub environment_name: &'a str,
    /// The stack that the pipeline deploys.
    pub stack_name: &'a str,
    /// The commit.
    pub commit: &'a str,
    /// The random part of the build's ID.
    pub build_uuid: &'a str,
    /// The build in the console.
    pub build_url: &'a str,
}

/// The result of a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The change set has these changes, sorted.
    Changes(Vec<Change>),
    /// The build failed in this phase.
    BuildFailed(String),
    /// The build stored nothing from which a change set can be created.
    Unusable(Unusable),
    /// There is no change set, for these reasons. The template contains this.
    Summary(Vec<String>, Scan),
    /// CloudFormation did not create the change set, for this reason.
    Rejected(String),
}

/// The marker with which the note begins. It distinguishes the notes of environments and projects.
pub fn marker(names: &ResourceNames) -> String {
    let ResourceNames { env_id, project_id } = names;
    format!("<!-- cfn-gitops review {env_id}/{project_id} ")
}

/// The end of the marker's line, which names the build.
pub fn build_marker(build_uuid: &str) -> String {
    format!("build {build_uuid} -->")
}

/// Renders the note.
pub fn render(subject: Subject<'_>, finding: &Finding) -> String {
    let mut note = marker(subject.names);
    note.push_str(&build_marker(subject.build_uuid));
    let environment = code(subject.environment_name);
    let short = subject.commit.get(..8).unwrap_or(subject.commit);
    let (commit, stack, url) = (code(short), code(subject.stack_name), subject.build_url);
    let _ = match finding {
        Finding::Changes(changes) => write!(
            note,
            "\n**A merge changes {environment}**: [build]({url})\n\nCommit {commit}, stack {stack}: \
             {}\n",
            counts(changes)
        ),
        Finding::BuildFailed(phase) => write!(
            note,
            "\n**The build for {environment} failed**: [build]({url})\n\nCommit {commit}: phase {}\n",
            code(phase)
        ),
        Finding::Unusable(unusable) => write!(
            note,
            "\n**No change set for {environment}**: [build]({url})\n\nCommit {commit}: {}\n",
            text(unusable)
        ),
        Finding::Summary(reasons, _) => write!(
            note,
            "\n**No change set for {environment}**: [build]({url})\n\nCommit {commit}, stack {stack}: \
             {}\n",
            reasons.join("; ")
        ),
        Finding::Rejected(reason) => {
            let reason: String = reason.chars().take(MAX_REASON_CHARACTERS).collect();
            write!(
                note,
                "\n**CloudFormation rejects the changes to {environment}**: [build]({url})\n\n\
                 Commit {commit}, stack {stack}: {}\n",
                code(&reason)
            )
        }
    };
    match finding {
        Finding::Changes(changes) => write_table(&mut note, changes, url),
        Finding::Summary(_, scan) => write_types(&mut note, scan),
        _ => {}
    }
    note
}

fn text(unusable: &Unusable) -> String {
    match unusable {
        Unusable::Missing(path) => format!(
            "the build stored no {}. Add it to `artifacts` in the buildspec",
            code(path)
        ),
        Unusable::TooLarge(path) => format!("{} is larger than 1 MB", code(path)),
        Unusable::Configuration(path) => {
            format!("{} is not the JSON of a template configuration", code(path))
        }
    }
}

fn write_types(note: &mut String, scan: &Scan) {
    if scan.resources.is_empty() {
        return;
    }
    note.push_str("\n| Type | Resources |\n|---|---|\n");
    for (of_type, count) in scan.resources.iter().take(MAX_TYPES) {
        let _ = writeln!(note, "| {} | {count} |", code(of_type));
    }
}
