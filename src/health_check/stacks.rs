//! The stacks of the account: the environment's pipelines among them, and whether their owners
//! still exist.
//!
//! A pipeline's stack may belong to any stack of the account, and `cloudformation:DescribeStacks`
//! on all of them would show their parameters and outputs. `ListStacks` returns names, IDs and
//! statuses only, and a stack that it does not return does not exist.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudformation::types::StackStatus;

use crate::aws::{Aws, CallError};

/// The stacks that exist, as CloudFormation listed them.
#[derive(Clone, Debug, Default)]
pub struct Stacks {
    /// The IDs of all stacks.
    ids: BTreeSet<String>,
    /// The names of the pipelines' stacks, with their IDs.
    pub pipelines: BTreeMap<String, String>,
}

impl Stacks {
    /// Whether the stack with this ID exists.
    pub fn contains(&self, id: &str) -> bool {
        self.ids.contains(id)
    }
}

/// Lists the stacks, of which those of the environment `env_id`'s pipelines by name.
///
/// # Errors
/// If they cannot be listed to the end.
pub async fn list(aws: &Aws, env_id: &str) -> Result<Stacks, CallError> {
    let prefix = format!("gitops-{env_id}-");
    let existing = StackStatus::values().iter();
    let existing = existing.filter(|status| **status != "DELETE_COMPLETE");
    let existing: Vec<StackStatus> = existing.map(|status| StackStatus::from(*status)).collect();
    let mut stacks = Stacks::default();
    let mut token = None;
    loop {
        let call = aws
            .cloudformation
            .list_stacks()
            .set_stack_status_filter(Some(existing.clone()))
            .set_next_token(token);
        let page = call.send().await;
        let page = page.map_err(|error| CallError::new("listing the stacks", &error))?;
        for stack in page.stack_summaries() {
            let (Some(name), Some(id)) = (stack.stack_name(), stack.stack_id()) else {
                continue;
            };
            if name.starts_with(&prefix) {
                stacks.pipelines.insert(name.to_owned(), id.to_owned());
            }
            stacks.ids.insert(id.to_owned());
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(stacks);
        }
    }
}
