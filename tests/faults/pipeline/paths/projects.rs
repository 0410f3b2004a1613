//! Many projects of one repository, while CloudFormation answers only so many calls a second.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::checks::{assert_nothing_remains, ours, runs, watch};
use crate::fixture::{BRANCH, GIVEN, deliver_events, fake, paused, stack};
use fake_aws::{FakeAws, Options, Rate, Reaction, Service};

const PROJECTS: usize = 50;

fn project(index: usize) -> Value {
    let paths = json!({"Includes": [format!("services/p{index}/**")]});
    json!({
        "EnvID": "dev",
        "ProjectID": format!("p{index}"),
        "BranchMap": {"dev": BRANCH},
        "Source": {"RepositoryName": GIVEN, "Paths": paths},
    })
}

/// Creates or deletes all projects at once.
async fn request_each(fake: &FakeAws, creates: bool) {
    let (began, before) = (fake.now(), fake.journal().len());
    let requests = (0..PROJECTS).map(|index| {
        let fake = fake.clone();
        Box::pin(async move {
            let mut stack = stack(&fake);
            // One request among those of other projects: its own name and address.
            stack.starts_counting_at(index * 100 + usize::from(creates));
            let answer = if creates {
                stack.create(&project(index)).await
            } else {
                stack.resource = Some((format!("gitops-dev-p{index}"), project(index)));
                stack.delete().await
            };
            assert!(answer.is_success(), "p{index}: {answer:?}");
        })
    });
    requests.collect::<JoinSet<()>>().join_all().await;
    let took = fake.now().duration_since(began).expect("forwards");
    let calls = fake.journal().split_off(before);
    let throttled = calls.iter().filter(|one| one.outcome.contains("Throttling")).count();
    let operation = if creates {
        "CreateStack"
    } else {
        "DeleteStack"
    };
    fake_aws::figure!(
        "many: {operation} of {PROJECTS} projects took {took:?} of CloudFormation's time, with {} \
         calls, {throttled} of them throttled",
        calls.len()
    );
    assert!(throttled > 0, "nothing was throttled");
    assert!(took < Duration::from_mins(55));
    let begins = |one: &&fake_aws::Entry| one.operation == operation && one.outcome == "ok";
    let operations = calls.iter().filter(begins).count();
    assert_eq!(operations, PROJECTS, "each begins once");
    let there = fake.look(|aws| ours(aws).len());
    assert_eq!(there, if creates { PROJECTS } else { 0 });
}

/// Delivers the events of one push at the same time.
async fn deliver_at_once(fake: &FakeAws, reactions: &[Reaction], name: &str) {
    assert_eq!(reactions.len(), PROJECTS);
    let deliveries = reactions.iter().cloned().enumerate();
    let deliveries = deliveries.map(|(index, reaction)| {
        let (fake, name) = (fake.clone(), format!("{name}-{index}"));
        Box::pin(async move { deliver_events(&fake, &[reaction], &name).await })
    });
    deliveries.collect::<JoinSet<()>>().join_all().await;
}

#[test]
fn push_to_a_repository_of_fifty_projects_starts_one() {
    paused(async {
        let fake = fake(Options {
            rates: vec![Rate::of(Service::CloudFormation, 3.0, 10.0)],
            resource_takes: Duration::from_secs(10),
            ..Options::default()
        });
        watch(&fake, PROJECTS, &[]);
        request_each(&fake, true).await;
        let mut files: Vec<(String, &str)> =
            (0..PROJECTS).map(|index| (format!("services/p{index}/a"), "1")).collect();
        let push_all = |commit: &str, files: &[(String, &str)]| {
            let files = files.iter().map(|(path, text)| (path.as_str(), *text));
            fake.push_files(GIVEN, BRANCH, commit, &files.collect::<Vec<_>>())
        };
        deliver_at_once(&fake, &push_all("commit-1", &files), "first").await;
        let started = |commit: &str| -> Vec<String> {
            fake.look(|aws| {
                let names = aws.pipelines.keys();
                let has_run = |name: &&String| runs(aws, name).get(commit) == Some(&1);
                names.filter(has_run).cloned().collect()
            })
        };
        let first = started("commit-1").len();
        assert_eq!(first, PROJECTS, "the first push starts all");
        files[7].1 = "2";
        let before = fake.journal().len();
        let reactions = push_all("commit-2", &files);
        deliver_at_once(&fake, &reactions, "second").await;
        assert_eq!(started("commit-2"), ["codepipeline-dev-cfn-p7"]);
        let calls = fake.journal().len() - before;
        deliver_at_once(&fake, &reactions, "repeated").await;
        assert_eq!(started("commit-2"), ["codepipeline-dev-cfn-p7"]);
        fake_aws::figure!(
            "paths: a push to a repository of {PROJECTS} projects makes {calls} calls"
        );
        request_each(&fake, false).await;
        assert_nothing_remains(&fake);
        fake.assert_unbroken();
    });
}
