//! Runs a review, from the branch's latest commit to the note.

use aws_sdk_cloudformation::types::Parameter;

use super::build::{BuildState, ReviewBuild};
use super::finding::{DeployedStack, ReviewFinding};
use super::output::{BuildOutput, Unusable};
use super::target::ReviewTarget;
use super::{finding, note, output, parameters};
use crate::clients::aws::{Aws, CallError};
use crate::clients::cloudformation::StackStatus;
use crate::clients::codecommit;
use crate::clients::gitlab::{
    CommitRef, GitLab, GitLabError, Note, NotePlace, NoteText, Rejection, RetryTime,
};
use crate::common::stop::Stop;
use crate::feedback::change_sets::{Base, ComparisonResult, Creation, NewChangeSet, Values};
use crate::feedback::failures;
use crate::feedback::failures::build::FailedBuild;
use crate::feedback::failures::text::LogText;
use crate::feedback::reporting::{
    MAX_RETRIES, RETRY_INTERVAL, ReportError, commit_status, short_note, show_status,
};
use crate::feedback::{change_sets, rights};
use crate::gitops_pipeline::describe_stack;
use crate::gitops_pipeline::names::REVIEW_CHANGE_SETS;
use cfn_custom_resource::Progress;

pub struct Reviewer<'a> {
    pub aws: &'a Aws,
    pub gitlab: &'a GitLab,
    pub target: &'a ReviewTarget,
    pub build: &'a ReviewBuild,
    /// Whether the health check looks once more at a log that arrives late.
    pub is_first_look: bool,
    pub progress: Progress,
}

impl Reviewer<'_> {
    /// Writes the notes about the build, if it is that of the branch's latest commit.
    pub async fn review(&self) -> Result<(), Stop<ReportError>> {
        let needed = async {
            self.check_latest().await?;
            self.check_missing().await
        };
        let needed = needed.await;
        if let Err(Stop::Nothing(_)) = needed {
            // An earlier delivery may have left it behind.
            self.delete_change_set().await?;
        }
        needed?;
        let finding = self.find().await?;
        Ok(self.write(&finding).await?)
    }

    /// Checks that the build is that of the branch's latest commit.
    async fn check_latest(&self) -> Result<(), Stop<ReportError>> {
        let branch = &self.build.branch;
        self.progress.doing(format!("looking up branch {branch}"));
        let repository = &self.target.pipeline.repository.name;
        let tip = codecommit::tip(&self.aws.codecommit, repository, branch).await?;
        match tip.commit() {
            None => Err(Stop::nothing("the branch does not exist any more")),
            Some(tip) if tip != self.build.commit => {
                Err(Stop::nothing("a later commit was pushed"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Checks that a note has to be written.
    async fn check_missing(&self) -> Result<(), Stop<ReportError>> {
        let branch = &self.build.branch;
        self.progress.doing(format!("reading the notes of branch {branch} in GitLab"));
        let project = self.target.report.project();
        let places = match self.places().await {
            Err(error) if error.lacks_merge_requests() => {
                return Err(Stop::nothing(
                    "merge requests are switched off in the project",
                ));
            }
            places => places?,
        };
        let marker = note::marker(&self.target.pipeline);
        let notes = self.gitlab.notes(project, &places, &marker).await?;
        let notes: Vec<Vec<Note>> = notes.into_iter().collect::<Result<_, _>>()?;
        let build = note::build_marker(self.build.uuid(), true);
        // If a place has more than one note, writing deletes all but the first.
        let has_build = |notes: &Vec<Note>| {
            let mut own = notes.iter().filter(|note| note.is_own);
            matches!((own.next(), own.next()), (Some(it), None) if it.body.contains(&build))
        };
        if notes.is_empty() {
            Err(Stop::nothing("the branch has no open merge request"))
        } else if notes.iter().all(has_build) {
            Err(Stop::nothing("the notes show the build already"))
        } else {
            Ok(())
        }
    }

    /// The finding about the build.
    async fn find(&self) -> Result<ReviewFinding, Stop<ReportError>> {
        if let BuildState::Failed(failed) = &self.build.state {
            return Ok(self.failed_build(failed).await?);
        }
        let output = match self.read_output().await {
            Ok(output) => output,
            Err(Stop::Nothing(unusable)) => return Ok(ReviewFinding::Unusable(unusable)),
            Err(Stop::Failed(error)) => return Err(error.into()),
        };
        let stack = self.read_stack().await?;
        if let Some(found) = finding::without_change_set(&output, &stack, &self.target.review) {
            return Ok(found);
        }
        if stack.is_busy {
            // The health check repeats the review.
            return Err(Stop::nothing("an operation on the deployed stack runs"));
        }
        self.compare(output, &stack).await
    }

    /// The finding about a build that failed. Its message has no values of the deployed stack.
    async fn failed_build(&self, failed: &FailedBuild) -> Result<ReviewFinding, CallError> {
        let (report, names) = (&self.target.report, &self.target.pipeline.names);
        let stack = self.read_stack().await?;
        let values = Values::all(stack.parameters.into_values());
        let failed = failed.clone().shown(values, names);
        let mut log = LogText::default();
        if report.build_log {
            let project = report.project();
            log = failures::text::of_log(self.aws, self.gitlab, project, &failed).await;
        }
        Ok(ReviewFinding::BuildFailed(failed, log))
    }

    async fn read_output(&self) -> Result<BuildOutput, Stop<CallError, Unusable>> {
        let id = &self.build.id;
        self.progress.doing(format!("reading what build {id} stored"));
        let (review, location) = (&self.target.review, &self.target.pipeline.location);
        match &self.build.output {
            Some(stored) => output::read(self.aws, stored, review, location).await,
            None => Err(Unusable::Missing(review.template_path.clone()).into()),
        }
    }

    async fn read_stack(&self) -> Result<DeployedStack, CallError> {
        let name = self.stack_name();
        self.progress.doing(format!("looking up stack {name}"));
        let stack = describe_stack(self.aws, name).await?;
        let status = stack.as_ref().map(|stack| StackStatus::parse(stack.stack_status()));
        let status = status.as_ref();
        let parameters = stack.iter().flat_map(|stack| stack.parameters());
        let value = |one: &Parameter| {
            Some((
                one.parameter_key()?.to_owned(),
                one.parameter_value()?.to_owned(),
            ))
        };
        Ok(DeployedStack {
            // An earlier change set of the pipeline has not been executed yet.
            exists: status.is_some_and(|status| *status != StackStatus::ReviewInProgress),
            is_busy: status.is_some_and(|status| status.is_in_progress()),
            parameters: parameters.filter_map(value).collect(),
        })
    }

    /// Creates the change set, reads it and deletes it.
    async fn compare(
        &self,
        output: BuildOutput,
        stack: &DeployedStack,
    ) -> Result<ReviewFinding, Stop<ReportError>> {
        let (target, id) = (self.target, &self.build.id);
        self.progress.doing(format!("creating the change set of build {id}"));
        let new = NewChangeSet {
            stack_name: self.stack_name().to_owned(),
            name: self.change_set_name(),
            role_arn: target.pipeline.location.role(&target.pipeline.names.deploy_role()),
            capabilities: target.pipeline.stored.capabilities.clone(),
            parameters: parameters::of_request(&output, &stack.parameters),
            base: Base::Template {
                url: output.template_url.clone(),
                tags: output.tags.clone(),
            },
        };
        let values = parameters::values(&output, &stack.parameters);
        let rejected = |reason: &str, errors: &[_]| {
            finding::rejected(
                reason,
                errors,
                &values,
                &output.scan,
                &target.pipeline.names,
            )
        };
        let subject = format!("build {id}");
        let compared = change_sets::compare(self.aws, &new, &subject, &self.progress).await;
        let (read, errors) = match compared.map_err(|stop| stop.map(ReportError::from))? {
            ComparisonResult::Read(read, errors) => (read, errors),
            // A developer can do something about the template, but not about the function's role.
            ComparisonResult::Rejected(error) if error.is_denied() => return Err(error.into()),
            ComparisonResult::Rejected(error) => return Ok(rejected(&error.cause, &[])),
        };
        // A later commit may have been pushed meanwhile.
        self.check_latest().await?;
        Ok(match &read.creation {
            Creation::Failed(reason) => rejected(reason, &errors),
            _ => ReviewFinding::Changes(read.changes, output.scan),
        })
    }

    async fn delete_change_set(&self) -> Result<(), CallError> {
        let (id, name) = (&self.build.id, self.change_set_name());
        self.progress.doing(format!("deleting the change set of build {id}"));
        change_sets::delete(self.aws, self.stack_name(), &name).await
    }

    async fn write(&self, finding: &ReviewFinding) -> Result<(), ReportError> {
        let id = &self.build.id;
        self.progress.doing(format!("writing the note about build {id} to GitLab"));
        let posted = self.post_status(finding).await;
        let posted = posted.map_err(|error| ReportError {
            // A conflict that lasts does not end with another delivery.
            is_final: error.retry != RetryTime::Later
                || error.kind.is_rejection(Rejection::Temporary),
            ..error.into()
        });
        // A status that failed does not suppress the note, which shows that the review has ended
        // only if no other delivery has to post the status.
        let has_ended = posted.as_ref().err().is_none_or(|error| error.is_final)
            && !(finding.is_late() && self.is_first_look);
        let written = self.write_note(finding, has_ended).await;
        match (posted, written.map_err(ReportError::from)) {
            (Err(status), Err(note)) => {
                warn!(status.reason, "the status of a review is not posted");
                Err(if note.is_final { status } else { note })
            }
            (posted, written) => posted.and(written),
        }
    }

    /// Posts the commit status of the review, and repeats the request if another report posts at
    /// the same time.
    async fn post_status(&self, finding: &ReviewFinding) -> Result<(), GitLabError> {
        let (target, commit) = (self.target, self.commit());
        if !target.report.commit_status {
            return Ok(());
        }
        let names = &target.pipeline.names;
        let url = target.pipeline.location.reported_build(names, &self.build.id);
        let (state, description) = note::status(finding);
        let desired = commit_status(names, "/review", state, &description, &url);
        for _ in 0..MAX_RETRIES {
            match show_status(self.gitlab, &commit, &desired).await {
                Err(error) if error.retry != RetryTime::Never => {
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
                result => return result,
            }
        }
        show_status(self.gitlab, &commit, &desired).await
    }

    async fn write_note(
        &self,
        finding: &ReviewFinding,
        has_ended: bool,
    ) -> Result<(), GitLabError> {
        let (gitlab, target) = (self.gitlab, self.target);
        let (project, places) = (target.report.project(), self.places().await?);
        // All of them lead from the same branch to the same branch.
        let behind = match places.first() {
            Some(place) => gitlab.commits_behind(project, place).await?,
            None => None,
        };
        let marker = note::marker(&target.pipeline);
        let mut body = note::render(target, self.build, behind, finding, has_ended);
        if let ReviewFinding::Changes(changes, _) = finding {
            body += &rights::lines(self.aws, &target.pipeline.names, changes).await;
        }
        let short = short_note(&body);
        let text = NoteText {
            whole: &body,
            short: &short,
        };
        let written = gitlab.write_note(project, &places, None, &marker, text);
        written.await?;
        Ok(())
    }

    /// The merge requests of the branch from this project into the deployed branch.
    async fn places(&self) -> Result<Vec<NotePlace>, GitLabError> {
        let into = &self.target.pipeline.branch;
        self.gitlab.branch_places(&self.commit(), into).await
    }

    fn commit(&self) -> CommitRef<'_> {
        CommitRef {
            project: self.target.report.project(),
            sha: self.build.commit.clone(),
            branch: self.build.branch.clone(),
        }
    }

    fn stack_name(&self) -> &str {
        &self.target.pipeline.deployed_stack
    }

    /// The change set's name. Each build has its own, so that two deliveries of an event share it
    /// and two builds do not.
    fn change_set_name(&self) -> String {
        format!("{REVIEW_CHANGE_SETS}{}", self.build.uuid())
    }
}
