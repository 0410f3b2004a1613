//! Many projects at once, while CloudFormation answers only so many calls a second.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::checks::{assert_nothing_remains, ours, watch};
use crate::fixture::{fake, paused, stack};
use fake_aws::{Options, Rate, Service};

const PROJECTS: usize = 50;

fn project(index: usize) -> Value {
    json!({"EnvID": "dev", "ProjectID": format!("p{index}")})
}

#[test]
fn fifty_projects_are_created_and_deleted_under_throttling() {
    paused(async {
        let fake = fake(Options {
            rates: vec![Rate::of(Service::CloudFormation, 3.0, 10.0)],
            resource_takes: Duration::from_secs(10),
            ..Options::default()
        });
        watch(&fake, PROJECTS, &[]);
        for round in ["create", "delete"] {
            let began = fake.now();
            let mut running = JoinSet::new();
            for index in 0..PROJECTS {
                let fake = fake.clone();
                running.spawn(Box::pin(async move {
                    let mut stack = stack(&fake);
                    // One request among those of other projects: its own name and address.
                    stack.starts_counting_at(index * 100 + if round == "create" { 0 } else { 50 });
                    let answer = if round == "create" {
                        stack.create(&project(index)).await
                    } else {
                        let id = format!("gitops-dev-p{index}");
                        stack.resource = Some((id, project(index)));
                        stack.delete().await
                    };
                    (index, answer)
                }));
            }
            while let Some(done) = running.join_next().await {
                let (index, answer) = done.unwrap_or_else(|failure| {
                    std::panic::resume_unwind(failure.into_panic());
                });
                assert!(answer.is_success(), "{round} p{index}: {answer:?}");
            }
            let took = fake.now().duration_since(began).expect("forwards");
            let there = fake.look(|aws| ours(aws).len());
            assert_eq!(there, if round == "create" { PROJECTS } else { 0 });
            let journal = fake.journal();
            let throttled = journal
                .iter()
                .filter(|one| one.outcome.contains("Throttling"));
            fake_aws::figure!(
                "many: {round} of {PROJECTS} projects took {took:?} of CloudFormation's time, with \
                 {} calls so far, {} of them throttled",
                journal.len(),
                throttled.clone().count()
            );
            assert!(throttled.count() > 0, "nothing was throttled");
            assert!(took < Duration::from_mins(55));
        }
        assert_nothing_remains(&fake);
        let operations = ["CreateStack", "DeleteStack"].map(|operation| {
            let journal = fake.journal();
            let began = journal.iter();
            began
                .filter(|one| one.operation == operation && one.outcome == "ok")
                .count()
        });
        assert_eq!(operations, [PROJECTS, PROJECTS], "each begins once");
        fake.assert_unbroken();
    });
}
