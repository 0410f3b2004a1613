//! Plans the steps of a review: a pure function of the observed state.

use std::collections::BTreeMap;

use crate::feedback::change_sets::{
    ChangeSet, ComparisonResult, Creation, HIDDEN_REASON, is_masked, shown_reason,
};
use crate::feedback::reporting::ReportError;
use crate::feedback::review::build::{BuildState, ReviewBuild};
use crate::feedback::review::note;
use crate::feedback::review::note::Finding;
use crate::feedback::review::output::{BuildOutput, Unusable};
use crate::feedback::review::parameters;
use crate::feedback::review::parameters::MissingValues;
use crate::feedback::review::template::Blocker;
use crate::gitops_pipeline::early_validation;
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::settings::ReviewSettings;
use crate::reconcile::Next;
use cfn_custom_resource::Reason;

/// One change or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewStep {
    /// Read the branch's latest commit.
    ReadHead,
    /// Read the notes on the merge requests of the branch.
    ReadNotes,
    /// Read what the build stored.
    ReadOutput,
    /// Read the status of the deployed stack.
    ReadStack,
    /// Create the change set, and read it.
    Compare,
    /// Read why CloudFormation's validation rejected the change set.
    ReadValidation,
    DeleteChangeSet,
    WriteNotes,
}

/// The end of a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reviewed {
    /// The notes show the build.
    Written,
    /// There was nothing to write, for this reason.
    Ignored(&'static str),
    /// GitLab rejected the review for good.
    Rejected(Reason),
}

/// The deployed stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeployedStack {
    /// It does not exist, or has no resources yet.
    Missing,
    /// An operation runs.
    Busy,
    /// A change set can be created.
    Ready,
}

/// The latest commit of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchHead {
    /// It is to be read.
    Unread,
    /// The branch does not exist.
    Missing,
    /// This commit.
    At(String),
}

/// What is known of a review.
#[derive(Clone, Debug)]
pub struct ReviewState {
    /// The build. `None` if it does not exist.
    pub build: Option<ReviewBuild>,
    /// The branch's latest commit.
    pub head: BranchHead,
    /// The note on each merge request of the branch. `None` until they were read.
    pub notes: Option<Vec<Option<String>>>,
    /// What the build stored. `None` until it was read.
    pub output: Option<Result<BuildOutput, Unusable>>,
    /// The deployed stack. `None` until it was read.
    pub stack: Option<DeployedStack>,
    /// The values of its parameters.
    pub stack_parameters: BTreeMap<String, String>,
    /// The result of the comparison. `None` until it has ended.
    pub comparison: Option<ComparisonResult>,
    /// Whether a change set of the build may exist: one that an earlier delivery left behind, or
    /// the one that was read.
    pub may_exist: bool,
    /// Why CloudFormation's validation rejected the change set. `None` until it was read.
    pub validation: Option<Vec<early_validation::Finding>>,
    pub is_written: bool,
}

impl ReviewState {
    /// Only the build was read.
    pub fn new(build: Option<ReviewBuild>) -> Self {
        ReviewState {
            build,
            head: BranchHead::Unread,
            notes: None,
            output: None,
            stack: None,
            stack_parameters: BTreeMap::new(),
            comparison: None,
            may_exist: true,
            validation: None,
            is_written: false,
        }
    }
}

/// Plans the next step until the notes show the build.
pub fn next(
    state: &ReviewState,
    settings: &ReviewSettings,
    names: &ResourceNames,
) -> Next<ReviewStep, Reviewed, ReportError> {
    if state.is_written {
        return Next::Done(Reviewed::Written);
    }
    let Some(build) = &state.build else {
        return ignore("the event rule of review branches did not start the build");
    };
    if build.state == BuildState::Running {
        return ignore("the build runs");
    }
    match &state.head {
        BranchHead::Unread => return Next::Apply(ReviewStep::ReadHead),
        BranchHead::Missing => return clean_up(state, "the branch does not exist any more"),
        BranchHead::At(commit) if *commit != build.commit => {
            return clean_up(state, "a later commit was pushed");
        }
        BranchHead::At(_) => {}
    }
    let Some(notes) = &state.notes else {
        return Next::Apply(ReviewStep::ReadNotes);
    };
    if notes.is_empty() {
        return clean_up(state, "the branch has no open merge request");
    }
    let marker = note::build_marker(build.uuid(), true);
    let shows_build = |note: &Option<String>| note.as_ref().is_some_and(|it| it.contains(&marker));
    if notes.iter().all(shows_build) {
        return clean_up(state, "the notes show the build already");
    }
    match (finding(state, settings, names), &state.comparison) {
        (None, _) => next_read(state),
        (Some(_), Some(ComparisonResult::Rejected(error))) if error.is_denied() => {
            Next::Fail(error.clone().into())
        }
        (Some(_), Some(ComparisonResult::Read(read))) if state.may_exist => {
            // CloudFormation may delete the findings with the change set.
            Next::Apply(if state.validation.is_none() && is_invalid(read) {
                ReviewStep::ReadValidation
            } else {
                ReviewStep::DeleteChangeSet
            })
        }
        (Some(_), _) => Next::Apply(ReviewStep::WriteNotes),
    }
}

/// Whether CloudFormation's validation rejected the change set.
fn is_invalid(read: &ChangeSet) -> bool {
    matches!(&read.creation, Creation::Failed(reason) if early_validation::names_validation(reason))
}

/// The step that is missing for a finding.
fn next_read(state: &ReviewState) -> Next<ReviewStep, Reviewed, ReportError> {
    // The health check repeats the review.
    const BUSY: &str = "an operation on the deployed stack runs";
    if state.output.is_none() {
        return Next::Apply(ReviewStep::ReadOutput);
    }
    match (state.stack, &state.comparison) {
        (None, _) => Next::Apply(ReviewStep::ReadStack),
        (_, Some(ComparisonResult::Impossible(because))) => ignore(because),
        (Some(DeployedStack::Busy), _) => ignore(BUSY),
        _ => Next::Apply(ReviewStep::Compare),
    }
}

fn ignore(because: &'static str) -> Next<ReviewStep, Reviewed, ReportError> {
    Next::Done(Reviewed::Ignored(because))
}

/// Ends, after the deletion of a change set that an earlier delivery may have left behind.
fn clean_up(state: &ReviewState, because: &'static str) -> Next<ReviewStep, Reviewed, ReportError> {
    if state.may_exist {
        Next::Apply(ReviewStep::DeleteChangeSet)
    } else {
        ignore(because)
    }
}

/// What the notes show. `None` if more has to be read.
pub fn finding(
    state: &ReviewState,
    settings: &ReviewSettings,
    names: &ResourceNames,
) -> Option<Finding> {
    let build = state.build.as_ref()?;
    if let BuildState::Failed(phase) = &build.state {
        return Some(Finding::BuildFailed(phase.clone()));
    }
    let output = match state.output.as_ref()? {
        Ok(output) => output,
        Err(unusable) => return Some(Finding::Unusable(unusable.clone())),
    };
    let reasons = reasons_for_summary(output, state.stack?, settings);
    if !reasons.is_empty() {
        return Some(Finding::Summary(reasons, output.scan.clone()));
    }
    let missing = parameters::missing(output, &state.stack_parameters);
    if !(missing.unnamed.is_empty() && missing.computed.is_empty()) {
        let configuration = settings.template_configuration.clone();
        return Some(Finding::MissingValues(MissingValues {
            configuration,
            ..missing
        }));
    }
    let values = parameters::values(output, &state.stack_parameters);
    // The author of the template could have any value shown in another form.
    let has_masked = values.iter().any(|value| is_masked(value));
    let shown = |text: &str| {
        let shown = (!has_masked).then(|| shown_reason(text, &values, names));
        shown.unwrap_or_else(|| HIDDEN_REASON.to_owned())
    };
    let rejected = |reason: &str| Some(Finding::Rejected(shown(reason)));
    let failed = |reason: &str| {
        let findings = state.validation.iter().flatten();
        let findings = findings.map(|found| early_validation::Finding {
            place: shown(&found.place),
            cause: shown(&found.cause),
        });
        let findings: Vec<_> = findings.collect();
        early_validation::describe(&findings)
            .map_or_else(|| rejected(reason), |it| Some(Finding::Rejected(it)))
    };
    match state.comparison.as_ref()? {
        // A developer can do something about the template, but not about the function's role.
        ComparisonResult::Rejected(error) => rejected(&error.cause),
        ComparisonResult::Read(read) => {
            if let Creation::Failed(reason) = &read.creation {
                return failed(reason);
            }
            let (changes, scan) = (read.changes.clone(), output.scan.clone());
            Some(Finding::Changes(changes, scan))
        }
        ComparisonResult::Impossible(_) => None,
    }
}

/// Why there is no change set. Empty if one can be created.
fn reasons_for_summary(
    output: &BuildOutput,
    stack: DeployedStack,
    settings: &ReviewSettings,
) -> Vec<String> {
    let blockers = output.scan.blockers.iter();
    let blockers = blockers.filter(|_| !settings.allow_transforms);
    let because = |blocker: &Blocker| {
        format!(
            "CloudFormation does not get the template, because {}",
            blocker.text()
        )
    };
    let mut reasons: Vec<String> = blockers.map(because).collect();
    if stack == DeployedStack::Missing {
        reasons.push("the stack does not exist yet".to_owned());
    }
    reasons
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
