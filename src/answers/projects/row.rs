//! The row of a project, as far as it can be read.

use crate::answers::shape::{self, Held, ShownFinding, ShownOwner, ShownProject, Stack};
use crate::clients::aws::CallError;
use crate::common::ownership::Owner;
use crate::feedback::change_sets::Change;
use crate::gitops_pipeline::holds::{DeclaredRule, Hold, RuleState};
use crate::health_check::checker::Checker;
use crate::health_check::facts::{Fact, ProjectFacts};
use crate::health_check::findings::{Condition, Findings};
use crate::health_check::listed_stacks::{ListedStack, Stacks};
use crate::health_check::read_limit::ReadLimit;
use cfn_custom_resource::Reason;

#[derive(Debug, Default)]
pub struct Row {
    pub shown: ShownProject,
    /// The changes of the one with a change set. `None` if there is none.
    pub waiting: Option<Vec<Change>>,
}

impl Row {
    pub fn new(project_id: &str) -> Self {
        Row {
            shown: ShownProject {
                project_id: project_id.to_owned(),
                ..ShownProject::default()
            },
            ..Row::default()
        }
    }

    /// The row of a project that there was no time to read.
    pub fn out_of_time(project_id: &str) -> Self {
        let mut row = Row::new(project_id);
        let problem = "there was no time to read it";
        row.not_read(Reason::uncoded(
            problem,
            "Ask again, or for this project alone",
        ));
        row
    }

    pub fn problem(&mut self, subject: &str, problem: &Reason) {
        self.shown.problems.push(ShownFinding {
            subject: subject.to_owned(),
            problem: problem.into(),
        });
    }

    pub fn not_read(&mut self, why: impl Into<Reason>) {
        let why = why.into();
        warn!(why, "a part of a project is not read");
        self.shown.not_read.push((&why).into());
    }

    /// The result of the read of a `thing`. `None` if it failed or took too long, which is noted.
    pub async fn read<T>(
        &mut self,
        limit: ReadLimit,
        thing: String,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Option<T> {
        let read = limit.read(thing, work).await;
        read.map_err(|reason| self.not_read(reason)).ok()
    }

    /// Adds findings. A failed execution, an older rendering and each hold have members of their own.
    pub fn add_findings(&mut self, findings: Findings) {
        for check in findings.checks {
            match check.condition {
                Condition::Unhealthy(problem) | Condition::Missing(problem) => {
                    self.problem(&check.subject, &problem);
                }
                Condition::Held(hold) => add_hold(self.shown.holds.get_or_insert_default(), &hold),
                Condition::Healthy
                | Condition::Failed(_)
                | Condition::Outdated(_)
                | Condition::NotLookedAt(_) => {}
            }
        }
        findings.failed.into_iter().for_each(|reason| self.not_read(reason));
        if let Some(holds) = &mut self.shown.holds {
            holds.sort_by_key(|hold| hold.rule.is_none());
        }
    }

    /// The ID of the stack with its resource. `None` if it is not known.
    pub fn owner_id(&self) -> Option<&String> {
        self.shown.owner.as_ref().map(|owner| &owner.stack_id)
    }

    /// Adds the owner, whose stack was `listed`.
    pub fn set_owner(&mut self, owner: &Owner, listed: Option<&ListedStack>, exists: bool) {
        let id = &owner.stack_id;
        self.shown.owner = Some(ShownOwner {
            stack_name: id.split('/').nth(1).unwrap_or(id).to_owned(),
            stack_id: id.clone(),
            logical_id: shape::text(&owner.logical_id),
            status: listed.map(|it| it.status.to_string()),
            exists: exists || listed.is_some(),
        });
    }

    /// Adds the stack, as the look shows it.
    fn add_stack(&mut self, facts: &ProjectFacts, stacks: Option<&Stacks>) {
        let listed = stacks.and_then(|stacks| stacks.named(&facts.stack_name));
        let child = facts.owned();
        let status = child.map(|it| &it.status).or(listed.map(|it| &it.status));
        self.shown.child_stack = status.map(|status| Stack::new(&facts.stack_name, status));
        let Some(child) = child else { return };
        if stacks.is_some() {
            let exists = !facts.owner.resource.is_absent();
            self.set_owner(&child.owner, facts.owner.stack.as_ref(), exists);
        }
        self.shown.version = child.version;
        self.shown.is_outdated = child.version.map(|_| child.is_outdated());
        let Some(settings) = &child.settings else {
            return;
        };
        self.shown.pipeline = Some(settings.names.pipeline());
        self.shown.branch = Some(settings.branch.clone());
        self.shown.needs_function = Some(settings.properties_for_the_function());
        let is_known = |rule: &DeclaredRule| !matches!(rule.state, RuleState::Unknown(_));
        let has_read_rules = facts.rules.known().is_some_and(|rules| rules.iter().all(is_known));
        let has_read_state = !matches!(facts.pipeline.state, Fact::NotRead(_));
        self.shown.holds = (has_read_rules && has_read_state).then(Vec::new);
        let is_gone = facts.pipeline.state.is_absent() || facts.pipeline.executions.is_absent();
        self.shown.has_pipeline = Some(!is_gone);
        self.add_freeze(facts, settings);
    }
}

/// Adds a freeze, once. One of an event rule has no time and no person.
fn add_hold(holds: &mut Vec<Held>, hold: &Hold) {
    let mut shown = Held {
        held: hold.part(),
        remedy: hold.remedy(),
        ..Held::default()
    };
    match hold {
        Hold::Rule(rule, names) => shown.rule = Some(rule.name(names)),
        Hold::Transition(transition) => {
            shown.stage = Some(transition.stage.clone());
            shown.since = transition.since.map(Into::into);
            shown.by = shape::text(&transition.by);
            shown.reason = shape::text(&transition.reason);
        }
    }
    if holds.iter().all(|known| known.held != shown.held) {
        holds.push(shown);
    }
}

impl Checker<'_> {
    /// Looks at the project. It has no row if its pipeline's stack does not exist.
    pub(super) async fn read_row(
        &self,
        project_id: &str,
        stacks: Option<&Stacks>,
        limit: ReadLimit,
    ) -> (Option<Row>, ProjectFacts) {
        let facts = Box::pin(self.look_at_project(project_id, stacks, limit)).await;
        if facts.child.is_absent() {
            return (None, facts);
        }
        let mut row = Row::new(project_id);
        row.add_stack(&facts, stacks);
        let mut findings = facts.findings(self.environment);
        findings.add(facts.unknown_statuses());
        row.add_findings(findings);
        if let Some(settings) = facts.settings()
            && row.shown.has_pipeline == Some(true)
        {
            Box::pin(self.add_pipeline(&mut row, &facts, settings, limit)).await;
        }
        (Some(row), facts.without_executions())
    }
}
