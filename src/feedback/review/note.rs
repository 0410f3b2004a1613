//! The note on the merge request. Text of the branch is written as code.

use std::fmt::Write;

use super::build::ReviewBuild;
use super::finding::ReviewFinding;
use super::output::{MAX_TEMPLATE_BYTES, Unusable};
use super::parameters::MissingValues;
use super::target::ReviewTarget;
use super::template::Scan;
use crate::clients::gitlab::StatusState;
use crate::common::one_line::shortened;
use crate::feedback::change_sets::{code, counts, sentence, short_commit, write_table};
use crate::gitops_pipeline::names::{AwsLocation, ResourceNames};
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use cfn_custom_resource::Reason;

/// The most types of resources in a summary.
const MAX_TYPES: usize = 50;

/// The most characters of a type, which CloudFormation has not seen:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RegisterType.html>.
const MAX_TYPE_CHARACTERS: usize = 204;

/// The most characters of CloudFormation's reason, and of a list of names.
const MAX_REASON_CHARACTERS: usize = 500;

/// The marker with which the note begins. It distinguishes the notes of environments and projects,
/// also those of the same names in another account or region.
pub fn marker(pipeline: &PipelineSettings) -> String {
    let ResourceNames { env_id, project_id } = &pipeline.names;
    let AwsLocation {
        account, region, ..
    } = &pipeline.location;
    format!("<!-- cfn-gitops review {env_id}/{project_id} {account}/{region} ")
}

/// The end of the marker's line, which names the build. If its review has not ended, another
/// delivery writes the note again.
pub fn build_marker(build_uuid: &str, has_ended: bool) -> String {
    let open = if has_ended { "" } else { " without status" };
    format!("build {build_uuid}{open} -->")
}

/// Renders the note about `build`, whose branch does not have `commits_behind` commits of the
/// deployed one. `None` if GitLab does not show their number.
pub fn render(
    target: &ReviewTarget,
    build: &ReviewBuild,
    commits_behind: Option<u64>,
    finding: &ReviewFinding,
    has_ended: bool,
) -> String {
    let pipeline = &target.pipeline;
    let environment = code(&target.report.environment_name);
    let stack = format!(", stack {}", code(&pipeline.deployed_stack));
    let url = pipeline.location.reported_build(&pipeline.names, &build.id);
    let no_change_set = format!("No change set for {environment}");
    let mut more = String::new();
    let (headline, of, result) = match finding {
        ReviewFinding::Changes(changes, scan) => {
            write_behind(&mut more, commits_behind, &pipeline.branch);
            write_table(&mut more, changes, &url);
            write_unpackaged(&mut more, scan);
            let change = match commits_behind {
                Some(0) => "A merge",
                _ => "This branch",
            };
            let headline = format!("{change} changes {environment}");
            (headline, &*stack, counts(changes))
        }
        ReviewFinding::BuildFailed(build, log) => {
            more.push_str(&log.text);
            let headline = format!("The build for {environment} failed");
            (headline, "", build.markdown())
        }
        ReviewFinding::Unusable(unusable) => {
            let reason = unusable_output(unusable);
            write_remedy(&mut more, &reason);
            (no_change_set, "", reason.problem)
        }
        ReviewFinding::Summary(reasons, scan) => {
            write_types(&mut more, scan);
            write_unpackaged(&mut more, scan);
            (no_change_set, &*stack, reasons.join("; "))
        }
        ReviewFinding::MissingValues(missing) => {
            let reason = missing_values(missing);
            write_remedy(&mut more, &reason);
            (no_change_set, &*stack, reason.problem)
        }
        ReviewFinding::Rejected(reason) => {
            let headline = format!("CloudFormation rejects the changes to {environment}");
            (
                headline,
                &*stack,
                code(&shortened(reason, MAX_REASON_CHARACTERS)),
            )
        }
    };
    let marker = marker(pipeline) + &build_marker(build.uuid(), has_ended);
    let commit = short_commit(&build.commit);
    format!("{marker}\n**{headline}**: [build]({url})\n\nCommit {commit}{of}: {result}\n{more}")
}

/// The commit status of a result: its state, and its description, which GitLab does not read as
/// Markdown. `Success` even if the function creates no change set by design.
pub fn status(finding: &ReviewFinding) -> (StatusState, String) {
    use StatusState::{Failed, Success};
    let (state, text) = match finding {
        ReviewFinding::Changes(changes, _) => (Success, counts(changes)),
        ReviewFinding::Summary(reasons, _) => {
            (Success, format!("No change set: {}", reasons.join("; ")))
        }
        ReviewFinding::BuildFailed(build, _) => (Failed, build.text()),
        ReviewFinding::Unusable(unusable) => (Failed, unusable_output(unusable).text()),
        ReviewFinding::MissingValues(missing) => (Failed, missing_values(missing).text()),
        ReviewFinding::Rejected(reason) => {
            let text = format!("CloudFormation rejects the changes: {reason}");
            (Failed, text)
        }
    };
    (state, text.replace('*', ""))
}

fn unusable_output(unusable: &Unusable) -> Reason {
    let (problem, remedy) = match unusable {
        Unusable::Missing(path) => (
            format!("the build stored no {}", code(path)),
            "Add it to `artifacts` in the buildspec",
        ),
        Unusable::TooLarge(path, max) => (
            format!("{} is larger than {} KB", code(path), max / 1024),
            match *max {
                MAX_TEMPLATE_BYTES => "Divide it into nested stacks",
                _ => "Make it smaller",
            },
        ),
        Unusable::Invalid(path, kind, why) => (
            format!("{} is not {kind}: {}", code(path), code(why)),
            "Correct the file, or the build that writes it",
        ),
    };
    Reason::uncoded(problem, remedy)
}

fn missing_values(missing: &MissingValues) -> Reason {
    let names = |names: &[String]| code(&shortened(&names.join(", "), MAX_REASON_CHARACTERS));
    let (mut problems, mut remedy) = (vec![], "Review the template instead".to_owned());
    if !missing.unnamed.is_empty() {
        problems.push(format!("no value of {}", names(&missing.unnamed)));
        remedy = match &missing.configuration {
            Some(path) => format!("Add a value to `Parameters` in {}", code(path)),
            None => "Add a default, or a value to `Deploy.ParameterOverrides`".to_owned(),
        };
    }
    if !missing.computed.is_empty() {
        let names = names(&missing.computed);
        let of = "which CodePipeline computes in the next deployment";
        problems.push(format!("no value yet of {names}, {of}"));
    }
    Reason::uncoded(problems.join("; "), remedy)
}

fn write_remedy(note: &mut String, reason: &Reason) {
    let _ = writeln!(note, "\n{}", sentence(&reason.remedy.to_string()));
}

/// The build has the branch's commits. So it lacks those that others have merged since.
fn write_behind(note: &mut String, count: Option<u64>, deployed_branch: &str) {
    let target = code(deployed_branch);
    let behind = match count {
        Some(0) => return,
        Some(1) => format!("The branch is 1 commit behind {target}"),
        Some(count) => format!("The branch is {count} commits behind {target}"),
        None => format!("The branch may be behind {target}: GitLab does not show how many commits"),
    };
    let _ = writeln!(
        note,
        "\n{behind}. What they add appears as removed, and what they change appears as changed back. A \
         merge does neither: rebase the branch."
    );
}

/// CloudFormation does not look at these properties before it deploys their resources.
fn write_unpackaged(note: &mut String, scan: &Scan) {
    if !scan.unpackaged.is_empty() {
        let places: Vec<&str> = scan.unpackaged.iter().map(String::as_str).collect();
        let places = code(&shortened(&places.join(", "), MAX_REASON_CHARACTERS));
        let _ = writeln!(
            note,
            "\nThe template names local files in {places}. CloudFormation reads only files in S3, so these \
             resources cannot be deployed. Run `aws cloudformation package` in the buildspec."
        );
    }
}

fn write_types(note: &mut String, scan: &Scan) {
    if scan.resources.is_empty() {
        return;
    }
    note.push_str("\n| Type | Resources |\n|---|---|\n");
    for (of_type, count) in scan.resources.iter().take(MAX_TYPES) {
        let of_type: String = of_type.chars().take(MAX_TYPE_CHARACTERS).collect();
        let _ = writeln!(note, "| {} | {count} |", code(&of_type));
    }
}

#[cfg(test)]
#[path = "note_tests.rs"]
mod tests;
