//! The projects without a pipeline's stack, by the stacks that declare one.

use std::collections::{BTreeMap, BTreeSet};

use super::row::Row;
use crate::common::ownership::Owner;
use crate::gitops_pipeline::names::{PROJECT_STACKS, ResourceNames, STACK};
use crate::health_check::checker::Checker;
use crate::health_check::findings::Findings;
use crate::health_check::listed_stacks::Stacks;
use crate::health_check::missing::Missing;
use crate::health_check::problems::owner_problem;
use crate::health_check::project_findings::note_unknown;

impl Checker<'_> {
    /// Adds the `missing` stacks of pipelines, or of `only` this one. A stack without tags is a row.
    pub(super) fn add_missing(
        &self,
        rows: &mut BTreeMap<String, Row>,
        missing: BTreeMap<String, Missing>,
        stacks: Option<&Stacks>,
        only: Option<&ResourceNames>,
    ) {
        let prefix = &STACK.prefix(&self.environment.id);
        for (subject, missing) in missing {
            let project_id = missing.name.strip_prefix(prefix).unwrap_or(&missing.name);
            if only.is_some_and(|only| only.project_id != project_id) {
                continue;
            }
            let row = rows.entry(project_id.to_owned()).or_insert_with(|| Row::new(project_id));
            if let Some(owner) = &missing.owner {
                row.set_owner(
                    owner,
                    stacks.and_then(|it| it.with_id(&owner.stack_id)),
                    true,
                );
            }
            row.problem(&subject, &missing.problem);
        }
    }

    /// Adds a row for each stack with the name of a project, or of `only` this one, that has no
    /// pipeline's stack: it may never have been complete.
    pub(super) fn add_owners_without_child(
        &self,
        rows: &mut BTreeMap<String, Row>,
        stacks: &Stacks,
        only: Option<&ResourceNames>,
    ) {
        let env_id = &self.environment.id;
        let prefix = PROJECT_STACKS.prefix(env_id);
        let owners: BTreeSet<String> =
            rows.values().filter_map(|row| row.owner_id().cloned()).collect();
        for stack in stacks.beginning_with(&prefix).filter(|it| !owners.contains(&it.id)) {
            let names =
                stack.name.strip_prefix(&prefix).and_then(|id| ResourceNames::new(env_id, id));
            let Some(names) = names.filter(|names| only.is_none_or(|only| only == names)) else {
                continue;
            };
            let project_id = names.project_id;
            if rows.contains_key(&project_id) {
                continue;
            }
            let mut row = Row::new(&project_id);
            let owner = Owner {
                stack_id: stack.id.clone(),
                logical_id: String::new(),
            };
            row.set_owner(&owner, Some(stack), true);
            let mut findings = Findings::default();
            note_unknown(&stack.name, &stack.status, &mut findings);
            if let Some(problem) = owner_problem(&stack.status, env_id, &project_id) {
                findings.checked(format!("stack {}", stack.name), Some(problem));
            }
            row.add_findings(findings);
            rows.insert(project_id, row);
        }
    }
}
