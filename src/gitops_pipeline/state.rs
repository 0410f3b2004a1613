//! The observed state of a child stack.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::intent_log::{Purpose, RequestKey, request_token};
use super::request_context::RequestContext;
use super::settings::{RenderedProperties, StoredSettings};
use super::spec::{CrossAccount, GitLabProject, RepositoryRef};
use super::template;
use crate::clients::aws::is_role_not_assumable;
use crate::clients::cloudformation::StackStatus;
use crate::common::ascii;
use crate::common::ownership::Owner;

/// A child stack as CloudFormation described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildStack {
    /// Its ARN. CloudFormation does not reuse it.
    pub id: String,
    pub status: StackStatus,
    pub status_reason: Option<String>,
    /// When its latest operation started, in seconds since 1970.
    pub changed: i64,
    /// The owner in its tags. `None` if they name none: nothing gives it to a resource then.
    pub owner: Option<Owner>,
    pub tags: BTreeMap<String, String>,
    pub parameters: BTreeMap<String, String>,
    /// The outputs' values. Empty until the stack has been complete.
    pub outputs: BTreeMap<String, String>,
    /// The token of the latest operation. `None` if the operation had none.
    pub latest_token: Option<String>,
    /// The latest operation that a request of this resource started.
    pub latest_request: Option<(RequestKey, Purpose)>,
    /// Whether the operation of `latest_request` ended, and left the stack complete.
    pub is_request_complete: bool,
    /// Why its latest operation failed. `None` until it was read.
    pub failure: Option<String>,
}

/// Changes whenever an operation on the stack starts, ends or reaches another status.
pub type OperationKey = (String, StackStatus, Option<String>);

impl ChildStack {
    pub fn operation_key(&self) -> OperationKey {
        let token = self.latest_token.clone();
        (self.id.clone(), self.status.clone(), token)
    }

    /// The request that started the latest operation, and its purpose. `None` if no request did.
    pub fn latest_purpose(&self) -> Option<(RequestKey, Purpose)> {
        self.latest_token.as_deref().and_then(request_token::read)
    }

    /// Whether its latest operation failed because a service could not assume a role, which may be
    /// too new.
    pub fn has_unusable_role(&self) -> bool {
        self.failure.as_deref().is_some_and(is_role_not_assumable)
    }

    /// Whether its parameters state that the branch exists, so that it contains a pipeline.
    pub fn has_pipeline(&self) -> bool {
        let value = self.parameters.get(template::BRANCH_EXISTS);
        value.is_some_and(|value| value == "true")
    }

    /// The branch that it deploys. `None` if it was never complete.
    pub fn branch(&self) -> Option<String> {
        let branch = self.outputs.get(template::BRANCH_OUTPUT)?;
        Some(ascii::unescape(branch))
    }

    /// The repository from which it takes its code. `None` if its outputs do not name it.
    pub fn repository(&self) -> Option<RepositoryRef> {
        let output = |name: &str| self.outputs.get(name).cloned();
        let arn = output(template::SOURCE_ARN_OUTPUT);
        let role_arn = output(template::SOURCE_ROLE_OUTPUT);
        Some(RepositoryRef {
            name: output(template::REPOSITORY_OUTPUT)?,
            cross_account: arn.zip(role_arn).map(|(repository_arn, role_arn)| CrossAccount {
                repository_arn,
                role_arn,
            }),
        })
    }

    /// `None` if it was never complete, or if an update by hand has removed them.
    pub fn settings(&self) -> Option<StoredSettings> {
        self.parse(template::SETTINGS_OUTPUT)
    }

    /// The number of the project of `target`, if its path was the same in the same GitLab before.
    pub fn project_of(&self, target: &GitLabProject) -> Option<u64> {
        let report = self.settings()?.report?;
        let is_same = report.project == target.project && report.access.url == target.access.url;
        is_same.then_some(report.project_number)
    }

    /// The properties from which it was rendered last, and those before them.
    pub fn rendered_properties(&self) -> Vec<RenderedProperties> {
        self.parse(template::PROPERTIES_OUTPUT).unwrap_or_default()
    }

    /// An output that is JSON.
    fn parse<T: DeserializeOwned>(&self, output: &str) -> Option<T> {
        serde_json::from_str(self.outputs.get(output)?).ok()
    }

    /// The version of its rendering: 0 if the stack shows none, as after an update by hand. `None`
    /// if it was never complete.
    pub fn version(&self) -> Option<u32> {
        let version = self.outputs.get(template::VERSION_OUTPUT);
        let version = version.and_then(|version| version.parse().ok()).unwrap_or(0);
        (!self.outputs.is_empty()).then_some(version)
    }

    /// Whether its pipeline can run. After an update that was not rolled back, it still exists.
    pub fn is_runnable(&self) -> bool {
        let is_half_updated = matches!(
            self.status,
            StackStatus::UpdateFailed | StackStatus::UpdateRollbackFailed
        );
        self.status.is_complete() || (is_half_updated && self.has_pipeline())
    }

    /// Whether the request's physical ID names it, and no tags name its owner. The ID alone gives
    /// it to no resource, because another function may respond with any ID. A change set that was
    /// never executed has no resources, so it is not one that lost its tags.
    pub fn is_untagged(&self, context: &RequestContext) -> bool {
        context.names_stack && self.has_lost_tags()
    }

    /// Whether it has resources, and no tags name its owner.
    pub fn has_lost_tags(&self) -> bool {
        let is_empty = matches!(
            self.status,
            StackStatus::ReviewInProgress | StackStatus::DeleteComplete
        );
        self.owner.is_none() && !is_empty
    }

    /// Whether its tags name the owner of the request.
    pub fn is_owned_by(&self, context: &RequestContext) -> bool {
        self.owner.as_ref() == Some(&context.owner)
    }

    /// Whether a later request of the resource has changed it.
    pub fn is_superseding(&self, context: &RequestContext) -> bool {
        let latest = self.latest_request.as_ref();
        latest.is_some_and(|(latest, _)| latest.signed > context.compared_at)
    }

    /// Whether another request of the resource than `create` and than this Delete has created or
    /// updated it, and not deleted it.
    pub fn is_changed_since(&self, create: &RequestKey, delete: &RequestContext) -> bool {
        let latest = self.latest_request.as_ref();
        self.is_owned_by(delete)
            && latest.is_some_and(|(latest, purpose)| {
                // CloudFormation may reuse an ID. The date of a token is not later than the URL's.
                let is_creates = latest.hash == create.hash && latest.signed <= create.signed;
                let is_own = *latest == delete.request;
                !is_creates && !is_own && *purpose != Purpose::Delete
            })
    }

    /// Whether a later request of the resource has created or updated it, and not deleted it.
    pub fn is_of_later_request(&self, context: &RequestContext) -> bool {
        let latest = self.latest_request.as_ref();
        self.is_owned_by(context)
            && self.is_superseding(context)
            && latest.is_some_and(|(_, purpose)| *purpose != Purpose::Delete)
    }
}
