//! What the child stack is made of for one request: its template as it is sent, with the repository
//! and the branch as they are now.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ApplyError, StackApplier};
use crate::codecommit;
use crate::gitops_pipeline::calls::{Content, MAX_TEMPLATE_BYTES};
use crate::gitops_pipeline::observe::ChildStack;
use crate::gitops_pipeline::source::{Lookup, Source};
use crate::gitops_pipeline::{messages, template};
use crate::ownership;
use crate::ownership::{LOGICAL_ID, STACK_ID};
use crate::reason_codes::Code;
use cfn_custom_resource::Reason;

/// The child stack's template and what goes with it, as it is sent.
pub(super) struct Rendered {
    template: String,
    parameters: BTreeMap<&'static str, String>,
    tags: BTreeMap<String, String>,
    /// A hash of all of that.
    pub(super) key: String,
}

impl StackApplier<'_> {
    /// Whether CloudFormation would take the template.
    pub(super) fn fits(&self) -> Result<(), ApplyError> {
        let template = template::render(self.spec, template::RepositoryOrigin::Created);
        let bytes = self.written(&template).len();
        if bytes <= MAX_TEMPLATE_BYTES {
            return Ok(());
        }
        let text = format!(
            "Build: the pipeline's template would be {bytes} bytes, of at most {MAX_TEMPLATE_BYTES}; \
             shorten BuildSpec and EnvironmentVariables"
        );
        Err(ApplyError::Refused(Reason::new(
            Code::InvalidProperties,
            text,
        )))
    }

    /// The template as it is sent: with the request that sends it, so that no update is without a
    /// change, and each leaves its token in the stack's events.
    fn written(&self, template: &Value) -> String {
        let mut template = template.clone();
        let request = &self.context.request;
        template["Resources"]["BuildLogGroup"]["Metadata"]["Request"] =
            json!(format!("{}-{}", request.signed, request.hash));
        serde_json::to_string_pretty(&template).unwrap_or_default()
    }

    pub(super) async fn render(
        &self,
        child: Option<&ChildStack>,
        source: &Source,
    ) -> Result<Rendered, ApplyError> {
        let spec = self.spec;
        let repository = self.repository(child).await?;
        // A pipeline that is there stays, whatever becomes of its branch. While there is none this is
        // asked of every stack that has settled, so also after the rule was made: a push before that
        // was told to nobody.
        let mut branch_exists = child.is_some_and(ChildStack::has_pipeline);
        if !branch_exists {
            branch_exists = match source.branch_tip(spec.branch()).await? {
                Lookup::Found(tip) => tip.is_some(),
                // Taken for there: the pipeline looks for itself. But where it was seen to be missing
                // the stack waits for its first push, which the rule tells.
                Lookup::Denied(_) => !self.waits_already(child),
            };
        }
        let template = template::render(spec, repository);
        let parameters = template::parameter_values(spec, branch_exists);
        let owner = self.owner();
        let mut tags = spec.tags.clone();
        if let Some(stack_name) = owner.stack_id.split('/').nth(1) {
            let created_by = "CreatedBy".to_owned();
            tags.entry(created_by)
                .or_insert_with(|| stack_name.to_owned());
        }
        tags.insert(STACK_ID.to_owned(), owner.stack_id.clone());
        tags.insert(LOGICAL_ID.to_owned(), owner.logical_id.clone());
        Ok(Rendered {
            key: ownership::key(&format!("{template}\n{parameters:?}\n{tags:?}")),
            template: self.written(&template),
            parameters,
            tags,
        })
    }

    /// Whether `child`, which has no pipeline, waits for a push to this very source.
    fn waits_already(&self, child: Option<&ChildStack>) -> bool {
        let arn = self
            .spec
            .cross_account_source()
            .map(|there| &there.repository_arn);
        child.is_some_and(|child| child.outputs.get(template::SOURCE_ARN_OUTPUT) == arn)
    }

    /// Where the repository comes from.
    async fn repository(
        &self,
        child: Option<&ChildStack>,
    ) -> Result<template::RepositoryOrigin, ApplyError> {
        let name = self.spec.names.repository();
        let origin = child
            .and_then(|child| child.outputs.get(template::ORIGIN_OUTPUT))
            .and_then(|origin| template::RepositoryOrigin::read(origin));
        if let Some(given) = &self.spec.source {
            let is_here = given.cross_account.is_none();
            if is_here && given.name == name && origin == Some(template::RepositoryOrigin::Created)
            {
                return Err(ApplyError::Refused(messages::own_repository_given(&name)));
            }
            return Ok(template::RepositoryOrigin::Given);
        }
        match (child, origin) {
            (_, Some(origin)) if origin != template::RepositoryOrigin::Given => return Ok(origin),
            // A stack that does not say (yet) is not to lose its repository by a guess.
            (Some(_), None) => return Ok(template::RepositoryOrigin::Created),
            _ => {}
        }
        let client = &self.pipeline.aws.codecommit;
        let Some(repository) = codecommit::look_up(client, &name).await? else {
            return Ok(template::RepositoryOrigin::Created);
        };
        // An earlier child stack of this name made it, and left it.
        let tags = codecommit::tags(client, &repository).await?;
        if tags.get(template::STACK_NAME_TAG) == Some(&self.spec.names.stack()) {
            Ok(template::RepositoryOrigin::Adopted)
        } else {
            Err(ApplyError::Refused(messages::repository_is_held(&name)))
        }
    }

    pub(super) fn content<'a>(
        &'a self,
        stack_name: &'a str,
        rendered: &'a Rendered,
    ) -> Content<'a> {
        Content {
            stack_name,
            template: &rendered.template,
            parameters: &rendered.parameters,
            tags: &rendered.tags,
            role_arn: &self.context.role_arn,
        }
    }
}
