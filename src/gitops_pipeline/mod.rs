//! `Custom::GitOpsPipeline`: one project's pipeline in one environment, as a child CloudFormation
//! stack and what CloudFormation has no type for.
//!
//! [`spec`] decodes what is desired, [`template`] renders the child stack (purely),
//! [`observe`] reads what is, [`plan`] decides what to do next (purely), and [`apply`] and
//! [`delete`] do it, through [`calls`] on the stack and CodeCommit's API (such as
//! [`approval_rule`]). What has to survive a crash stands in the stack's operations ([`request_token`]) and
//! in [`tombstone`]. [`first_push`] makes the pipeline of a branch that was missing.

mod apply;
mod approval_rule;
pub mod attribute_names;
mod backoff;
mod calls;
mod delete;
mod early_validation;
pub mod first_push;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod latest_commit;
mod messages;
mod names;
mod observe;
mod plan;
mod request_context;
mod request_token;
mod source;
pub mod spec;
mod template;
mod tombstone;
mod warnings;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::aws::Aws;
use crate::gitops_pipeline::apply::{Applied, StackApplier};
use crate::gitops_pipeline::backoff::Backoff;
use crate::gitops_pipeline::delete::{OnDenial, StackDeleter};
use crate::gitops_pipeline::names::ResourceNames;
pub(crate) use crate::gitops_pipeline::names::is_env_id;
use crate::gitops_pipeline::request_context::RequestContext;
pub(crate) use crate::gitops_pipeline::request_context::names_another_function;
use crate::gitops_pipeline::request_token::Purpose;
use crate::gitops_pipeline::spec::Spec;
use crate::gitops_pipeline::tombstone::Tombstone;
use crate::reason_codes::invalid_properties;
use cfn_custom_resource::{Failure, Outcome, Progress, Request, RequestType, Resource};

/// The physical ID of a rejected Create is this and the ID that the resource would have had, for
/// example `rejected/gitops-dev-shop`. A stack's name contains letters, digits and hyphens only, so
/// no stack has such a name.
const REJECTED: &str = "rejected/";

/// Whether `physical_id` is that of a Create that was rejected: it failed before it created or
/// found a child stack.
pub fn is_rejected(physical_id: &str) -> bool {
    physical_id.starts_with(REJECTED)
}

/// The resource type.
#[derive(Debug)]
pub struct GitOpsPipeline {
    aws: Aws,
}

impl GitOpsPipeline {
    /// The resource type, calling AWS through `aws`.
    pub fn new(aws: Aws) -> Self {
        GitOpsPipeline { aws }
    }

    async fn make(&self, request: &Request, progress: &Progress) -> Result<Outcome, Failure> {
        let properties = match &request.properties {
            Ok(properties) => properties,
            Err(error) => {
                let text = format!("reading ResourceProperties: {error}");
                return Err(invalid_properties(&text));
            }
        };
        let spec = spec::decode(properties).map_err(|errors| invalid_properties(&errors))?;
        let context = RequestContext::new(request, &spec.names)?;
        context.is_at_home(&spec.service_token)?;
        let id = spec.names.stack();
        let applier = StackApplier {
            pipeline: self,
            context: &context,
            spec: &spec,
            progress,
            creates: request.physical_resource_id.as_ref() != Some(&id),
        };
        let applied = applier.apply().await?;
        self.remove_left_behind(request, &spec, progress).await?;
        Ok(Outcome {
            physical_resource_id: id,
            attributes: attributes(&spec, &context, &applied),
            note: applied.note,
        })
    }

    /// An Update that is rolled back may have begun a replacement that CloudFormation never heard
    /// of, and will therefore not delete.
    async fn remove_left_behind(
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
        let context = RequestContext::new(request, &names)?;
        // An Update that the function's permissions do not allow was rejected, and its rollback must
        // not fail for the same reason.
        self.remove(&context, &names, progress, OnDenial::Ignore)
            .await
    }

    async fn delete(&self, request: &Request, progress: &Progress) -> Result<(), Failure> {
        let properties = request.properties.as_ref().unwrap_or(&Value::Null);
        // An id that CloudFormation invented (<stack>-<logical id>-<letters>) says nothing, and the
        // properties do. Whatever is named, only what is this resource's goes.
        let invented = format!("-{}-", request.logical_resource_id);
        let id = request.physical_resource_id.as_deref();
        let rejected = id.and_then(|id| id.strip_prefix(REJECTED));
        let own = id.filter(|id| !id.contains(&invented));
        let by_id = rejected.or(own).and_then(ResourceNames::from_stack_name);
        let Some(names) = by_id.or_else(|| spec::peek_names(properties)) else {
            // Neither the id nor the properties name anything: nothing can have been made.
            return Ok(());
        };
        let context = RequestContext::new(request, &names)?;
        // The function may have been denied what the Create asked for, and may still be. Another
        // delivery of the Create may have succeeded, so what can be looked up is deleted.
        let on_denial = match rejected {
            Some(_) => OnDenial::Ignore,
            None => OnDenial::Fail,
        };
        self.remove(&context, &names, progress, on_denial).await
    }

    /// The hash of the request that made what is there. Only to be written down: what is removed is
    /// looked up after the mark is left.
    async fn made_by(
        &self,
        context: &RequestContext,
        names: &ResourceNames,
    ) -> Result<Option<String>, Failure> {
        let mut backoff = Backoff::default();
        loop {
            match observe::observe(&self.aws, &names.stack(), None).await {
                Ok(child) => {
                    let ours = child.filter(|child| child.owner.as_ref() == Some(&context.owner));
                    return Ok(ours.and_then(|child| Some(child.latest_request?.0.hash)));
                }
                Err(error) if error.is_denied() => return Ok(None),
                Err(error) => backoff
                    .retry(error)
                    .await
                    .map_err(|error| Failure(error.reason()))?,
            }
        }
    }

    /// Leaves the mark, and then removes what there is.
    async fn remove(
        &self,
        context: &RequestContext,
        names: &ResourceNames,
        progress: &Progress,
        on_denial: OnDenial,
    ) -> Result<(), Failure> {
        let mark = Tombstone {
            signed: context.request.signed,
            made_by: self.made_by(context, names).await?,
        };
        match tombstone::write(&self.aws, names, &context.owner, &mark).await {
            Ok(()) => {}
            Err(error) if error.is_transient() => return Err(Failure(error.reason())),
            // The mark is for what may come late. That it is refused (where a stack of this name
            // would be refused too, for example) must not keep what is there from going.
            Err(error) => tracing::error!(%error, "no mark was left"),
        }
        let deleter = StackDeleter {
            pipeline: self,
            context,
            names,
            progress,
            purpose: Purpose::Delete,
            on_denial,
        };
        deleter.delete().await
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
            // Properties that name no stack are refused; the Delete that follows finds nothing.
            None => "gitops-pipeline".to_owned(),
        }
    }

    fn rejected_id(&self, request: &Request) -> String {
        format!("{REJECTED}{}", self.physical_id(request))
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
        Box::pin(self.make(&request, &progress)).await
    }
}

/// The same before and after the branch's first push.
fn attributes(
    spec: &Spec,
    context: &RequestContext,
    applied: &Applied,
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
