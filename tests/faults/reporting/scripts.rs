//! The course of the executions of a pipeline, step by step.

use std::ops::Range;
use std::time::Duration;

use crate::account::PROPERTY;
use crate::checks::{check, check_with_notes};
use crate::fixture::{COMMITS, Reporting, SHOP, Subject, catch_up, deliver, deliver_once};
use fake_aws::{AwsState, Execution, FakeAws, Pipeline, ResourceChange};

/// A change of an execution.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// It starts, and its source action has not read the commit yet.
    Start(&'static str),
    /// A rollback of an execution starts: it has its commit from the start, and no source action.
    StartRollback(&'static str, usize, &'static str),
    /// Its source action has read this commit.
    Source(&'static str, usize),
    /// Its build ends, without an event for the function.
    Build(&'static str, Option<&'static str>),
    /// Its change set waits for an approval.
    Wait(&'static str),
    /// It is approved, and the deployment begins.
    Approve(&'static str),
    /// The deployment begins.
    Deploy(&'static str),
    /// The approval is rejected.
    Reject(&'static str),
    /// Its deployment ends, with an error if it fails.
    Deployed(&'static str, Option<&'static str>),
    /// It ends. Actions that run are abandoned.
    End(&'static str, &'static str),
    /// Its failed stage is retried.
    Retry(&'static str),
}

use Step::{
    Approve, Build, Deploy, Deployed, End, Reject, Retry, Source, Start, StartRollback, Wait,
};

/// The expected records of a commit at the end.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub commit: usize,
    /// The commit's newest execution.
    pub execution: &'static str,
    pub state: &'static str,
    pub approval: Option<&'static str>,
    pub deployment: Option<&'static str>,
}

/// A course of executions.
#[derive(Debug)]
pub struct Script {
    pub name: &'static str,
    pub steps: Vec<Step>,
    pub expected: Vec<Expected>,
    /// The number of changes that no event is about.
    pub left: usize,
}

const ROLLED_BACK: &str = "rolled back";
const BY_ALARM: &str = "rolled back by an alarm";
const FAILED: Option<&str> = Some("Table shop-orders already exists");

/// From the start to the waiting approval.
pub fn waiting(id: &'static str, commit: usize) -> [Step; 4] {
    [Start(id), Source(id, commit), Build(id, None), Wait(id)]
}

/// The script of this name.
pub fn script_of(name: &str) -> Script {
    let mut scripts = scripts().into_iter();
    scripts.find(|one| one.name == name).expect("a script")
}

/// One of each kind.
#[allow(clippy::too_many_lines)] // A list of scripts.
pub fn scripts() -> Vec<Script> {
    let unbuilt = |id, commit| [Source(id, commit), Wait(id)];
    let deployed = |id| [Approve(id), Deployed(id, None), End(id, "Succeeded")];
    let failed = |id| [Approve(id), Deployed(id, FAILED), End(id, "Failed")];
    let not_built = [Build("e1", Some("tests failed")), End("e1", "Failed")];
    let superseded = [
        Start("e2"),
        End("e1", "Superseded"),
        Source("e2", 1),
        Wait("e2"),
    ];
    let retried = [Retry("e1"), Wait("e1")];
    let rollback = [
        StartRollback("e3", 0, "e2"),
        Deploy("e3"),
        Deployed("e3", None),
        End("e3", "Succeeded"),
    ];
    let (success, failure) = (Some("success"), Some("failed"));
    let (pending, canceled) = (Some("pending"), Some("canceled"));
    vec![
        Script::new("deployed", &[&waiting("e1", 0), &deployed("e1")])
            .ends_with(0, "e1", "success", success, success),
        Script::new("waiting", &[&waiting("e1", 1)]).ends_with(1, "e1", "running", pending, None),
        Script::new(
            "rejected",
            &[&waiting("e1", 0), &[Reject("e1"), End("e1", "Failed")]],
        )
        .ends_with(0, "e1", "canceled", canceled, None),
        Script::new(
            "failed build",
            &[&[Start("e1"), Source("e1", 0)], &not_built],
        )
        .ends_with(0, "e1", "failed", None, None),
        Script::new("failed deployment", &[&waiting("e1", 0), &failed("e1")])
            .ends_with(0, "e1", "failed", success, failure),
        Script::new(
            "stopped while it waits",
            &[&waiting("e1", 0), &[End("e1", "Stopped")]],
        )
        .ends_with(0, "e1", "canceled", canceled, None),
        Script::new(
            "superseded",
            &[&waiting("e1", 0), &superseded, &deployed("e2")],
        )
        .ends_with(0, "e1", "canceled", canceled, None)
        .ends_with(1, "e2", "success", success, success),
        Script::new(
            "retried stage",
            &[&waiting("e1", 0), &failed("e1"), &retried, &deployed("e1")],
        )
        .ends_with(0, "e1", "success", success, success),
        Script::new(
            "retried stage that waits",
            &[&waiting("e1", 0), &failed("e1"), &retried],
        )
        .ends_with(0, "e1", "running", pending, failure),
        Script::new(
            ROLLED_BACK,
            &[
                &unbuilt("e1", 0),
                &deployed("e1"),
                &unbuilt("e2", 1),
                &failed("e2"),
                &rollback,
            ],
        )
        .ends_with(0, "e3", "success", None, success)
        .ends_with(1, "e2", "failed", success, failure),
        // The alarm changes an execution that has ended.
        Script::new(
            BY_ALARM,
            &[
                &unbuilt("e1", 0),
                &deployed("e1"),
                &unbuilt("e2", 1),
                &deployed("e2"),
                &rollback,
            ],
        )
        .ends_with(0, "e3", "success", None, success)
        .ends_with(1, "e2", "failed", success, success),
        Script::new(
            "second execution of the commit",
            &[
                &unbuilt("e1", 0),
                &failed("e1"),
                &waiting("e2", 0),
                &deployed("e2"),
            ],
        )
        .ends_with(0, "e2", "success", success, success),
    ]
}

/// Each pipeline's executions take the steps of a script. All events are lost.
pub async fn take_all(fake: &FakeAws, script: &str, pipelines: &[Reporting]) {
    for step in script_of(script).steps {
        for of in pipelines {
            step.take(fake, *of).await;
        }
    }
}

impl Script {
    pub fn new(name: &'static str, steps: &[&[Step]]) -> Self {
        Script {
            name,
            steps: steps.concat(),
            expected: vec![],
            // The note of the execution that was rolled back, and its status if it had succeeded.
            left: match name {
                BY_ALARM => 2,
                ROLLED_BACK => 1,
                _ => 0,
            },
        }
    }

    pub fn ends_with(
        mut self,
        commit: usize,
        execution: &'static str,
        state: &'static str,
        approval: Option<&'static str>,
        deployment: Option<&'static str>,
    ) -> Self {
        self.expected.push(Expected {
            commit,
            execution,
            state,
            approval,
            deployment,
        });
        self
    }

    /// Plays every step, and delivers the event of each once.
    pub async fn play(&self, fake: &FakeAws) {
        self.play_steps(fake, 0..self.steps.len()).await;
    }

    /// The same for some of the steps.
    pub async fn play_steps(&self, fake: &FakeAws, steps: Range<usize>) {
        for at in steps {
            let step = self.steps[at];
            step.take(fake, SHOP).await;
            if step.has_event() {
                deliver_once(fake, SHOP, step.subject(), &format!("event-{at}")).await;
            }
        }
    }

    /// Plays every step, and delivers its event as Lambda does. `change` happens between the step
    /// of this index and its event.
    pub async fn play_with(&self, fake: &FakeAws, changed: usize, change: impl Fn()) {
        for (at, step) in self.steps.iter().enumerate() {
            step.take(fake, SHOP).await;
            if at == changed {
                change();
            }
            if step.has_event() {
                deliver(fake, SHOP, step.subject(), &format!("event-{at}")).await;
            }
        }
    }

    /// The health check, after which GitLab shows the expected records.
    pub async fn ends(&self, fake: &FakeAws) {
        catch_up(fake, SHOP, "health check").await;
        check(fake, SHOP, &self.expected);
    }

    /// The same, and a second health check has nothing to post.
    pub async fn ends_for_good(&self, fake: &FakeAws) {
        self.ends(fake).await;
        let posted = catch_up(fake, SHOP, "second health check").await;
        assert_eq!(posted, 0, "posted again");
        check(fake, SHOP, &self.expected);
    }

    /// The rest of the script from this step, after two deliveries at once: both may have written a
    /// note.
    pub async fn ends_from(&self, fake: &FakeAws, from: usize) {
        self.play_steps(fake, from..self.steps.len()).await;
        catch_up(fake, SHOP, "health check").await;
        check_with_notes(fake, SHOP, &self.expected, 2);
    }
}

impl Step {
    /// The subject of its event.
    pub fn subject(self) -> Subject {
        match self {
            Source(id, _) => (id, Some("Source")),
            Wait(id) | Approve(id) | Reject(id) => (id, Some("Approval")),
            Deploy(id) | Deployed(id, _) => (id, Some("Deploy")),
            Start(id) | StartRollback(id, ..) | Build(id, _) | End(id, _) | Retry(id) => (id, None),
        }
    }

    /// Whether the rule passes an event of it to the function.
    pub fn has_event(self) -> bool {
        !matches!(self, Build(..))
    }

    /// Changes the execution in the pipeline, a second after the former change.
    pub async fn take(self, fake: &FakeAws, of: Reporting) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.take_at_once(fake, of);
    }

    /// As [`take`](Self::take), within a schedule.
    pub fn take_at_once(self, fake: &FakeAws, of: Reporting) {
        fake.change(|aws| self.change(aws, of));
    }

    fn change(self, aws: &mut AwsState, of: Reporting) {
        let now = aws.now;
        let waits = matches!(self, Wait(_));
        let key = of.change_set();
        if waits {
            aws.stacks.change_sets.insert(key, changes(), now);
        } else if matches!(self, Approve(_)) {
            let executed = aws.stacks.change_sets.execute(&key);
            if let Some(stack) = aws.stacks.named_mut(&key.0) {
                stack.change_set_id = executed;
            }
        }
        let pipeline = aws.pipelines.get_mut(&of.pipeline()).expect("a pipeline");
        let (id, _) = self.subject();
        let execution = find(pipeline, id, now);
        match self {
            Start(_) => execution.begin("Source", now),
            StartRollback(_, commit, failed) => {
                execution.revision = Some(COMMITS[commit].to_owned());
                execution.rolls_back = Some(failed.to_owned());
            }
            Source(_, commit) => {
                if execution.actions.is_empty() {
                    execution.begin("Source", now);
                }
                execution.end("Source", "Succeeded", None, now);
                execution.revision = Some(COMMITS[commit].to_owned());
            }
            Build(_, error) => {
                execution.begin("Build", now);
                let status = error.map_or("Succeeded", |_| "Failed");
                execution.end("Build", status, error, now);
            }
            Wait(_) => execution.begin("Approval", now),
            Approve(_) => {
                execution.end("Approval", "Succeeded", Some("fine"), now);
                execution.begin("Deploy", now);
            }
            Deploy(_) => execution.begin("Deploy", now),
            Reject(_) => execution.end("Approval", "Failed", Some("not today"), now),
            Deployed(_, None) => execution.end("Deploy", "Succeeded", None, now),
            Deployed(_, error) => execution.end("Deploy", "Failed", error, now),
            End(_, status) => {
                execution.status = status;
                execution.changed = now;
                for action in &mut execution.actions {
                    if action.status == "InProgress" {
                        action.status = "Abandoned";
                    }
                }
            }
            Retry(_) => {
                execution.status = "InProgress";
                execution.changed = now;
            }
        }
    }
}

/// The execution `id`, which begins if there is none.
fn find<'a>(pipeline: &'a mut Pipeline, id: &str, now: Duration) -> &'a mut Execution {
    let at = pipeline.executions.iter().position(|one| one.id == id);
    let at = at.unwrap_or_else(|| {
        let begun = Execution::with_status(id.to_owned(), "InProgress", now);
        pipeline.executions.push(begun);
        pipeline.executions.len() - 1
    });
    &mut pipeline.executions[at]
}

pub fn changes() -> Vec<ResourceChange> {
    let change = |action, logical_id, replacement| ResourceChange {
        action,
        logical_id,
        resource_type: "AWS::DynamoDB::Table",
        replacement,
        value: PROPERTY,
    };
    vec![
        change("Add", "Carts", None),
        change("Modify", "Orders", Some("True")),
    ]
}
