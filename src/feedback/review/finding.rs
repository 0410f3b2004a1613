//! Decides the content of a note: pure functions of the data that was read.

use std::collections::BTreeMap;

use super::output::{BuildOutput, Unusable};
use super::parameters;
use super::parameters::MissingValues;
use super::template::{Blocker, Scan};
use crate::feedback::change_sets::{Audience, Change, Template, Values, shown_reason};
use crate::feedback::failures::build::FailedBuild;
use crate::feedback::failures::text::LogText;
use crate::gitops_pipeline::early_validation;
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::settings::ReviewSettings;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReviewFinding {
    /// The change set has these changes, sorted. The template contains this.
    Changes(Vec<Change>, Scan),
    /// The build failed, with the end of its log if the settings want it.
    BuildFailed(FailedBuild, LogText),
    /// The build stored nothing from which a change set can be created.
    Unusable(Unusable),
    /// There is no change set, for these reasons. The template contains this.
    Summary(Vec<String>, Scan),
    /// There is no change set, because CloudFormation would have no value of these parameters.
    MissingValues(MissingValues),
    /// CloudFormation did not create the change set, for this reason.
    Rejected(String),
}

impl ReviewFinding {
    /// Whether a later look may find more.
    pub fn is_late(&self) -> bool {
        matches!(self, ReviewFinding::BuildFailed(_, log) if log.is_late)
    }
}

/// The stack that the pipeline deploys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployedStack {
    /// Whether it has resources.
    pub exists: bool,
    /// Whether an operation runs.
    pub is_busy: bool,
    /// The values of its parameters.
    pub parameters: BTreeMap<String, String>,
}

/// The finding about a build for which no change set is created. `None` if one can be created.
pub fn without_change_set(
    output: &BuildOutput,
    stack: &DeployedStack,
    settings: &ReviewSettings,
) -> Option<ReviewFinding> {
    let blockers = output.scan.blockers.iter().filter(|_| !settings.allow_transforms);
    let because = |blocker: &Blocker| {
        format!(
            "CloudFormation does not get the template, because {}",
            blocker.text()
        )
    };
    let mut reasons: Vec<String> = blockers.map(because).collect();
    if !stack.exists {
        reasons.push("the stack does not exist yet".to_owned());
    }
    if !reasons.is_empty() {
        return Some(ReviewFinding::Summary(reasons, output.scan.clone()));
    }
    let missing = parameters::missing(output, &stack.parameters);
    let has_all = missing.unnamed.is_empty() && missing.computed.is_empty();
    (!has_all).then(|| {
        ReviewFinding::MissingValues(MissingValues {
            configuration: settings.template_configuration.clone(),
            ..missing
        })
    })
}

/// The finding about a change set that CloudFormation rejected for `reason`. Its validation or a
/// hook found `errors`. Shows none of the parameters' `values`.
pub fn rejected(
    reason: &str,
    errors: &[early_validation::Finding],
    values: &Values,
    scan: &Scan,
    names: &ResourceNames,
) -> ReviewFinding {
    let template = Template {
        words: &scan.words,
        has_transform: scan.blockers.contains(&Blocker::Transform),
    };
    let shown = |text: &str| shown_reason(text, values, Audience::Review(template), names);
    let explained = early_validation::explain(Some(shown(reason)), errors, shown);
    ReviewFinding::Rejected(explained.unwrap_or_default())
}

#[cfg(test)]
#[path = "finding_tests.rs"]
pub mod tests;
