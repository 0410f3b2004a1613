//! The content of the child stack for one request: the template, with the current state of the
//! repository and the branch.

use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_cloudformation::types::{Parameter, Tag};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::error::ApplyError;
use crate::clients::aws::Aws;
use crate::clients::codecommit;
use crate::clients::codecommit::Repository;
use crate::common::ascii;
use crate::common::ownership;
use crate::common::reason_codes::Code;
use crate::common::tags::add_created_by;
use crate::gitops_pipeline::holds;
use crate::gitops_pipeline::intent_log::tombstone;
use crate::gitops_pipeline::names::EventRule;
use crate::gitops_pipeline::observe::{PROPERTIES, RECORDING_RESOURCE};
use crate::gitops_pipeline::request_context::RequestContext;
use crate::gitops_pipeline::settings::RenderedProperties;
use crate::gitops_pipeline::source::{Lookup, Source};
use crate::gitops_pipeline::spec::Spec;
use crate::gitops_pipeline::state::ChildStack;
use crate::gitops_pipeline::template::{PROPERTIES_OUTPUT, RepositoryOrigin};
use crate::gitops_pipeline::{messages, template};
use crate::reconcile::sender::{LATENESS, Rollback};
use cfn_custom_resource::Reason;

/// Maximum size of a template in the call itself.
const MAX_TEMPLATE_BYTES: usize = 51_200;

/// The content of the child stack that CloudFormation receives.
pub struct Rendered {
    pub template: String,
    pub parameters: Vec<Parameter>,
    /// The stack's own tags.
    pub tags: Vec<Tag>,
    /// A hash of the content.
    pub key: String,
}

pub struct Renderer<'a> {
    pub aws: &'a Aws,
    pub context: &'a RequestContext,
    pub spec: &'a Spec,
    pub is_update: bool,
    /// The given repository, if a rollback restores it and it no longer exists.
    pub missing: OnceLock<Repository>,
}

impl Renderer<'_> {
    /// Rejects a template that CloudFormation would not accept.
    pub fn check_size(&self) -> Result<(), ApplyError> {
        let template = template::render(self.spec, RepositoryOrigin::Created);
        let bytes = self.with_request(&template, None).len();
        if bytes <= MAX_TEMPLATE_BYTES {
            return Ok(());
        }
        let problem = format!(
            "Build: the pipeline's template would be {bytes} bytes, of at most {MAX_TEMPLATE_BYTES}"
        );
        let remedy = "Shorten BuildSpec and EnvironmentVariables";
        let reason = Reason::new(Code::InvalidProperties, problem, remedy);
        Err(ApplyError::Failed(reason))
    }

    /// The template that CloudFormation receives. It contains the request, so that CloudFormation
    /// treats each update as a change and records its token in the stack's events. The key of the
    /// properties shows later whether a request has changed the stack since.
    ///
    /// It contains the properties of the request and those before them, too: a rollback restores
    /// the project in GitLab without GitLab.
    fn with_request(&self, template: &Value, child: Option<&ChildStack>) -> String {
        let mut template = template.clone();
        let RequestContext {
            request,
            properties_key,
            ..
        } = self.context;
        let metadata = &mut template["Resources"][RECORDING_RESOURCE]["Metadata"];
        metadata["Request"] = json!(request.write());
        metadata[PROPERTIES] = json!(properties_key);
        let properties = self.properties(child);
        if properties.iter().any(|one| one.project.is_some()) {
            let properties = serde_json::to_string(&properties).unwrap_or_default();
            template["Outputs"][PROPERTIES_OUTPUT] = json!({
                "Description": "GitLab's number of the project of the present and of the former properties",
                "Value": properties,
            });
        }
        let text = serde_json::to_string_pretty(&template).unwrap_or_default();
        // Otherwise GetTemplate, and so the console, would show it with `?`.
        let escaped = ascii::escape(&text);
        if escaped.len() <= MAX_TEMPLATE_BYTES {
            escaped
        } else {
            text
        }
    }

    /// The properties of the request, and other ones before them.
    fn properties(&self, child: Option<&ChildStack>) -> Vec<RenderedProperties> {
        let now = RenderedProperties {
            key: self.context.properties_key.clone(),
            project: self.spec.gitlab.as_ref().and_then(|it| it.number),
        };
        let before = child.map(ChildStack::rendered_properties);
        let former = before.into_iter().flatten().find(|one| one.key != now.key);
        [Some(now), former].into_iter().flatten().collect()
    }

    /// Renders the content for `child`. `None` if the stack does not exist.
    pub async fn render(
        &self,
        child: Option<&ChildStack>,
        source: &Source,
    ) -> Result<Rendered, ApplyError> {
        let spec = self.spec;
        let repository = Box::pin(self.repository(child));
        let branch_exists = Box::pin(self.branch_exists(child, source));
        let (repository, branch_exists) = tokio::try_join!(repository, branch_exists)?;
        let template = template::render(spec, repository);
        let clone_url = Box::pin(self.clone_url(repository, source)).await?;
        let parameters = template::parameter_values(spec, branch_exists, clone_url);
        let owner = &self.context.owner;
        let mut tags = spec.tags.clone();
        // A stack's own tags have at least one character (`TagValue`), unlike those of its
        // resources.
        tags.retain(|_, value| !value.is_empty());
        add_created_by(&mut tags, &owner.stack_id);
        tags.extend(owner.tags());
        let parameter = |(key, value): (&&str, &String)| {
            let parameter = Parameter::builder().parameter_key(*key);
            parameter.parameter_value(value).build()
        };
        let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
        Ok(Rendered {
            key: ownership::key(&format!("{template}\n{parameters:?}\n{tags:?}")),
            template: self.with_request(&template, child),
            parameters: parameters.iter().map(parameter).collect(),
            tags: tags.iter().map(tag).collect(),
        })
    }

    /// Whether the stack contains a pipeline. An existing pipeline stays, even if its branch is
    /// deleted. Without a pipeline, each observation of a settled stack reads the branch again,
    /// even after the event rule was created. A push before that starts no execution. A new
    /// pipeline runs once by itself, so there is none while the event rule is disabled.
    async fn branch_exists(
        &self,
        child: Option<&ChildStack>,
        source: &Source,
    ) -> Result<bool, ApplyError> {
        if child.is_some_and(ChildStack::has_pipeline) {
            return Ok(true);
        }
        let exists = match source.tip(self.spec.branch()).await? {
            Lookup::Found(tip) => tip.commit().is_some(),
            // The branch counts as existing, because the pipeline reads it itself. But if an
            // earlier lookup did not find it, the stack waits for the event of its first push.
            Lookup::Denied(_) => !self.is_waiting(child),
        };
        if !exists || child.is_none() {
            return Ok(exists);
        }
        Ok(!holds::is_held(self.aws, &self.spec.names, EventRule::Push).await?)
    }

    /// Whether a later Delete left a tombstone.
    pub async fn is_deleted(&self) -> bool {
        let RequestContext { owner, request, .. } = self.context;
        tombstone::supersedes(self.aws, &self.spec.names, owner, request).await
    }

    /// Looks up the repository, which has to exist, except for a given one in a rollback.
    pub async fn look_up(&self, source: &Source) -> Result<Lookup<Repository>, ApplyError> {
        if let Some(missing) = self.missing.get() {
            return Ok(Lookup::Found(missing.clone()));
        }
        let began = Instant::now();
        match source.look_up().await? {
            Lookup::Found(Some(repository)) => Ok(Lookup::Found(repository)),
            Lookup::Found(None) => {
                let reason = messages::no_repository(self.spec, &self.context.location);
                if !self.is_rollback(began).await {
                    return Err(ApplyError::Failed(reason));
                }
                warn!(reason, "the source is missing");
                let missing = self.missing.get_or_init(|| self.missing_repository());
                Ok(Lookup::Found(missing.clone()))
            }
            Lookup::Denied(error) => Ok(Lookup::Denied(error)),
        }
    }

    /// Whether the stack of a request with a given repository rolls back. Its rollback would
    /// otherwise fail until a person creates the repository again. A new repository was looked for
    /// since `began`.
    async fn is_rollback(&self, began: Instant) -> bool {
        let RequestContext {
            owner, is_local, ..
        } = self.context;
        if !self.is_update || *is_local || self.spec.source.is_none() {
            return false;
        }
        // The rollback of an Update that was rejected at once may be shown late.
        let first = Rollback::Unknown.look(self.aws, owner, Duration::ZERO).await;
        let pause = LATENESS.saturating_sub(began.elapsed());
        first.look(self.aws, owner, pause).await == Rollback::Yes
    }

    /// A repository that does not exist, with the address that it would have in this account. With
    /// that of another account, nothing is cloned.
    fn missing_repository(&self) -> Repository {
        let (name, location) = (self.spec.repository(), &self.context.location);
        let there = self.spec.cross_account_source();
        let arn = there.map(|there| there.repository_arn.clone());
        Repository {
            arn: arn.unwrap_or_else(|| location.arn("codecommit", &name)),
            clone_url: location.codecommit_url(&name),
            default_branch: None,
        }
    }

    /// The clone URL of a repository that the child stack does not create. `None` if the template
    /// does not need it.
    async fn clone_url(
        &self,
        origin: RepositoryOrigin,
        source: &Source,
    ) -> Result<Option<String>, ApplyError> {
        if !template::needs_clone_url(self.spec, origin) {
            return Ok(None);
        }
        match self.look_up(source).await? {
            Lookup::Found(repository) => Ok(Some(repository.clone_url)),
            Lookup::Denied(error) => Err(error.into()),
        }
    }

    /// Whether `child`, which has no pipeline, waits for a push to the source of the spec.
    fn is_waiting(&self, child: Option<&ChildStack>) -> bool {
        let arn = self.spec.cross_account_source().map(|there| &there.repository_arn);
        child.is_some_and(|child| child.outputs.get(template::SOURCE_ARN_OUTPUT) == arn)
    }

    /// Looks up the origin of the repository. Rejects a repository that is not this pipeline's.
    async fn repository(&self, child: Option<&ChildStack>) -> Result<RepositoryOrigin, ApplyError> {
        let name = self.spec.names.repository();
        let origin = child
            .and_then(|child| child.outputs.get(template::ORIGIN_OUTPUT))
            .and_then(|origin| serde_json::from_value(json!(origin)).ok());
        if let Some(given) = &self.spec.source {
            let is_here = given.cross_account.is_none();
            if is_here && given.name == name && origin == Some(RepositoryOrigin::Created) {
                return Err(ApplyError::Failed(messages::own_repository_given(&name)));
            }
            return Ok(RepositoryOrigin::Existing);
        }
        match (child, origin) {
            (_, Some(origin)) if origin != RepositoryOrigin::Existing => return Ok(origin),
            // A stack without the output may have created its repository. An update must not delete
            // it.
            (Some(_), None) => return Ok(RepositoryOrigin::Created),
            _ => {}
        }
        let client = &self.aws.codecommit;
        let Some(repository) = codecommit::look_up(client, &name).await? else {
            return Ok(RepositoryOrigin::Created);
        };
        // An earlier child stack of this name created and retained it.
        let tags = codecommit::tags(client, &repository).await?;
        if tags.get(template::STACK_NAME_TAG) == Some(&self.spec.names.stack()) {
            Ok(RepositoryOrigin::Adopted)
        } else {
            let location = &self.context.location;
            let stack_name = self.spec.names.stack();
            let untagged = !tags.contains_key(template::STACK_NAME_TAG);
            let reason = messages::repository_is_held(&name, location, &stack_name, untagged);
            Err(ApplyError::Failed(reason))
        }
    }
}
