//! The findings about a project, which follow from one look at it. Each painter shows the same.

use super::facts::{Fact, PipelineFacts, ProjectFacts};
use super::findings::{Condition, Findings, unknown_value};
use super::missing::stack_subject;
use super::problems::{
    content_problem, execution_problem, orphan_problem, outdated_problem, owner_problem,
    part_problem, stack_problem,
};
use super::request::Environment;
use crate::clients::cloudformation::StackStatus;
use crate::gitops_pipeline::child::Child;
use crate::gitops_pipeline::executions::{ExecutionStatus, has_succeeded, status_of};
use crate::gitops_pipeline::health::{PipelineEnd, unknown_status};
use crate::gitops_pipeline::holds::{self, DeclaredRule, Hold, RuleState};
use aws_sdk_codepipeline::types::StageState;

impl ProjectFacts {
    /// The findings. A stack without tags is left out: the search for its owner adds it.
    pub fn findings(&self, environment: &Environment) -> Findings {
        let mut findings = Findings::default();
        self.add_pipeline(environment, &mut findings);
        note(&self.child, &mut findings);
        if let Some(child) = self.owned() {
            self.add_parts(child, &mut findings);
            self.add_rules(&mut findings);
            self.add_stack(child, environment, &mut findings);
        }
        findings
    }

    /// A push that the health check starts after a second look.
    pub fn report_push(&self, findings: &mut Findings) {
        if let Some(push) = self.looked.known().and_then(|looked| looked.missed.as_ref()) {
            push.report(findings);
        }
    }

    /// The statuses of actions and executions that this function does not know. The health check does
    /// not have them: its metric has the end before such an execution.
    pub fn unknown_statuses(&self) -> Findings {
        let mut findings = Findings::default();
        let PipelineFacts {
            state, executions, ..
        } = &self.pipeline;
        let stages = state.known().into_iter().flat_map(|state| state.stage_states());
        for action in stages.flat_map(StageState::action_states) {
            if let Some(status) = unknown_status(action) {
                let name = action.action_name().unwrap_or("?");
                let part = format!("the status of action {name} of {}", self.pipeline_name);
                findings.failed(unknown_value(&part, status));
            }
        }
        // An older one than a success decides nothing.
        let listed = executions.known().into_iter().flatten();
        for one in listed.take_while(|one| !has_succeeded(one)) {
            if let ExecutionStatus::Unknown(status) = status_of(one) {
                let id = one.pipeline_execution_id().unwrap_or("?");
                let part = format!("the status of execution {id} of {}", self.pipeline_name);
                findings.failed(unknown_value(&part, &status));
            }
        }
        findings
    }

    fn add_pipeline(&self, environment: &Environment, findings: &mut Findings) {
        let of = &self.pipeline;
        note(&of.state, findings);
        note(&of.executions, findings);
        note(&of.end, findings);
        let subject = format!("pipeline {}", self.pipeline_name);
        for transition in of.state.known().map(holds::disabled_transitions).unwrap_or_default() {
            findings.held(subject.clone(), Hold::Transition(transition));
        }
        if of.state.known().and(of.executions.known()).is_none() {
            return;
        }
        findings.totals.pipelines += 1;
        let action = match of.end.known() {
            Some(PipelineEnd::Failed(Ok(action))) => action,
            Some(PipelineEnd::Failed(Err(error))) => {
                findings.failed(error.clone());
                ""
            }
            None if matches!(of.end, Fact::NotRead(_)) => return,
            Some(PipelineEnd::Succeeded) | None => return findings.checked(subject, None),
        };
        let problem = execution_problem(action, &environment.id, &self.project_id);
        findings.add_check(subject, Condition::Failed(problem));
    }

    /// The parts of the stack that a person has deleted, and a branch that is not readable.
    fn add_parts(&self, child: &Child, findings: &mut Findings) {
        note(&self.looked, findings);
        let (Some(looked), Some(settings)) = (self.looked.known(), &child.settings) else {
            return;
        };
        if let Some(branch) = &looked.unread_branch {
            let because = "only the health check reads a repository of another account";
            findings.not_looked_at(branch.clone(), because.to_owned());
        }
        for part in &looked.missing {
            let problem = part_problem(*part, child, settings, &self.stack_id, !self.is_orphan());
            findings.missing(self.subject(), problem);
        }
    }

    /// The event rules that a person has disabled, and those whose state is unknown.
    fn add_rules(&self, findings: &mut Findings) {
        note(&self.rules, findings);
        let Some((rules, settings)) = self.rules.known().zip(self.settings()) else {
            return;
        };
        let names = &settings.names;
        for DeclaredRule { rule, state } in rules {
            match state {
                RuleState::Disabled => {
                    let subject = format!("pipeline {}", self.pipeline_name);
                    findings.held(subject, Hold::Rule(*rule, names.clone()));
                }
                RuleState::Unknown(state) => {
                    let part = format!("the state of event rule {}", rule.name(names));
                    findings.failed(unknown_value(&part, state));
                }
                RuleState::Enabled | RuleState::Missing => {}
            }
        }
    }

    /// The stack itself, and its owner.
    fn add_stack(&self, child: &Child, environment: &Environment, findings: &mut Findings) {
        note(&self.owner.resource, findings);
        note_unknown(&self.stack_name, &child.status, findings);
        if self.is_orphan() {
            return findings.checked(self.subject(), Some(orphan_problem(child)));
        }
        if let Some(owner) = &self.owner.stack {
            note_unknown(&owner.name, &owner.status, findings);
            // That of the environment is checked by itself.
            if environment.stack_id.as_ref() != Some(&owner.id) {
                let env_id = &environment.id;
                if let Some(problem) = owner_problem(&owner.status, env_id, &self.project_id) {
                    findings.checked(format!("stack {}", owner.name), Some(problem));
                }
            }
        }
        let is_whole = self.looked.known().is_none_or(|looked| looked.missing.is_empty());
        if let Some(problem) = stack_problem(&child.status, &self.stack_id) {
            findings.checked(self.subject(), Some(problem));
        } else if let Some(problem) = content_problem(child) {
            findings.missing(self.subject(), problem);
        } else if let Some(problem) = outdated_problem(child) {
            findings.add_check(self.subject(), Condition::Outdated(problem));
        } else if is_whole {
            findings.checked(self.subject(), None);
        }
    }

    fn subject(&self) -> String {
        stack_subject(&self.stack_name)
    }
}

/// Adds why a part was not read.
fn note<T>(part: &Fact<T>, findings: &mut Findings) {
    if let Fact::NotRead(reason) = part
        && !findings.failed.contains(reason)
    {
        findings.failed(reason.clone());
    }
}

/// Adds a status of a stack that this function does not know.
pub fn note_unknown(stack_name: &str, status: &StackStatus, findings: &mut Findings) {
    if let StackStatus::Unknown(text) = status {
        let part = format!("the status of stack {stack_name}");
        findings.failed(unknown_value(&part, text));
    }
}
