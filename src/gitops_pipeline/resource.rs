//! The resource type: dispatches CloudFormation's requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::apply::{AppliedPipeline, PipelineApplier, ProjectFinder};
use super::child::{Child, FoundChild};
use super::delete::{Deletion, OnDenial, StackCreation};
use super::intent_log::{Purpose, RequestKey};
use super::names::ResourceNames;
use super::observe::pipeline_settings::PipelineSettings;
use super::pushes::{self, BranchPush};
use super::request_context::RequestContext;
use super::spec::{FunctionApprovals, Spec};
use super::{executions, observe, spec};
use crate::clients::Clients;
use crate::clients::aws::{Aws, CallError};
use crate::clients::http::Http;
use crate::common::ownership::Owner;
use crate::common::reason_codes::invalid_properties;
use crate::common::stop::Stop;
use crate::common::tags::tags_in;
use crate::reconcile::sender;
use cfn_custom_resource::{Failure, Outcome, Progress, Reason, Request, RequestType, Resource};

/// The prefix of the physical ID of a rejected Create. The ID that the resource would have had
/// follows, and the [`RequestKey`], for example
/// `rejected/gitops-dev-shop/1795161300-0123456789abcdef`. A stack name contains only letters,
/// digits and hyphens, so no stack has such a name.
///
/// If a later Create of the resource succeeded, CloudFormation still deletes the rejected one. The
/// key distinguishes the two.
const REJECTED: &str = "rejected/";

/// Whether `physical_id` belongs to a rejected Create, which failed before it created or found a
/// child stack.
pub fn is_rejected(physical_id: &str) -> bool {
    physical_id.starts_with(REJECTED)
}

/// The resource type `Custom::GitOpsPipeline`.
#[derive(Debug)]
pub struct GitOpsPipeline {
    aws: Aws,
    http: Http,
    approvals: FunctionApprovals,
}

impl GitOpsPipeline {
    /// The resource type, which works with `clients`, and whose role may give these `approvals`.
    pub fn new(clients: Clients, approvals: FunctionApprovals) -> Self {
        let Clients { aws, http, .. } = clients;
        GitOpsPipeline {
            aws,
            http,
            approvals,
        }
    }

    async fn apply(&self, request: &Request, progress: &Progress) -> Result<Outcome, Failure> {
        let properties = request
            .properties
            .as_ref()
            .map_err(|error| invalid_properties(&format!("reading ResourceProperties: {error}")))?;
        let mut spec = spec::decode(properties).map_err(|errors| invalid_properties(&errors))?;
        spec::check_allowed(&spec, self.approvals).map_err(|errors| invalid_properties(&errors))?;
        let context = RequestContext::new(request, &spec.names)?;
        context.check_location(&spec.service_token)?;
        let finder = ProjectFinder {
            aws: &self.aws,
            http: &self.http,
            request,
            context: &context,
            spec: &spec,
        };
        let project = Box::pin(finder.find()).await?;
        if let Some(target) = &mut spec.gitlab {
            target.number = project.number;
        }
        let id = spec.names.stack();
        let applier = PipelineApplier {
            aws: &self.aws,
            context: &context,
            spec: &spec,
            progress,
            creates: request.physical_resource_id.as_ref() != Some(&id),
            is_update: request.request_type == Some(RequestType::Update),
            is_source_new: is_source_new(request, &spec),
        };
        let result = applier.apply().await?;
        self.delete_replacement(request, &spec, progress).await?;
        Ok(Outcome {
            physical_resource_id: id,
            attributes: attributes(&spec, &context, &result),
            note: Reason::join(project.warning.into_iter().chain(result.warning)),
        })
    }

    /// Deletes the replacement that a rolled-back Update started. If the Update never responded,
    /// CloudFormation does not have its physical ID, and does not delete it.
    async fn delete_replacement(
        &self,
        request: &Request,
        spec: &Spec,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let Some(names) = spec::peek_names(&request.old_properties) else {
            return Ok(());
        };
        let is_known = request.physical_resource_id.as_deref() == Some(names.stack().as_str());
        if is_known || names == spec.names {
            return Ok(());
        }
        let deletion = Deletion {
            aws: &self.aws,
            context: &RequestContext::new(request, &names)?,
            names: &names,
            purpose: Purpose::Delete,
            // IAM may have denied the Update. Its rollback must not fail for the same reason.
            on_denial: OnDenial::Ignore,
            rejected_create: None,
            creation: StackCreation::MayBeSent,
        };
        let tags = tags_in(&request.old_properties, &request.stack_id);
        deletion.run_with_tombstone(&tags, progress).await
    }

    async fn delete(&self, request: &Request, progress: &Progress) -> Result<(), Failure> {
        let properties = request.properties.as_ref().unwrap_or(&Value::Null);
        // If CloudFormation generated the ID, the properties contain the names. The function
        // deletes only what this resource owns.
        let id = request.physical_resource_id.as_deref();
        let rejected = id.and_then(|id| id.strip_prefix(REJECTED));
        let own = id.filter(|_| !request.has_generated_id());
        let rejected = rejected.map(|rest| rest.split_once('/').unwrap_or((rest, "")));
        let by_id = rejected.map(|(id, _)| id).or(own).and_then(ResourceNames::from_stack_name);
        let Some(names) = by_id.or_else(|| spec::peek_names(properties)) else {
            // A Create with these properties was rejected before it created anything.
            return Ok(());
        };
        let context = &RequestContext::new(request, &names)?;
        // AWS may have denied the Create's calls, and may still deny them. Another delivery of the
        // Create may have succeeded, so the function deletes what it can look up.
        let (on_denial, rejected_create) = match rejected {
            Some((_, key)) => (OnDenial::Ignore, Some(RequestKey::read(key))),
            None => (OnDenial::Fail, None),
        };
        let deletion = Deletion {
            aws: &self.aws,
            context,
            names: &names,
            purpose: Purpose::Delete,
            on_denial,
            rejected_create,
            // CloudFormation may have canceled the Create a moment after it began.
            creation: if request.has_generated_id() {
                StackCreation::MayBeSent
            } else {
                StackCreation::Settled
            },
        };
        let stack = names.stack();
        if !context.is_local
            && sender::is_contradicted(&self.aws, &context.owner, Some(&stack)).await
        {
            return Err(Failure(sender::contradicted(&context.owner).reason()));
        }
        let tags = tags_in(properties, &request.stack_id);
        deletion.run_with_tombstone(&tags, progress).await
    }
}

/// Whether the repository of `spec`, or the role that reads it, may have been created just before.
fn is_source_new(request: &Request, spec: &Spec) -> bool {
    let Some(source) = &spec.source else {
        let before = &request.old_properties["Source"];
        return !before["RepositoryName"].is_null() || !before["RepositoryArn"].is_null();
    };
    match &source.cross_account {
        None => request.introduces(&source.name),
        Some(there) => {
            request.introduces(&there.repository_arn) || request.introduces(&there.role_arn)
        }
    }
}

impl GitOpsPipeline {
    /// Reads the settings of the pipeline of `names`. `None` if its child stack does not exist, or
    /// no resource owns it.
    pub async fn read_settings(
        &self,
        names: &ResourceNames,
    ) -> Result<Option<PipelineSettings>, CallError> {
        let child = self.look_up_child(&names.stack()).await?;
        Ok(child.and_then(|child| child.settings))
    }

    /// Looks up the child stack `stack_name`. `None` if it does not exist, or no resource owns it.
    pub async fn look_up_child(&self, stack_name: &str) -> Result<Option<Child>, CallError> {
        Ok(match self.find_child(stack_name).await? {
            Some(FoundChild::Owned(child)) => Some(*child),
            Some(FoundChild::Untagged(_)) | None => None,
        })
    }

    /// Looks up the child stack `stack_name`, even if it has lost its tags. `None` if it does not
    /// exist.
    pub async fn find_child(&self, stack_name: &str) -> Result<Option<FoundChild>, CallError> {
        let Some(found) = observe::describe(&self.aws, stack_name).await? else {
            return Ok(None);
        };
        let child = observe::described(found, stack_name);
        let Some(owner) = child.owner.clone() else {
            let has_lost_tags = child.has_lost_tags();
            return Ok(has_lost_tags.then(|| FoundChild::Untagged(Box::new(child.into()))));
        };
        let names = ResourceNames::from_stack_name(stack_name);
        let settings = names.and_then(|names| PipelineSettings::of(&child, names, self.approvals));
        Ok(Some(FoundChild::Owned(Box::new(Child {
            waits_for: BranchPush::missed_by(&child, stack_name),
            is_runnable: child.is_runnable() && child.has_pipeline(),
            settings,
            has_pipeline: child.has_pipeline(),
            version: child.version(),
            status: child.status,
            parameters: child.parameters.into_keys().collect(),
            owner,
        }))))
    }

    /// Adds the pipeline to the stack that waits for `push`, and ensures that it runs the commit.
    /// Starts the pipeline of a stack with `Source.Paths` if the push changes one of these files.
    ///
    /// # Errors
    /// Why the push starts nothing. Or if the stack cannot be updated, the pipeline cannot be
    /// started, or AWS does not respond.
    pub async fn start(&self, push: &BranchPush) -> Result<executions::Outcome, Stop<Failure>> {
        Box::pin(pushes::start(&self.aws, push)).await
    }
}

impl Resource for GitOpsPipeline {
    const RESUMABLE: bool = true;

    fn physical_id(&self, request: &Request) -> String {
        if let Some(id) = &request.physical_resource_id {
            return id.clone();
        }
        let properties = request.properties.as_ref().unwrap_or(&Value::Null);
        match spec::peek_names(properties) {
            Some(names) => names.stack(),
            // Such properties are rejected, and the Delete that follows has nothing to delete.
            None => "gitops-pipeline".to_owned(),
        }
    }

    fn rejected_id(&self, request: &Request) -> String {
        let owner = Owner::of(request);
        // The date of the URL is the same for all deliveries.
        let signed_at = request.response_url.signed_at().unwrap_or(request.signed_at);
        let key = RequestKey::new(signed_at, &request.request_id, &owner.key());
        format!("{REJECTED}{}/{}", self.physical_id(request), key.write())
    }

    async fn handle(
        self: Arc<Self>,
        request: Request,
        progress: Progress,
    ) -> Result<Outcome, Failure> {
        if request.request_type == Some(RequestType::Delete) {
            Box::pin(self.delete(&request, &progress)).await?;
            return Ok(Outcome {
                physical_resource_id: self.physical_id(&request),
                attributes: BTreeMap::new(),
                note: None,
            });
        }
        Box::pin(self.apply(&request, &progress)).await
    }
}

/// The attributes that `Fn::GetAtt` returns, in alphabetical order.
pub const ATTRIBUTES: [&str; 10] = [
    "BranchName",
    "BuildProjectName",
    "CloneUrlHttp",
    "ConsoleUrl",
    "EventRuleName",
    "PipelineArn",
    "PipelineName",
    "RepositoryArn",
    "RepositoryName",
    "StackId",
];

/// The attributes, which are the same before and after the first push.
fn attributes(
    spec: &Spec,
    context: &RequestContext,
    applied: &AppliedPipeline,
) -> BTreeMap<&'static str, String> {
    let (names, location) = (&spec.names, &context.location);
    let pipeline = names.pipeline();
    BTreeMap::from([
        ("PipelineArn", location.arn("codepipeline", &pipeline)),
        ("ConsoleUrl", location.pipeline_console(&pipeline)),
        ("PipelineName", pipeline),
        ("RepositoryName", spec.repository()),
        ("RepositoryArn", applied.repository_arn.clone()),
        ("CloneUrlHttp", applied.clone_url.clone()),
        ("BranchName", spec.branch().to_owned()),
        ("BuildProjectName", names.build_project()),
        ("EventRuleName", names.event_rule()),
        ("StackId", applied.stack_id.clone()),
    ])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gitops_pipeline::plan::tests::context;

    #[test]
    fn every_attribute_of_an_outcome_is_listed() {
        let spec = spec::decode(&json!({"EnvID": "dev", "ProjectID": "p"})).expect("valid");
        let context = context();
        let applied = AppliedPipeline {
            stack_id: context.owner.stack_id.clone(),
            repository_arn: context.location.arn("codecommit", "r"),
            clone_url: "https://host/v1/repos/r".to_owned(),
            warning: None,
        };
        let attributes = attributes(&spec, &context, &applied);
        assert!(attributes.into_keys().eq(ATTRIBUTES));
    }
}
