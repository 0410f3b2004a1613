//! The row of a project, as far as it can be read.

use std::time::Duration;

use crate::clients::aws::CallError;
use crate::clients::cloudformation::StackStatus;
use crate::feedback::change_sets::Change;
use crate::gitops_pipeline::child::{Child, FoundChild};
use crate::gitops_pipeline::executions::declared;
use crate::gitops_pipeline::holds::{DeclaredRule, Hold, RuleState};
use crate::gitops_pipeline::names::ResourceNames;
use crate::gitops_pipeline::observe::pipeline_settings::PipelineSettings;
use crate::gitops_pipeline::settings::DeployedTarget;
use crate::health_check::answers::not_read::ReadLimit;
use crate::health_check::answers::shape::{self, Held, ShownFinding, ShownProject, Stack};
use crate::health_check::checker::Checker;
use crate::health_check::doctor::{part_problem, stack_problem};
use crate::health_check::findings::unknown_value;
use crate::health_check::stacks::{ListedStack, Stacks};
use cfn_custom_resource::Reason;

/// The most time for one part of a row, so that a call that hangs hides no other part.
pub const PART_TIME: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct Row {
    pub shown: ShownProject,
    /// The ID of the stack with its resource. `None` if it is not known.
    pub owner: Option<String>,
    /// Those of its pipeline. `None` if it has none.
    pub settings: Option<PipelineSettings>,
    /// The changes of the one with a change set. `None` if there is none.
    pub waiting: Option<Vec<Change>>,
    /// The names of the event rules that exist. `None` if they were not read.
    pub rules: Option<Vec<String>>,
    holds: Vec<Held>,
    /// Whether the states of the event rules and of the transitions were read.
    has_read_rules: bool,
    pub has_read_transitions: bool,
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
        thing: String,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Option<T> {
        let read = ReadLimit::after(PART_TIME).read(thing, work).await;
        read.map_err(|reason| self.not_read(reason)).ok()
    }

    /// Notes that the pipeline does not exist.
    pub fn has_no_pipeline(&mut self) {
        self.shown.has_pipeline = Some(false);
        self.has_read_transitions = true;
        self.add_freeze(None, Some(&[]));
    }

    /// Whether everything was read.
    pub fn is_whole(&self) -> bool {
        self.shown.not_read.is_empty()
    }

    /// Notes a status that this function does not know.
    pub fn check_status(&mut self, stack_name: &str, status: &StackStatus) {
        if let StackStatus::Unknown(text) = status {
            self.not_read(unknown_value(
                &format!("the status of stack {stack_name}"),
                text,
            ));
        }
    }

    /// Adds the event rules that were `found`, and those that a person has disabled.
    fn add_rules(&mut self, found: &[DeclaredRule], names: &ResourceNames) {
        self.has_read_rules = true;
        for DeclaredRule { rule, state } in found {
            match state {
                RuleState::Disabled => self.hold(&Hold::Rule(*rule, names.clone())),
                RuleState::Unknown(text) => {
                    self.has_read_rules = false;
                    self.not_read(unknown_value(
                        &format!("the state of event rule {}", rule.name(names)),
                        text,
                    ));
                }
                RuleState::Enabled | RuleState::Missing => {}
            }
        }
        let existing = found.iter().filter(|it| it.state != RuleState::Missing);
        self.rules = Some(existing.map(|it| it.rule.name(names)).collect());
    }

    /// Adds a freeze. One of an event rule has no time and no person.
    pub fn hold(&mut self, hold: &Hold) {
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
        self.holds.push(shown);
    }

    pub fn project(mut self) -> ShownProject {
        if !self.holds.is_empty() || self.has_read_rules && self.has_read_transitions {
            self.shown.holds = Some(self.holds);
        }
        self.shown
    }
}

impl Checker<'_> {
    /// Reads the project `project_id`, whose pipeline's stack is `name`. `None` if that does not
    /// exist.
    pub(super) async fn read_row(
        &self,
        name: &str,
        project_id: &str,
        stacks: Option<&Stacks>,
    ) -> Option<Row> {
        let listed = stacks.and_then(|stacks| stacks.named(name));
        let mut row = Row::new(project_id);
        if let Some(listed) = listed {
            row.shown.child_stack = Some(Stack::new(name, &listed.status));
        }
        let finding = self.gitops_pipeline.find_child(name);
        let child = match row.read(format!("stack {name}"), finding).await {
            None => return Some(row),
            Some(FoundChild::Absent) => return None,
            Some(FoundChild::Untagged(_)) => {
                row.problem(&subject(name), &self.untagged_problem());
                return Some(row);
            }
            Some(FoundChild::Owned(child)) => *child,
        };
        row.shown.child_stack = Some(Stack::new(name, &child.status));
        row.check_status(name, &child.status);
        let is_owned = match stacks {
            Some(stacks) => self.add_owner(&mut row, name, &child, stacks).await,
            None => true,
        };
        self.add_child(&mut row, name, &child, listed);
        let Some(settings) = &child.settings else {
            return Some(row);
        };
        // First, so that the failure of another part does not hide what a person froze.
        let rules = self.look_at_rules(&child);
        let rules = row.read(format!("the event rules of stack {name}"), rules).await;
        if let Some(rules) = &rules {
            row.add_rules(rules, &settings.names);
        }
        let rules = rules.unwrap_or_default();
        let looking = Box::pin(self.look_at_pipeline(name, &child, &rules));
        if let Some(looked) = row.read(format!("the parts of stack {name}"), looking).await {
            let id = listed.map_or(name, |listed| listed.id.as_str());
            for part in looked.missing {
                let problem = part_problem(part, &child, settings, id, is_owned);
                row.problem(&subject(name), &problem);
            }
        }
        if child.has_pipeline {
            let deployed = self.deployed(&mut row, settings).await;
            Box::pin(self.add_pipeline(&mut row, settings, deployed.as_ref())).await;
        } else {
            row.has_no_pipeline();
        }
        row.settings = Some(settings.clone());
        Some(row)
    }

    /// The stack that the pipeline deploys. `None` if it is not known.
    async fn deployed(&self, row: &mut Row, settings: &PipelineSettings) -> Option<DeployedTarget> {
        if let Some(known) = settings.deployed() {
            return Some(known);
        }
        let pipeline = &settings.names.pipeline();
        let reading = declared::read(&self.clients.aws, pipeline);
        row.read(format!("pipeline {pipeline}"), reading).await??.deployed
    }

    fn untagged_problem(&self) -> Reason {
        let problem = "no tags name the resource that owns it, so nothing is reported to GitLab, no lost push is \
            started, and every update and deletion fails";
        let remedy = format!(
            "If a resource of the environment declares it, see how to set its tags: `cfn-gitops doctor --env {}`. \
             Otherwise, delete it or give it another name",
            self.environment.id
        );
        Reason::uncoded(problem, remedy)
    }

    /// Adds the state of the pipeline's stack itself.
    fn add_child(&self, row: &mut Row, name: &str, child: &Child, listed: Option<&ListedStack>) {
        let id = listed.map_or(name, |listed| listed.id.as_str());
        row.shown.version = child.version;
        row.shown.is_outdated = child.version.map(|_| child.is_outdated());
        let of_status = stack_problem(&child.status, id);
        if let Some(problem) = of_status.or_else(|| self.content_problem(row, child)) {
            row.problem(&subject(name), &problem);
        }
        let Some(settings) = &child.settings else {
            return;
        };
        row.shown.pipeline = Some(settings.names.pipeline());
        row.shown.branch = Some(settings.branch.clone());
        row.shown.needs_function = Some(settings.properties_for_the_function());
    }

    /// Why the stack does not have the content of a pipeline's. `None` if it has, or while it is
    /// being created.
    fn content_problem(&self, row: &Row, child: &Child) -> Option<Reason> {
        if child.settings.is_some() || child.status == StackStatus::CreateInProgress {
            return None;
        }
        let (status, env_id) = (&child.status, &self.environment.id);
        let project_id = &row.shown.project_id;
        Some(if child.version.is_none() {
            let problem = format!("its status is {status}: it was never complete");
            let remedy =
                format!("See what failed: cfn-gitops failures {project_id} --env {env_id}");
            Reason::uncoded(problem, remedy)
        } else {
            let problem = "its name or its outputs are not those of a pipeline's stack";
            Reason::uncoded(
                problem,
                "If it is not of cfn-gitops, delete it or give it another name",
            )
        })
    }
}

/// The subject of a finding about a pipeline's stack.
fn subject(name: &str) -> String {
    format!("pipeline stack {name}")
}
