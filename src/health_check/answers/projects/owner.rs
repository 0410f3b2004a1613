//! The stack with the resource of a project.

use std::collections::{BTreeMap, BTreeSet};

use super::row::Row;
use crate::clients::cloudformation::StackStatus;
use crate::gitops_pipeline::child::Child;
use crate::gitops_pipeline::names::{PROJECT_STACKS, ResourceNames, STACK};
use crate::health_check::answers::shape::{self, ShownOwner};
use crate::health_check::checker::Checker;
use crate::health_check::doctor::orphan_problem;
use crate::health_check::stacks::{ListedStack, Stacks};
use cfn_custom_resource::Reason;

/// Why the latest operation of a stack has failed. `None` if it has not.
pub fn failure_of(status: &StackStatus) -> Option<String> {
    use StackStatus::{
        DeleteFailed, ImportRollbackComplete, ImportRollbackFailed, UpdateFailed,
        UpdateRollbackComplete, UpdateRollbackCompleteCleanupInProgress, UpdateRollbackFailed,
    };
    let what = match status {
        status if status.was_never_complete() => "its creation failed",
        status if status.is_rolling_back() => "its latest operation failed and is rolled back",
        UpdateFailed => "its latest update failed",
        UpdateRollbackComplete | UpdateRollbackCompleteCleanupInProgress => {
            "its latest update failed and was rolled back"
        }
        UpdateRollbackFailed => "its latest update failed and could not be rolled back",
        ImportRollbackComplete => "its latest import failed and was rolled back",
        ImportRollbackFailed => "its latest import failed and could not be rolled back",
        DeleteFailed => "it could not be deleted",
        _ => return None,
    };
    Some(format!("its status is {status}: {what}"))
}

impl Checker<'_> {
    /// Adds the owner of the pipeline's stack `name`, and returns whether it exists.
    pub(super) async fn add_owner(
        &self,
        row: &mut Row,
        name: &str,
        child: &Child,
        stacks: &Stacks,
    ) -> bool {
        let owner = &child.owner;
        let listed = stacks.with_id(&owner.stack_id);
        let looked_up = Box::pin(self.has_owner(name, owner, stacks));
        // One that cannot be looked up may exist.
        let is_owned =
            row.read(format!("the owner of stack {name}"), looked_up).await.unwrap_or(true);
        let owner_name = owner.stack_id.split('/').nth(1).unwrap_or(&owner.stack_id);
        row.shown.owner = Some(ShownOwner {
            stack_name: owner_name.to_owned(),
            stack_id: owner.stack_id.clone(),
            logical_id: shape::text(&owner.logical_id),
            status: listed.map(|it| it.status.to_string()),
            exists: is_owned || listed.is_some(),
        });
        row.owner = Some(owner.stack_id.clone());
        if let Some(listed) = listed {
            self.add_failure_of(row, listed);
        }
        if !is_owned {
            row.problem(&format!("pipeline stack {name}"), &orphan_problem(child));
        }
        is_owned
    }

    /// Adds the failure of an owner. The answer has that of the environment's stack once.
    fn add_failure_of(&self, row: &mut Row, owner: &ListedStack) {
        row.check_status(&owner.name, &owner.status);
        let is_environments = self.environment.stack_id.as_ref() == Some(&owner.id);
        if let Some(problem) = failure_of(&owner.status).filter(|_| !is_environments) {
            let (project_id, env_id) = (&row.shown.project_id, &self.environment.id);
            let remedy =
                format!("See what failed: cfn-gitops failures {project_id} --env {env_id}");
            row.problem(
                &format!("stack {}", owner.name),
                &Reason::uncoded(problem, remedy),
            );
        }
    }

    /// Adds a row for each stack of a project, or of `only` this one, that has no pipeline's stack.
    /// The environment's stack is that of the first project.
    pub(super) fn add_owners_without_child(
        &self,
        rows: &mut BTreeMap<String, Row>,
        stacks: &Stacks,
        only: Option<&ResourceNames>,
    ) {
        let env_id = &self.environment.id;
        let prefix = PROJECT_STACKS.prefix(env_id);
        // A stack of another name may be its own.
        let is_complete = only.is_none() && rows.values().all(Row::is_whole);
        let owners: BTreeSet<String> = rows.values().filter_map(|row| row.owner.clone()).collect();
        let of_projects = stacks.beginning_with(&prefix).filter(|it| !owners.contains(&it.id));
        let of_projects = of_projects
            .filter_map(|stack| Some((stack.name.strip_prefix(&prefix)?, stack, is_complete)));
        // Its template names its pipeline's stack.
        let first = self.environment.first_project.as_ref().and_then(|first| {
            let project_id = first.pipeline_stack.strip_prefix(&STACK.prefix(env_id))?;
            let stack = stacks.with_id(&first.stack_id)?;
            stack.status.is_complete().then_some((project_id, stack, true))
        });
        for (project_id, stack, is_certain) in of_projects.chain(first) {
            let Some(names) = ResourceNames::new(env_id, project_id) else {
                continue;
            };
            let is_asked = only.is_none_or(|only| *only == names);
            if !is_asked || rows.contains_key(project_id) {
                continue;
            }
            let mut row = Row::new(project_id);
            row.shown.owner = Some(ShownOwner {
                stack_name: stack.name.clone(),
                stack_id: stack.id.clone(),
                logical_id: None,
                status: Some(stack.status.as_str().to_owned()),
                exists: true,
            });
            self.add_failure_of(&mut row, stack);
            if is_certain && stack.status.is_complete() && failure_of(&stack.status).is_none() {
                let problem = "it does not exist, so pushes deploy nothing";
                let remedy = format!("See how to restore it: cfn-gitops doctor --env {env_id}");
                let subject = format!("pipeline stack {}", names.stack());
                row.problem(&subject, &Reason::uncoded(problem, remedy));
            }
            rows.insert(project_id.to_owned(), row);
        }
    }
}
