//! One project with one broken part, as each painter shows it: its row of the answer about all projects, the
//! doctor, and the health check with its alarms.

use std::collections::BTreeMap;
use std::time::Duration;

use cfn_gitops::answers::AskedAbout;
use expect_test::expect_file;
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
        child.outputs.retain(|name, _| name != output);
    });
}

fn without_tags(fake: &FakeAws) {
    fake.change(|aws| {
        let child = aws.stacks.named_mut(CHILD).expect("the child stack");
        child.tags.retain(|name, _| !name.starts_with("cfn-gitops:"));
    });
}

fn hang(fake: &FakeAws, operation: &'static str) {
    fake.break_from_now(On::Operation(operation), FaultKind::RequestHangs);
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

type Break = fn(&FakeAws);

const WORLDS: &[(&str, Break)] = &[
    ("nothing", |_| ()),
    ("outputs gone", |fake| {
        fake.change(|aws| aws.stacks.named_mut(CHILD).expect("it").outputs.clear());
    }),
    ("branch output gone", |fake| {
        without_output(fake, "BranchName");
    }),
    ("repository output gone", |fake| {
        without_output(fake, "RepositoryName");
    }),
    ("settings gone", |fake| {
        without_output(fake, "Settings");
    }),
    ("older rendering", |fake| {
        without_output(fake, "RenderingVersion");
    }),
    ("child stack deleted", |fake| {
        fake.change(|aws| drop(aws.pipelines.remove(PIPELINE)));
        set_status(fake, CHILD, "DELETE_COMPLETE");
    }),
    ("child stack not rolled back", |fake| {
        set_status(fake, CHILD, "UPDATE_ROLLBACK_FAILED");
    }),
    ("child stack of a future status", |fake| {
        set_status(fake, CHILD, "FUTURE");
    }),
    ("child stack without tags", without_tags),
    ("child stack without tags or a declaration", |fake| {
        without_tags(fake);
        fake.change(|aws| aws.stacks.declared.clear());
    }),
    ("child stack unread", |fake| {
        fake.break_from_now(On::Operation("DescribeStacks"), FaultKind::Denied);
    }),
    ("owner deleted", |fake| {
        fake.options(|options| options.resource_status = Some(""));
        set_status(fake, OWNER, "DELETE_COMPLETE");
    }),
    ("owner rolled back", |fake| {
        set_status(fake, OWNER, "UPDATE_ROLLBACK_COMPLETE");
    }),
    ("owner half updated", |fake| {
        set_status(fake, OWNER, "UPDATE_FAILED");
    }),
    ("rule disabled", |fake| {
        set_rule(fake, "DISABLED");
    }),
    ("rule of a future state", |fake| {
        set_rule(fake, "FUTURE");
    }),
    ("rule deleted", |fake| {
        fake.drift(CHILD, "EventRule", "DELETED");
    }),
    ("pipeline deleted", |fake| {
        fake.drift(CHILD, "Pipeline", "DELETED");
    }),
    ("transition disabled", |fake| {
        with_pipeline(fake, |it, _| it.disabled = vec![("Deploy", "a freeze")]);
    }),
    ("execution failed", |fake| {
        end(fake, "Build");
    }),
    ("execution rejected", |fake| {
        end(fake, "Approval");
    }),
    ("execution of a future status", |fake| {
        with_pipeline(fake, |pipeline, now| {
            pipeline.executions.push(Execution::with_status("e2".to_owned(), "FUTURE", now));
        });
    }),
    ("branch deleted", |fake| {
        fake.delete_branch(REPOSITORY, "main");
    }),
    ("push lost", |fake| {
        drop(fake.push_without_event(REPOSITORY, "main", "c2"));
    }),
    ("repository deleted", |fake| {
        fake.change(|aws| aws.codecommit.remove(REPOSITORY));
    }),
    ("CodePipeline hangs", |fake| {
        fake.break_from_now(On::Service(Service::CodePipeline), FaultKind::RequestHangs);
    }),
    ("list of executions hangs", |fake| {
        hang(fake, "ListPipelineExecutions");
    }),
    ("branch hangs after a failure", |fake| {
        end(fake, "Build");
        hang(fake, "GetBranch");
    }),
    ("rule hangs", |fake| {
        hang(fake, "DescribeRule");
    }),
];

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
    fn add_all(&mut self, painter: &'static str, list: &Value) {
        for each in list.as_array().into_iter().flatten() {
            let subject = each["Subject"].as_str();
            if let Some((of, text)) = subject.zip(each["Problem"].as_str()) {
                let (text, _) = text.split_once(", ").unwrap_or((text, ""));
                self.add(painter, format!("{of}: {text}"));
            } else if let Some(held) = each["Held"].as_str() {
                let (held, _) = held.split_once(": ").unwrap_or((held, ""));
                self.add(painter, format!("pipeline {PIPELINE}: {held}"));
            } else if each.get("Problem").is_some() {
                self.add(painter, "something is not read".to_owned());
            }
        }
    }

    /// Those of a row's members.
    fn add_row(&mut self, row: &Value) {
        for member in ["Problems", "Mirrors", "Holds", "NotRead"] {
            self.add_all("row", &row[member]);
        }
        let members = ["Owner", "Holds", "Freeze", "Newest"];
        let lacks: Vec<&str> = members.into_iter().filter(|it| row.get(*it).is_none()).collect();
        if !lacks.is_empty() {
            self.add("row", format!("no {}", lacks.join(", ")));
        }
        if let Some(action) = row["Failure"]["Action"].as_str() {
            let failed =
                format!("an execution has failed in action {action} since the last success");
            self.add("row", format!("pipeline {PIPELINE}: {failed}"));
        }
        if row["IsOutdated"] == true {
            self.add(
                "row",
                format!("pipeline stack {CHILD}: its rendering has version 0"),
            );
        }
    }
}

/// The findings of each painter, and the alarms.
async fn shown(fake: &FakeAws) -> Shown {
    let mut shown = Shown::default();
    let projects = answer(fake, &AskedAbout::Projects(None), TIME).await;
    shown.add_all("row", &projects["NotRead"]);
    match projects["Projects"].as_array().and_then(|rows| rows.first()) {
        Some(row) => shown.add_row(row),
        None => shown.add("row", "no row".to_owned()),
    }
    let doctor = diagnose(fake, TIME).await;
    shown.add_all("doctor", &doctor["Checks"]);
    shown.add_all("doctor", &doctor["NotChecked"]);
    let looked = look(fake).await;
    shown.add_all("check", &looked.summary["Unhealthy"]);
    shown.add_all("check", &looked.summary["NotChecked"]);
    for alarm in alarms::raised(&[looked]) {
        shown.add(alarm.leak(), "alarm".to_owned());
    }
    shown
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
    for (world, break_part) in WORLDS {
        let fake = sound.fork();
        break_part(&fake);
        lines.push((*world).to_owned());
        for (finding, painters) in shown(&fake).await.0 {
            let painters = painters.join(", ").replace("row, doctor, check", "all");
            lines.push(format!("  {painters}: {finding}"));
        }
    }
    expect_file!["worlds.txt"].assert_eq(&redacted(&(lines.join("\n") + "\n")));
}
