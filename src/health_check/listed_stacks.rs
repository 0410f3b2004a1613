//! The stacks of the account, and whether the owner of a pipeline's stack still exists.
//!
//! A pipeline's stack may belong to any stack of the account, and `cloudformation:DescribeStacks`
//! on all of them would show their parameters and outputs. `ListStacks` returns names, IDs and
//! statuses only, and a stack that it does not return does not exist.

use std::collections::{BTreeMap, BTreeSet};

use super::checker::Checker;
use super::schedule::DAY;
use crate::clients::aws::{Aws, CallError, required};
use crate::clients::cloudformation::{StackStatus, is_deleted, stack_resource};
use crate::common::ownership::Owner;
use crate::gitops_pipeline::names;

/// A stack as CloudFormation listed it.
#[derive(Clone, Debug)]
pub struct ListedStack {
    pub name: String,
    pub id: String,
    pub status: StackStatus,
}

/// The stacks that exist, as CloudFormation listed them.
#[derive(Clone, Debug, Default)]
pub struct Stacks {
    /// By their names.
    all: BTreeMap<String, ListedStack>,
    /// The IDs of nested stacks with that of the stack at the top.
    roots: BTreeMap<String, String>,
    /// The names of the pipelines' stacks, with their IDs.
    pub pipelines: BTreeMap<String, String>,
    /// The names of the stacks that pipelines deploy.
    pub deployed: BTreeSet<String>,
}

/// The IDs of the projects of the environment `env_id` that have a stack of the account, or one of
/// these `pipelines`.
pub fn projects_of(
    env_id: &str,
    stacks: Option<&Stacks>,
    pipelines: &[String],
) -> BTreeSet<String> {
    let prefixes = [names::STACK.prefix(env_id), names::PIPELINE.prefix(env_id)];
    let stacks = stacks.into_iter().flat_map(|stacks| stacks.pipelines.keys());
    let all = stacks.chain(pipelines);
    let ids = all.filter_map(|name| prefixes.iter().find_map(|it| name.strip_prefix(it)));
    ids.map(str::to_owned).collect()
}

impl Stacks {
    pub fn contains(&self, id: &str) -> bool {
        self.with_id(id).is_some()
    }

    /// The ID of the stack that contains the nested stack `id`, or `id` itself.
    pub fn root<'a>(&'a self, id: &'a String) -> &'a String {
        self.roots.get(id).unwrap_or(id)
    }

    /// The stacks whose names begin with `prefix`, without nested ones.
    pub fn beginning_with(&self, prefix: &str) -> impl Iterator<Item = &ListedStack> {
        let all = self.all.values().filter(move |stack| stack.name.starts_with(prefix));
        all.filter(|stack| !self.roots.contains_key(&stack.id))
    }

    pub fn named(&self, name: &str) -> Option<&ListedStack> {
        self.all.get(name)
    }

    pub fn with_id(&self, id: &str) -> Option<&ListedStack> {
        self.all.values().find(|listed| listed.id == id)
    }

    /// Whether the latest operation of the stack `id` has ended, and left no older resource.
    fn is_complete(&self, id: &str) -> bool {
        let listed = self.with_id(id);
        listed.is_some_and(|listed| listed.status.is_complete())
    }

    /// The ID of the stack `name`, if no operation on it runs, and the last one was not to delete
    /// the stack or its resources.
    pub fn settled(&self, name: &str) -> Option<&String> {
        let ListedStack { id, status, .. } = self.all.get(name)?;
        let is_kept = !status.is_deletion() && *status != StackStatus::RollbackFailed;
        (is_kept && status.is_settled()).then_some(id)
    }
}

/// Lists the stacks, of which those of the environment `env_id`'s pipelines by name.
pub async fn list(aws: &Aws, env_id: &str) -> Result<Stacks, CallError> {
    let prefix = names::STACK.prefix(env_id);
    let deployed_prefix = names::DEPLOYED_STACK.prefix(env_id);
    let existing = StackStatus::all_that(|status| *status != StackStatus::DeleteComplete);
    let call = aws.cloudformation.list_stacks().set_stack_status_filter(Some(existing));
    let mut pages = call.into_paginator().items().send();
    let mut stacks = Stacks::default();
    while let Some(stack) = pages.next().await {
        let stack = required(stack, || "listing the stacks".to_owned())?;
        let (Some(name), Some(id)) = (stack.stack_name, stack.stack_id) else {
            continue;
        };
        if name.starts_with(&prefix) {
            stacks.pipelines.insert(name.clone(), id.clone());
        }
        if name.starts_with(&deployed_prefix) {
            stacks.deployed.insert(name.clone());
        }
        if let Some(root) = stack.root_id.or(stack.parent_id) {
            stacks.roots.insert(id.clone(), root);
        }
        let status = StackStatus::parse(stack.stack_status);
        let listed = ListedStack {
            name: name.clone(),
            id,
            status,
        };
        stacks.all.insert(name, listed);
    }
    Ok(stacks)
}

impl Checker<'_> {
    /// Whether the owner of the stack `name` exists. The list of stacks may be minutes old, and
    /// lacks each status that this function does not know. An owner in another account may exist:
    /// who may create stacks may choose the tag.
    ///
    /// # Errors
    /// If it cannot be looked up in this account.
    pub async fn has_owner(
        &self,
        name: &str,
        owner: &Owner,
        stacks: &Stacks,
    ) -> Result<bool, CallError> {
        let id = &owner.stack_id;
        let is_listed = stacks.contains(id);
        // Once a day, because it takes a call for each stack.
        if is_listed && !(stacks.is_complete(id) && self.schedule.is_due(name, DAY)) {
            return Ok(true);
        }
        // An update that replaces the resource may have begun since the list.
        let is_changing = async {
            let now = list(&self.clients.aws, &self.environment.id).await;
            !now.is_ok_and(|now| now.is_complete(id))
        };
        let place = id.split(":stack/").next().unwrap_or_default();
        let is_here = stacks.named(name).is_none_or(|child| child.id.starts_with(place));
        let is_owned = || Box::pin(self.may_own(name, owner, is_listed, is_here));
        // One answer that the resource does not exist may be wrong.
        let is_owned = is_owned().await? || (is_listed && is_changing.await) || is_owned().await?;
        // `DescribeStackResource` still shows the resources of a stack that was deleted by force.
        let is_deleted = async { is_deleted(&self.clients.aws, id).await.unwrap_or(false) };
        Ok(is_owned && (is_listed || !is_deleted.await))
    }

    /// Whether `owner` may own the stack `name`, as one look shows it.
    async fn may_own(
        &self,
        name: &str,
        owner: &Owner,
        is_listed: bool,
        is_here: bool,
    ) -> Result<bool, CallError> {
        let shown = match stack_resource(&self.clients.aws, owner).await {
            Err(error) if !is_here => {
                warn!(error.reason(), "an owner was not looked up");
                return Ok(true);
            }
            shown => shown?.filter(|shown| !shown.is_gone()),
        };
        Ok(shown.is_some_and(|shown| !is_listed || shown.may_be(name)))
    }
}
