//! Many projects of one repository.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::checks::{runs, watch};
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

/// Delivers the events of one push at the same time.
async fn deliver_at_once(fake: &FakeAws, reactions: &[Reaction], name: &str) {
    assert_eq!(reactions.len(), PROJECTS);
    let mut running = JoinSet::new();
    for (index, reaction) in reactions.iter().cloned().enumerate() {
        let (fake, name) = (fake.clone(), format!("{name}-{index}"));
        running.spawn(Box::pin(async move {
            deliver_events(&fake, &[reaction], &name).await;
        }));
    }
    while let Some(done) = running.join_next().await {
        done.expect("no panic in a delivery");
    }
}

#[test]
fn push_to_a_repository_of_fifty_projects_starts_one() {
    paused(async {
        let fake = fake(Options {
            rates: vec![Rate::of(Service::CloudFormation, 3.0, 10.0)],
            ..Options::default()
        });
        watch(&fake, PROJECTS, &[]);
        let mut creating = JoinSet::new();
        for index in 0..PROJECTS {
            let fake = fake.clone();
            creating.spawn(Box::pin(async move {
                let mut stack = stack(&fake);
                stack.starts_counting_at(index * 100);
                let answer = stack.create(&project(index)).await;
                assert!(answer.is_success(), "p{index}: {answer:?}");
            }));
        }
        while let Some(done) = creating.join_next().await {
            done.expect("no panic in a request");
        }
        let mut files: Vec<(String, &str)> = (0..PROJECTS)
            .map(|index| (format!("services/p{index}/a"), "1"))
            .collect();
        let push_all = |commit: &str, files: &[(String, &str)]| {
            let files: Vec<(&str, &str)> = files
                .iter()
                .map(|(path, text)| (path.as_str(), *text))
                .collect();
            fake.push_files(GIVEN, BRANCH, commit, &files)
        };
        deliver_at_once(&fake, &push_all("commit-1", &files), "first").await;
        let started = |commit: &str| -> Vec<String> {
            fake.look(|aws| {
                let names = aws.pipelines.keys();
                let has_run = |name: &&String| runs(aws, name).get(commit) == Some(&1);
                names.filter(has_run).cloned().collect()
            })
        };
        assert_eq!(
            started("commit-1").len(),
            PROJECTS,
            "the first push starts all"
        );
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
        fake.assert_unbroken();
    });
}
