//! One project with one broken part, as each painter shows it: its row of the answer about all projects, the
//! doctor, and the health check with its alarms.

use std::collections::BTreeMap;
use std::time::Duration;

use cfn_gitops::health_check::AskedAbout;
use expect_test::expect;
use serde_json::{Value, json};

use crate::alarms;
use crate::fixture::{REPOSITORY, answer, declare, diagnose, look, project_world};
use fake_aws::{Execution, FakeAws, FaultKind, On, Pipeline, Service, redacted};

const CHILD: &str = "gitops-dev-infra";
const OWNER: &str = "infra";
const PIPELINE: &str = "codepipeline-dev-cfn-infra";
const TIME: Duration = Duration::from_secs(290);

fn set_status(fake: &FakeAws, name: &str, status: &'static str) {
    fake.change(|aws| aws.stacks.named_mut(name).expect("a stack").status = status);
}

fn without_output(fake: &FakeAws, output: &str) {
    fake.change(|aws| {
        let child = aws.stacks.named_mut(CHILD).expect("the child stack");
        child.outputs.retain(|name, _| !output.is_empty() && name != output);
    });
}

fn set_rule(fake: &FakeAws, state: &str) {
    fake.change(|aws| {
        let rules = aws.made.iter_mut().filter(|((kind, _), _)| kind == "AWS::Events::Rule");
        rules.for_each(|(_, rule)| rule.properties["State"] = json!(state));
    });
}

fn with_pipeline(fake: &FakeAws, change: impl FnOnce(&mut Pipeline, Duration)) {
    fake.change(|aws| {
        let now = aws.now;
        change(aws.pipelines.get_mut(PIPELINE).expect("the pipeline"), now);
    });
}

/// The newest execution ended so in this action.
fn end(fake: &FakeAws, action: &'static str) {
    with_pipeline(fake, |pipeline, now| {
        let mut execution = Execution::with_status("e2".to_owned(), "Failed", now);
        execution.begin(action, now);
        execution.end(action, "Failed", Some("no"), now);
        pipeline.executions.push(execution);
    });
}

const WORLDS: &[&str] = &[
    "nothing",
    "outputs gone",
    "branch output gone",
    "repository output gone",
    "older rendering",
    "child stack deleted",
    "child stack half updated",
    "child stack not rolled back",
    "child stack of a future status",
    "child stack without tags",
    "child stack of nobody",
    "child stack unread",
    "owner deleted",
    "owner rolled back",
    "owner half updated",
    "rule disabled",
    "rule of a future state",
    "rule deleted",
    "pipeline deleted",
    "transition disabled",
    "execution failed",
    "execution rejected",
    "execution of a future status",
    "branch deleted",
    "push lost",
    "repository deleted",
    "CodePipeline hangs",
    "EventBridge hangs",
];

fn break_part(fake: &FakeAws, world: &str) {
    match world {
        "nothing" => {}
        "outputs gone" => without_output(fake, ""),
        "branch output gone" => without_output(fake, "BranchName"),
        "repository output gone" => without_output(fake, "RepositoryName"),
        "older rendering" => without_output(fake, "RenderingVersion"),
        "child stack deleted" => {
            fake.change(|aws| drop(aws.pipelines.remove(PIPELINE)));
            set_status(fake, CHILD, "DELETE_COMPLETE");
        }
        "child stack half updated" => set_status(fake, CHILD, "UPDATE_FAILED"),
        "child stack not rolled back" => set_status(fake, CHILD, "UPDATE_ROLLBACK_FAILED"),
        "child stack of a future status" => set_status(fake, CHILD, "UPDATE_PAUSED"),
        "child stack without tags" => fake.change(|aws| {
            let child = aws.stacks.named_mut(CHILD).expect("the child stack");
            child.tags.retain(|name, _| !name.starts_with("cfn-gitops:"));
        }),
        "child stack of nobody" => {
            break_part(fake, "child stack without tags");
            fake.change(|aws| aws.stacks.imports.clear());
        }
        "child stack unread" => {
            fake.break_from_now(On::Operation("DescribeStacks"), FaultKind::Denied);
        }
        "owner deleted" => {
            fake.options(|options| options.resource_status = Some(""));
            set_status(fake, OWNER, "DELETE_COMPLETE");
        }
        "owner rolled back" => set_status(fake, OWNER, "UPDATE_ROLLBACK_COMPLETE"),
        "owner half updated" => set_status(fake, OWNER, "UPDATE_FAILED"),
        "rule disabled" => set_rule(fake, "DISABLED"),
        "rule of a future state" => set_rule(fake, "FUTURE"),
        "rule deleted" => fake.drift(CHILD, "EventRule", "DELETED"),
        "pipeline deleted" => fake.drift(CHILD, "Pipeline", "DELETED"),
        "transition disabled" => {
            with_pipeline(fake, |it, _| it.disabled = vec![("Deploy", "a freeze")]);
        }
        "execution failed" => end(fake, "Build"),
        "execution rejected" => end(fake, "Approval"),
        "execution of a future status" => with_pipeline(fake, |pipeline, now| {
            let execution = Execution::with_status("e2".to_owned(), "FUTURE", now);
            pipeline.executions.push(execution);
        }),
        "branch deleted" => fake.delete_branch(REPOSITORY, "main"),
        "push lost" => drop(fake.push_without_event(REPOSITORY, "main", "c2")),
        "repository deleted" => fake.change(|aws| aws.codecommit.remove(REPOSITORY)),
        "CodePipeline hangs" => {
            fake.break_from_now(On::Service(Service::CodePipeline), FaultKind::RequestHangs);
        }
        "EventBridge hangs" => {
            fake.break_from_now(On::Operation("DescribeRule"), FaultKind::RequestHangs);
        }
        other => panic!("{other}"),
    }
}

/// The findings of each painter.
#[derive(Default)]
struct Shown(BTreeMap<String, Vec<&'static str>>);

impl Shown {
    fn add(&mut self, painter: &'static str, finding: String) {
        let painters = self.0.entry(finding).or_default();
        if !painters.contains(&painter) {
            painters.push(painter);
        }
    }

    /// Those of a list of an answer: problems, and parts that a person holds.
    fn add_all(&mut self, painter: &'static str, mark: &str, list: &Value) {
        for each in list.as_array().into_iter().flatten() {
            let of = each["Subject"].as_str().map_or(String::new(), |it| format!("{it}: "));
            if let Some(text) = each["Problem"].as_str() {
                let end = if mark.is_empty() { "" } else { "…" };
                let text = if mark.is_empty() {
                    text
                } else {
                    &text[..text.len().min(60)]
                };
                self.add(painter, format!("{mark}{of}{text}{end}"));
            } else if let Some(held) = each["Held"].as_str() {
                let (held, _) = held.split_once(": ").unwrap_or((held, ""));
                self.add(painter, format!("pipeline {PIPELINE}: {held}"));
            }
        }
    }

    /// Those of a row's members.
    fn add_row(&mut self, row: &Value) {
        for member in ["Problems", "Mirrors", "Holds"] {
            self.add_all("row", "", &row[member]);
        }
        self.add_all("row", "? ", &row["NotRead"]);
        if let Some(action) = row["Failure"]["Action"].as_str() {
            let failed =
                format!("an execution has failed in action {action} since the last success");
            self.add("row", format!("pipeline {PIPELINE}: {failed}"));
        }
        if row["IsOutdated"] == true {
            self.add(
                "row",
                format!(
                    "pipeline stack {CHILD}: its rendering has version 0, and this function's is 1"
                ),
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn painters_agree_about_each_broken_part() {
    let (sound, mirror) = project_world().await;
    declare(&mirror);
    sound.change(|aws| {
        let declared = aws.stacks.declared.iter_mut().find(|((_, id), _)| id == "Project");
        let (_, project) = declared.expect("the pipeline's resource");
        (project.status, project.physical_id) = ("CREATE_COMPLETE", CHILD.to_owned());
        let export = "cfn-gitops-dev-ServiceToken".to_owned();
        aws.stacks.imports.insert(export, vec![OWNER.to_owned()]);
    });
    let mut lines = vec![];
    for world in WORLDS {
        let fake = sound.fork();
        break_part(&fake, world);
        let mut shown = Shown::default();
        let projects = answer(&fake, &AskedAbout::Projects(None), TIME).await;
        shown.add_all("row", "? ", &projects["NotRead"]);
        match projects["Projects"].as_array().and_then(|rows| rows.first()) {
            Some(row) => shown.add_row(row),
            None => shown.add("row", "no row".to_owned()),
        }
        let doctor = diagnose(&fake, TIME).await;
        shown.add_all("doctor", "", &doctor["Checks"]);
        shown.add_all("doctor", "? ", &doctor["NotChecked"]);
        let looked = look(&fake).await;
        shown.add_all("check", "", &looked.summary["Unhealthy"]);
        shown.add_all("check", "? ", &looked.summary["NotChecked"]);
        for alarm in alarms::raised(&[looked]) {
            shown.add(alarm.leak(), "alarm".to_owned());
        }
        lines.push((*world).to_owned());
        for (finding, painters) in shown.0 {
            let painters = painters.join(", ").replace("row, doctor, check", "all");
            lines.push(format!("  {painters}: {finding}"));
        }
    }
    expect![[r#"
        nothing
        outputs gone
          row: pipeline stack gitops-dev-infra: its status is UPDATE_COMPLETE: it was never complete
        branch output gone
          row: pipeline stack gitops-dev-infra: its name or its outputs are not those of a pipeline's stack
        repository output gone
          row: pipeline stack gitops-dev-infra: its name or its outputs are not those of a pipeline's stack
        older rendering
          all: pipeline stack gitops-dev-infra: its rendering has version 0, and this function's is 1
        child stack deleted
          MissingResourcesAlarm: alarm
          row: no row
          doctor, check: pipeline stack gitops-dev-infra: it does not exist, so pushes deploy nothing
        child stack half updated
          all: pipeline stack gitops-dev-infra: its status is UPDATE_FAILED: its update failed and was not rolled back, so CloudFormation accepts no other one
        child stack not rolled back
          all: pipeline stack gitops-dev-infra: its status is UPDATE_ROLLBACK_FAILED: its update failed and could not be rolled back
        child stack of a future status
          row: no row
        child stack without tags
          MissingResourcesAlarm: alarm
          doctor, check: pipeline stack gitops-dev-infra: its tags were removed, so nothing is reported to GitLab, no lost push is started, and every update and deletion fails
          row: pipeline stack gitops-dev-infra: no tags name the resource that owns it, so nothing is reported to GitLab, no lost push is started, and every update and deletion fails
        child stack of nobody
          MissingResourcesAlarm: alarm
          doctor, check: pipeline stack gitops-dev-infra: its tags were removed, so nothing is reported to GitLab, no lost push is started, and every update and deletion fails
          row: pipeline stack gitops-dev-infra: no tags name the resource that owns it, so nothing is reported to GitLab, no lost push is started, and every update and deletion fails
        child stack unread
          all: ? looking up stack gitops-dev-infra: AccessDenied: User: arn:a…
        owner deleted
          all: pipeline stack gitops-dev-infra: it is without an owner: resource Project of stack arn:aws:cloudformation:eu-central-1:123456789012:stack/infra/<uuid> no longer exists
        owner rolled back
          row: stack infra: its status is UPDATE_ROLLBACK_COMPLETE: its latest update failed and was rolled back
        owner half updated
          row: stack infra: its status is UPDATE_FAILED: its latest update failed
        rule disabled
          row, doctor: pipeline codepipeline-dev-cfn-infra: held by the disabled event rule event-rule-dev-codepipeline-exec-cfn-infra
        rule of a future state
          all: ? the state of event rule event-rule-dev-codepipeline-exec-cfn…
        rule deleted
          MissingResourcesAlarm: alarm
          all: pipeline stack gitops-dev-infra: its event rule does not exist, so only the health check starts a push
        pipeline deleted
          MissingResourcesAlarm: alarm
          all: pipeline stack gitops-dev-infra: its pipeline does not exist, so pushes deploy nothing
        transition disabled
          row, doctor: pipeline codepipeline-dev-cfn-infra: held by the disabled transition into stage Deploy
        execution failed
          PipelinesAlarm: alarm
          all: pipeline codepipeline-dev-cfn-infra: an execution has failed in action Build since the last success
        execution rejected
        execution of a future status
          row: ? the status of execution e2 is FUTURE, which this version of …
          doctor: ? the status of the newest execution of pipeline codepipeline-…
        branch deleted
        push lost
          ForeignTipsAlarm: alarm
          doctor: branch main of pipeline codepipeline-dev-cfn-infra: no execution has its latest commit c2, which may have been pushed in the last minute
          all: branch main of repository codecommit-dev-cfn-infra: its commit c2 was never in the branch of GitLab's project platform/infra, so the mirror did not push it
        repository deleted
          MissingResourcesAlarm: alarm
          all: pipeline stack gitops-dev-infra: its repository does not exist, and CloudFormation does not restore it
          all: the mirror of project platform/infra to repository codecommit-dev-cfn-infra: repository codecommit-dev-cfn-infra does not exist
        CodePipeline hangs
          row: ? CodePipeline GetPipelineState: no response, 2 attempts; ther…
          row: ? CodePipeline ListPipelineExecutions: no response, 2 attempts…
          doctor, check: ? listing the executions of pipeline codepipeline-dev-cfn-infr…
          doctor, check: ? listing the pipelines: AWS did not respond in time (codepipe…
        EventBridge hangs
          row: ? EventBridge DescribeRule: no response, 2 attempts; there was…
          doctor: ? looking up event rule event-rule-dev-cfn-gitops-health: AWS …
          doctor: ? looking up event rule event-rule-dev-cfn-gitops-report: AWS …
          doctor: ? looking up event rule event-rule-dev-cfn-gitops-review: AWS …
          doctor, check: ? looking up event rule event-rule-dev-codepipeline-exec-cfn-i…"#]].assert_eq(&redacted(&lines.join("\n")));
}
