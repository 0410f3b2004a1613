//! A pipeline whose executions are reported, and its GitLab.

use crate::clients::gitlab::{CommitRef, GitLab, GitLabError};
use crate::clients::{Clients, gitlab};
use crate::common::stop::Stop;
use crate::feedback::approval;
use crate::feedback::approval::{ApprovalRequest, Decided, Doubt, Inquiry, Verdict};
use crate::feedback::reporting::note::NoteOf;
use crate::feedback::reporting::outcome::ReportError;
use crate::feedback::reporting::written_notes::WrittenNotes;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::ReportSettings;

const NO_PROJECT: &str =
    "the pipeline has no GitLab in its properties, or GitLab has not shown its project yet";

pub struct ReportTarget {
    pub pipeline: PipelineSettings,
    /// The parts of the report, and its place in GitLab.
    pub settings: ReportSettings,
}

/// The same, with the client of its GitLab. All reports of an event share it.
pub struct OpenedReport<'a> {
    pub clients: &'a Clients,
    pub target: &'a ReportTarget,
    pub gitlab: GitLab,
}

impl ReportTarget {
    /// The `pipeline` that was read, if it is reported.
    ///
    /// # Errors
    /// Why it is not.
    pub fn of(pipeline: Option<PipelineSettings>) -> Result<Self, Stop<ReportError>> {
        let absent = Stop::nothing("no stack of a pipeline has the name");
        let mut pipeline = pipeline.ok_or(absent)?;
        let settings = pipeline.report.take().ok_or(Stop::nothing(NO_PROJECT))?;
        Ok(ReportTarget { pipeline, settings })
    }

    pub async fn open<'a>(&'a self, clients: &'a Clients) -> Result<OpenedReport<'a>, GitLabError> {
        let access = &self.settings.access;
        Ok(OpenedReport {
            clients,
            target: self,
            gitlab: gitlab::open(&clients.aws, &clients.http, access).await?,
        })
    }
}

/// The request that waits for a decision in GitLab, or why none does.
pub type Asked = Result<AskedRequest, Stop<ReportError>>;

/// A request for approval that waits for a decision in GitLab.
pub struct AskedRequest {
    pub request: ApprovalRequest,
    /// The content that its notes need. There is no verdict.
    pub decided: Decided,
}

impl AskedRequest {
    /// A request whose tags cannot be read.
    pub fn unknown(request: ApprovalRequest) -> Self {
        AskedRequest {
            request,
            decided: Decided::open(Some(Doubt::Unreadable)),
        }
    }

    /// The tag that decides nothing because a person has edited a note. `None` if there is none.
    pub fn edited_tag(&self) -> Option<&str> {
        let edited = self.decided.doubts.iter().find(|(_, doubt)| *doubt == Doubt::EditedNote);
        edited.map(|(tag, _)| tag.as_str())
    }
}

impl OpenedReport<'_> {
    /// As [`decide`](Self::decide). Logs an error.
    pub async fn asked(&self) -> Asked {
        let asked = Box::pin(self.decide()).await;
        if let Err(Stop::Failed(error)) = &asked {
            let pipeline = self.target.pipeline.names.pipeline();
            warn!(
                error.reason,
                pipeline, "the tags of a request are not checked"
            );
        }
        asked
    }

    /// The request that waits in the pipeline, or why none does.
    pub async fn request(&self) -> Result<ApprovalRequest, Stop<ReportError>> {
        let pipeline = &self.target.pipeline;
        let Some((approval, _)) = pipeline.gitlab_approvals() else {
            return Err(Stop::nothing(
                "Approval.FromGitLab or FunctionApprovals does not allow tags to approve",
            ));
        };
        let name = pipeline.names.pipeline();
        let request = ApprovalRequest::read(&self.clients.aws, &name, approval).await?;
        request.ok_or(Stop::nothing("no change set waits for an approval"))
    }

    /// Ends the request that waits in the pipeline as a person decides in GitLab, if the notes show
    /// it. Returns the request if it still waits, or why none does.
    ///
    /// # Errors
    /// If AWS or GitLab does not return a record that is needed. Then nothing is approved.
    pub async fn decide(&self) -> Asked {
        let ReportTarget { pipeline, settings } = self.target;
        let (aws, name) = (&self.clients.aws, pipeline.names.pipeline());
        let request = self.request().await?;
        let Some(range) = request.range(aws, &pipeline.names).await? else {
            let decided = Decided::open(None);
            return Ok(AskedRequest { request, decided });
        };
        let inquiry = Inquiry {
            gitlab: &self.gitlab,
            pipeline,
            report: settings,
            request: &request,
            range: &range,
        };
        let mut decided = Box::pin(inquiry.decide()).await?;
        if let Some(verdict) = decided.verdict.take() {
            if Box::pin(self.notes_showed(&request, &verdict)).await? {
                approval::answer(aws, &name, &request, &verdict).await?;
                return Err(Stop::nothing("the request for approval has ended"));
            }
            let doubt = (verdict.tag.name(), Doubt::EditedNote);
            decided.doubts.push(doubt);
        }
        Ok(AskedRequest { request, decided })
    }

    /// Whether the notes have shown the request since the tag of the verdict was created.
    async fn notes_showed(
        &self,
        request: &ApprovalRequest,
        verdict: &Verdict,
    ) -> Result<bool, ReportError> {
        let ReportTarget { pipeline, settings } = self.target;
        let commit = CommitRef {
            project: settings.project(),
            sha: verdict.commit.clone(),
            branch: pipeline.branch.clone(),
        };
        let project = self.gitlab.project(commit.project).await?;
        let decision = Some((verdict.at, request.key.as_str()));
        let notes = WrittenNotes::read(&self.gitlab, pipeline, &commit, decision).await?;
        if let Some(unread) = &notes.unread {
            return Err(unread.clone());
        }
        let name = pipeline.names.pipeline();
        let of = NoteOf {
            names: &pipeline.names,
            location: &pipeline.location,
            settings,
            commit: &commit.sha,
            url: &pipeline.location.reported_execution(&name, &request.execution_id),
        };
        let expected = of.waiting(&request.change_set.changes);
        let tags = request.tags(&pipeline.names, verdict.tag.number);
        let expected = expected + &of.tags(&project, &tags);
        let Some(shortened) = notes.showed(&expected, verdict.at) else {
            return Ok(false);
        };
        for note in shortened {
            // A person may have written the short form.
            let project = commit.project;
            if !self.gitlab.is_text_blocked(project, note, &expected).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
