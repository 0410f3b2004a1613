//! Reads to which project of GitLab a Create or an Update is about.

use crate::clients::aws::{Aws, retrying_absence};
use crate::clients::gitlab;
use crate::clients::gitlab::{GitLab, GitLabError};
use crate::clients::http::Http;
use crate::gitops_pipeline::observe;
use crate::gitops_pipeline::plan::project::{self, FoundProject};
use crate::gitops_pipeline::request_context::RequestContext;
use crate::gitops_pipeline::spec::{GitLabProject, Spec};
use crate::gitops_pipeline::state::ChildStack;
use cfn_custom_resource::{Failure, Request};

pub struct ProjectFinder<'a> {
    pub aws: &'a Aws,
    pub http: &'a Http,
    pub request: &'a Request,
    pub context: &'a RequestContext,
    pub spec: &'a Spec,
}

impl ProjectFinder<'_> {
    /// The project of the pipeline.
    ///
    /// A request that restores the properties before has the project that it had then: GitLab may
    /// not respond to a rollback, or may reject it.
    ///
    /// # Errors
    /// If the path leads to another project than before.
    pub async fn find(&self) -> Result<FoundProject, Failure> {
        let Some(target) = &self.spec.gitlab else {
            return Ok(FoundProject::default());
        };
        if target.number.is_some() {
            return Ok(FoundProject::known(target.number));
        }
        let is_token_new = self.request.introduces(&target.access.token_secret_id);
        let opening = gitlab::open(self.aws, self.http, &target.access);
        let opening = retrying_absence(is_token_new, opening);
        let (child, opened) = tokio::join!(self.child(), Box::pin(opening));
        let child = child?;
        let key = &self.context.properties_key;
        let mut rendered = child.iter().flat_map(ChildStack::rendered_properties);
        if let Some(restored) = rendered.find(|one| one.key == *key) {
            return Ok(FoundProject::known(restored.project));
        }
        let stored = child.and_then(|child| child.project_of(target));
        self.compare(target, stored, opened).await
    }

    /// The child stack of this resource. `None` if there is none.
    async fn child(&self) -> Result<Option<ChildStack>, Failure> {
        let name = self.spec.names.stack();
        let found = observe::describe(self.aws, &name).await;
        let found = found.map_err(|error| Failure(error.reason()))?;
        let child = found.map(|stack| observe::described(stack, &name));
        Ok(child.filter(|child| child.is_owned_by(self.context)))
    }

    async fn compare(
        &self,
        target: &GitLabProject,
        stored: Option<u64>,
        opened: Result<GitLab, GitLabError>,
    ) -> Result<FoundProject, Failure> {
        let shown = match opened {
            Ok(gitlab) => Box::pin(gitlab.project((&target.project).into())).await,
            Err(error) => Err(error),
        };
        let shown = shown.map(|project| project.id);
        let Request {
            properties,
            old_properties,
            ..
        } = self.request;
        let changes =
            properties.as_ref().is_ok_and(|new| new["GitLab"] != old_properties["GitLab"]);
        let found = project::found(target, stored, shown, changes).map_err(Failure)?;
        if let Some(warning) = &found.warning {
            warn!(warning, "the project in GitLab was not compared");
        }
        Ok(found)
    }
}
