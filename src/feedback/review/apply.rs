//! Executes the steps of a review.

use aws_sdk_cloudformation::types::{Parameter, StackStatus};

use super::build::ReviewBuild;
use super::note;
use super::note::Finding;
use super::plan::{BranchHead, DeployedStack, ReviewState, ReviewStep, Reviewed};
use super::target::ReviewTarget;
use super::{output, parameters, plan};
use crate::clients::aws::{Aws, CallError};
use crate::clients::codecommit;
use crate::clients::gitlab::{
    CommitRef, GitLab, GitLabError, Note, NotePlace, NoteTarget, Rejection,
};
use crate::feedback::change_sets::{Base, ComparisonResult, NewChangeSet};
use crate::feedback::reporting::{
    MAX_RETRIES, RETRY_INTERVAL, ReportError, commit_status, may_pass,
};
use crate::feedback::{change_sets, rights};
use crate::gitops_pipeline::{describe_stack, early_validation};
use crate::reconcile::{Next, Reconcile};

/// A running review of one build.
pub struct Reviewer<'a> {
    aws: &'a Aws,
    gitlab: &'a GitLab,
    target: &'a ReviewTarget,
    state: ReviewState,
}

impl<'a> Reviewer<'a> {
    pub fn new(
        aws: &'a Aws,
        gitlab: &'a GitLab,
        target: &'a ReviewTarget,
        build: Option<ReviewBuild>,
    ) -> Self {
        Reviewer {
            aws,
            gitlab,
            target,
            state: ReviewState::new(build),
        }
    }

    fn stack_name(&self) -> &str {
        &self.target.change_sets.stack_name
    }

    /// The change set's name. Each build has its own, so that two deliveries of an event share it
    /// and two builds do not.
    fn change_set_name(build: &ReviewBuild) -> String {
        format!("plan-{}", build.uuid())
    }

    async fn read_head(&mut self, build: &ReviewBuild) -> Result<(), CallError> {
        let repository = &self.target.repository_name;
        let client = &self.aws.codecommit;
        let tip = codecommit::branch_tip(client, repository, &build.branch).await?;
        self.state.head = tip.map_or(BranchHead::Missing, BranchHead::At);
        Ok(())
    }

    async fn read_output(&mut self, build: &ReviewBuild) -> Result<(), CallError> {
        let target = self.target;
        let (review, location) = (&target.review, &target.location);
        self.state.output = Some(match &build.output {
            Some(stored) => output::read(self.aws, stored, review, location).await?,
            None => Err(output::Unusable::Missing(review.template_path.clone())),
        });
        Ok(())
    }

    async fn read_stack(&mut self) -> Result<(), CallError> {
        let stack = describe_stack(self.aws, self.stack_name()).await?;
        let parameters = stack.iter().flat_map(|stack| stack.parameters());
        let value = |one: &Parameter| {
            Some((
                one.parameter_key()?.to_owned(),
                one.parameter_value()?.to_owned(),
            ))
        };
        self.state.stack_parameters = parameters.filter_map(value).collect();
        let status = stack.and_then(|stack| stack.stack_status);
        self.state.stack = Some(match status {
            // An earlier change set of the pipeline has not been executed yet.
            None | Some(StackStatus::ReviewInProgress) => DeployedStack::Missing,
            Some(status) if status.as_str().ends_with("_IN_PROGRESS") => DeployedStack::Busy,
            Some(_) => DeployedStack::Ready,
        });
        Ok(())
    }

    async fn compare(&mut self, build: &ReviewBuild) -> Result<(), CallError> {
        let Some(Ok(output)) = &self.state.output else {
            return Ok(());
        };
        let target = self.target;
        let new = NewChangeSet {
            stack_name: target.change_sets.stack_name.clone(),
            name: Self::change_set_name(build),
            token: None,
            role_arn: target.location.role(&target.names.deploy_role()),
            capabilities: target.change_sets.capabilities.clone(),
            parameters: parameters::of_request(output, &self.state.stack_parameters),
            base: Base::Template {
                url: output.template_url.clone(),
                tags: output.tags.clone(),
            },
        };
        self.state.comparison = Some(change_sets::compare(self.aws, &new).await?);
        Ok(())
    }

    async fn read_validation(&mut self, build: &ReviewBuild) -> Result<(), CallError> {
        let name = Self::change_set_name(build);
        let read = early_validation::of_change_set(self.aws, self.stack_name(), &name).await;
        self.state.validation = Some(match read {
            Err(error) if error.is_transient() => return Err(error),
            // CloudFormation's own reason names the validation.
            Err(error) => {
                tracing::warn!(%error, "the reason of the failure may lack details");
                vec![]
            }
            Ok(findings) => findings,
        });
        Ok(())
    }

    async fn delete_change_set(&mut self, build: &ReviewBuild) -> Result<(), CallError> {
        let name = Self::change_set_name(build);
        change_sets::delete(self.aws, self.stack_name(), &name).await?;
        self.state.may_exist = false;
        if matches!(self.state.comparison, Some(ComparisonResult::Read(_))) {
            // A later commit may have been pushed meanwhile.
            self.state.head = BranchHead::Unread;
        }
        Ok(())
    }

    /// Deletes the change set that a failed review has read.
    pub async fn abandon(&self) {
        let is_read = matches!(self.state.comparison, Some(ComparisonResult::Read(_)));
        let build = self.state.build.as_ref();
        if let Some(build) = build.filter(|_| is_read && self.state.may_exist) {
            let name = Self::change_set_name(build);
            change_sets::abandon(self.aws, self.stack_name(), &name).await;
        }
    }

    fn commit(&self, build: &ReviewBuild) -> CommitRef {
        CommitRef {
            project: self.target.report.project.clone(),
            sha: build.commit.clone(),
            branch: build.branch.clone(),
        }
    }

    /// The merge requests of the branch from this project into the deployed branch.
    async fn places(&self, build: &ReviewBuild) -> Result<Vec<NotePlace>, GitLabError> {
        let target = NoteTarget::Branch {
            into: &self.target.deployed_branch,
        };
        self.gitlab.note_places(&self.commit(build), target).await
    }

    async fn read_notes(&mut self, build: &ReviewBuild) -> Result<(), ReportError> {
        let project = &self.target.report.project;
        let places = self.places(build).await?;
        let marker = note::marker(&self.target.names);
        let notes = self.gitlab.notes(project, &places, &marker).await?;
        let notes: Vec<Vec<Note>> = notes.into_iter().collect::<Result<_, _>>()?;
        // Of more than one, the step that writes deletes all but the first.
        let only = |mut notes: Vec<Note>| notes.pop().filter(|_| notes.is_empty());
        let notes = notes
            .into_iter()
            .map(|of_place| only(of_place).map(|note| note.body));
        self.state.notes = Some(notes.collect());
        Ok(())
    }

    async fn write_notes(&mut self, build: &ReviewBuild) -> Result<(), ReportError> {
        let target = self.target;
        let Some(finding) = plan::finding(&self.state, &target.review, &target.names) else {
            return Ok(());
        };
        let build_url = target.location.build_console(&target.names, &build.id);
        let posted = self.post_status(build, &finding, &build_url).await;
        // A conflict that lasts does not end with another delivery.
        let is_final = |error: &GitLabError| {
            !error.is_transient() || error.kind.is_rejection(Rejection::Temporary)
        };
        let posted = posted.map_err(|error| ReportError {
            is_final: is_final(&error),
            ..error.into()
        });
        // A status that failed does not suppress the note, which shows that the review has ended
        // only if no other delivery has to post the status.
        let has_ended = posted.as_ref().err().is_none_or(|error| error.is_final);
        let written = self.write_note(build, &finding, has_ended).await;
        self.state.is_written = written.is_ok();
        match (posted, written.map_err(ReportError::from)) {
            (Err(status), Err(note)) => {
                tracing::warn!(error = %status, "not reviewed");
                Err(if note.is_final { status } else { note })
            }
            (posted, written) => posted.and(written),
        }
    }

    async fn write_note(
        &self,
        build: &ReviewBuild,
        finding: &Finding,
        has_ended: bool,
    ) -> Result<(), GitLabError> {
        let (gitlab, target) = (self.gitlab, self.target);
        let (project, places) = (&target.report.project, self.places(build).await?);
        // All of them lead from the same branch to the same branch.
        let behind = match places.first() {
            Some(place) => gitlab.commits_behind(project, place).await?,
            None => None,
        };
        let (marker, behind) = (note::marker(&target.names), behind.unwrap_or_default());
        let mut body = note::render(target, build, behind, finding, has_ended);
        if let Finding::Changes(changes, _) = finding {
            body += &rights::missing(self.aws, &target.names, changes).await;
        }
        let note = (marker.as_str(), body.as_str());
        gitlab.write_note(project, &places, None, note).await?;
        Ok(())
    }

    /// Posts the commit status of the review, and repeats the request if another report posts at
    /// the same time.
    async fn post_status(
        &self,
        build: &ReviewBuild,
        finding: &Finding,
        build_url: &str,
    ) -> Result<(), GitLabError> {
        if !self.target.report.commit_status {
            return Ok(());
        }
        let (names, commit) = (&self.target.names, self.commit(build));
        let desired = commit_status(names, "/review", note::status(finding), build_url);
        for _ in 0..MAX_RETRIES {
            match self.gitlab.show_commit_status(&commit, &desired).await {
                Err(error) if may_pass(&error) => tokio::time::sleep(RETRY_INTERVAL).await,
                result => return result,
            }
        }
        self.gitlab.show_commit_status(&commit, &desired).await
    }
}

impl Reconcile for Reviewer<'_> {
    type Step = ReviewStep;
    type Done = Reviewed;
    type Error = ReportError;

    fn plan(&self) -> Next<ReviewStep, Reviewed, ReportError> {
        plan::next(&self.state, &self.target.review, &self.target.names)
    }

    fn describe(&self, step: &ReviewStep) -> String {
        let build = self.state.build.as_ref();
        let (id, branch) = build.map_or(("", ""), |build| (&build.id, &build.branch));
        let stack = self.stack_name();
        match step {
            ReviewStep::ReadHead => format!("looking up branch {branch}"),
            ReviewStep::ReadNotes => format!("reading the notes of branch {branch} in GitLab"),
            ReviewStep::ReadOutput => format!("reading what build {id} stored"),
            ReviewStep::ReadStack => format!("looking up stack {stack}"),
            ReviewStep::Compare => format!("creating the change set of build {id}"),
            ReviewStep::ReadValidation => {
                format!("reading why the change set of build {id} is invalid")
            }
            ReviewStep::DeleteChangeSet => format!("deleting the change set of build {id}"),
            ReviewStep::WriteNotes => format!("writing the note about build {id} to GitLab"),
        }
    }

    async fn apply(&mut self, step: ReviewStep) -> Result<(), ReportError> {
        let Some(build) = self.state.build.clone() else {
            return Ok(());
        };
        match step {
            ReviewStep::ReadHead => self.read_head(&build).await?,
            ReviewStep::ReadNotes => self.read_notes(&build).await?,
            ReviewStep::ReadOutput => self.read_output(&build).await?,
            ReviewStep::ReadStack => self.read_stack().await?,
            ReviewStep::Compare => self.compare(&build).await?,
            ReviewStep::ReadValidation => self.read_validation(&build).await?,
            ReviewStep::DeleteChangeSet => self.delete_change_set(&build).await?,
            ReviewStep::WriteNotes => self.write_notes(&build).await?,
        }
        Ok(())
    }
}
