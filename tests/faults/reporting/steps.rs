//! The steps of a pipeline's executions.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};

use crate::account::PROPERTY;
use crate::fixture::{COMMITS, Reporting, Subject};
use fake_aws::{AwsState, Execution, FakeAws, Pipeline, ResourceChange};

/// The words of a story about executions: each changes one.
#[derive(Clone, Copy, Debug)]
pub enum ReportWord {
    /// It starts, and its source action has not read the commit yet.
    Start(&'static str),
    /// A rollback of an execution starts: it has its commit from the start, and no source action.
    Rollback(&'static str, usize, &'static str),
    /// Its source action has read this commit.
    Source(&'static str, usize),
    /// Its build ends, with an error if it fails, and without an event for the function.
    Build(&'static str, Option<&'static str>),
    /// Its build fails in CodeBuild, after it printed these lines.
    FailedBuild(&'static str, &'static [&'static str]),
    /// Its change set waits for an approval.
    Request(&'static str),
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

use ReportWord::{
    Approve, Build, Deploy, Deployed, End, FailedBuild, Reject, Request, Retry, Rollback, Source,
    Start,
};

const BUILD_PROJECT: &str = "codebuild-dev-cfn-shop";
const BUILD_ERROR: &str = "Build terminated with state: FAILED";
const MESSAGE: &str = "Error while executing command: npm test. Reason: exit status 1";

/// From the start to the waiting approval.
pub fn waiting(id: &'static str, commit: usize) -> [ReportWord; 4] {
    [Start(id), Source(id, commit), Build(id, None), Request(id)]
}

impl<'de> Deserialize<'de> for ReportWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let step = Map::deserialize(deserializer)?;
        let mut members = step.iter();
        let read = members.next().and_then(|(word, subject)| read(word, subject));
        let read = read.filter(|_| members.next().is_none());
        read.ok_or_else(|| D::Error::custom(format!("not a step: {step:?}")))
    }
}

/// A step of a story. Its subject is an execution, or an execution with more of it. A story is read
/// once, so its texts stay.
fn read(word: &str, subject: &Value) -> Option<ReportWord> {
    let stay = |text: &str| -> &'static str { text.to_owned().leak() };
    let nothing = Value::Null;
    let (id, more) = match subject {
        Value::String(id) => (id, &nothing),
        subject => subject.as_object()?.iter().next()?,
    };
    let (id, text) = (stay(id), more.as_str().map(stay));
    Some(match (word, text) {
        ("start", None) => Start(id),
        ("rollback", None) => {
            let failed = more["of"].as_str()?;
            Rollback(id, commit(more["to"].as_str()?)?, stay(failed))
        }
        ("source", Some(of)) => Source(id, commit(of)?),
        ("build", None) if more.is_object() => {
            let lines = more["prints"].as_array()?.iter();
            let lines: Option<Vec<&str>> = lines.map(|line| line.as_str().map(stay)).collect();
            FailedBuild(id, lines?.leak())
        }
        ("build", error) => Build(id, error),
        ("request", None) => Request(id),
        ("approve", None) => Approve(id),
        ("deploy", None) => Deploy(id),
        ("reject", None) => Reject(id),
        ("deployed", error) => Deployed(id, error),
        ("end", Some(status)) => End(id, status),
        ("retry", None) => Retry(id),
        _ => return None,
    })
}

/// The index of a commit of a story.
pub fn commit(name: &str) -> Option<usize> {
    ["c1", "c2"].iter().position(|one| *one == name)
}

impl ReportWord {
    /// The subject of its event.
    pub fn subject(self) -> Subject {
        match self {
            Source(id, _) => (id, Some("Source")),
            Request(id) | Approve(id) | Reject(id) => (id, Some("Approval")),
            Deploy(id) | Deployed(id, _) => (id, Some("Deploy")),
            Start(id)
            | Rollback(id, ..)
            | End(id, _)
            | Retry(id)
            | Build(id, _)
            | FailedBuild(id, _) => (id, None),
        }
    }

    /// Whether the rule passes an event of it to the function.
    pub fn has_event(self) -> bool {
        !matches!(self, Build(..) | FailedBuild(..))
    }

    /// Changes the execution in the pipeline, a second after the former change.
    pub async fn take(self, fake: &FakeAws, of: Reporting) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.take_at_once(fake, of);
    }

    /// As [`take`](Self::take), within a schedule.
    pub fn take_at_once(self, fake: &FakeAws, of: Reporting) {
        if let FailedBuild(id, lines) = self {
            Build(id, Some(BUILD_ERROR)).take_at_once(fake, of);
            let build = fake.start_build(BUILD_PROJECT);
            fake.arrange(|aws| {
                let now = aws.now;
                let pipeline = aws.pipelines.get_mut(&of.pipeline()).expect("a pipeline");
                find(pipeline, id, now).run_as("Build", &build);
            });
            fake.fail_build(&build, "BUILD", MESSAGE, lines);
            return;
        }
        fake.change(|aws| self.change(aws, of));
    }

    fn change(self, aws: &mut AwsState, of: Reporting) {
        let now = aws.now;
        let key = of.change_set();
        if matches!(self, Request(_)) {
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
            Rollback(_, commit, failed) => {
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
            FailedBuild(..) => panic!("more than a change of the pipeline"),
            Request(_) => execution.begin("Approval", now),
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
