//! The request for approval that waits, and its tags, as the note shows them.

use crate::clients::aws::CallError;
use crate::feedback::approval::{ApprovalRequest, Doubt, Inquiry};
use crate::feedback::reporting::context::Context;
use crate::feedback::reporting::note;
use crate::feedback::reporting::outcome::ReportError;

/// The request of `execution` that waits, and the part of the note about its tags. `url` is the
/// project's address for people. `None` if tags do not approve.
pub async fn tags(
    context: &Context<'_>,
    execution: &str,
    url: &str,
) -> Result<Option<(ApprovalRequest, String)>, CallError> {
    let (aws, pipeline) = (context.aws, context.pipeline);
    let Some((settings, approvals)) = pipeline.gitlab_approvals() else {
        return Ok(None);
    };
    let name = pipeline.names.pipeline();
    let request = ApprovalRequest::read(aws, &name, settings).await?;
    let Some(request) = request.filter(|request| request.execution_id == execution) else {
        return Ok(None);
    };
    let inquiry = Inquiry {
        gitlab: context.gitlab,
        pipeline,
        approvals,
        request: &request,
    };
    let mut doubts = match Box::pin(inquiry.decide(aws)).await {
        Ok(decided) => decided.doubts,
        Err(error) => {
            let error = ReportError::from(error);
            let error = error.reason.as_error();
            tracing::warn!(
                pipeline = name,
                error,
                "the tags of a request are not checked"
            );
            let [_, deploy] = inquiry.tags();
            vec![(deploy.name(), Doubt::Unreadable)]
        }
    };
    let other = context.about.tag.filter(|tag| tag.key != request.key);
    doubts.extend(other.map(|tag| (tag.name(), Doubt::OtherKey)));
    let names = inquiry.tags().map(|tag| tag.name());
    let written = note::tags(url, &context.commit.sha, names, &doubts);
    Ok(Some((request, written)))
}
