//! The answer about a hundred projects, at the rates of AWS.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use cfn_custom_resource::Clock;
use cfn_gitops::clients::Clients;
use cfn_gitops::clients::http::Http;
use cfn_gitops::gitops_pipeline::GitOpsPipeline;
use cfn_gitops::gitops_pipeline::spec::FunctionApprovals;
use cfn_gitops::health_check::{Checker, Mode, Question, Schedule};
use cfn_gitops::mirror_credential::MirrorCredential;
use serde_json::{Value, json};

use crate::health::all_rates;
use crate::lambda::Distant;
use crate::projects::environment;
use crate::stacks::since;
use fake_aws::FakeAws;
use fake_aws::clients::sdk_config;
use fake_aws::explore::paused;

/// The pipelines' stacks were complete once, and their branches and event rules exist.
fn complete(fake: &FakeAws) {
    let stacks =
        fake.look(|aws| aws.stacks.all.values().map(|it| it.name.clone()).collect::<Vec<_>>());
    for name in stacks.iter().filter_map(|stack| stack.strip_prefix("gitops-dev-")) {
        fake.event_rule(&format!("event-rule-dev-codepipeline-exec-cfn-{name}"));
        fake.arrange(|aws| {
            let now = aws.now;
            let stack = aws.stacks.named_mut(&format!("gitops-dev-{name}")).expect("listed");
            stack.parameters.insert("BranchExists".to_owned(), "true".to_owned());
            for (output, value) in [
                ("BranchName", "main"),
                ("RenderingVersion", "2"),
                ("RepositoryName", &format!("codecommit-dev-{name}")),
            ] {
                stack.outputs.insert(output.to_owned(), value.to_owned());
            }
            stack.arrange("CREATE_COMPLETE", None, None, now);
        });
    }
}

async fn ask(fake: &FakeAws) -> Value {
    let question = json!({"Projects": {"EnvID": "dev"}}).to_string();
    let question = Question::parse(&question, &Value::Null, "").expect("valid");
    let question = question.expect("a question");
    let clock = Clock::starting_at(fake.now());
    let connector = SharedHttpConnector::new(Distant(fake.connector("reader")));
    let clients = &Clients::new(&sdk_config(connector.clone()), Http::new(connector), clock);
    let checker = Checker {
        environment: &question.environment,
        clients,
        mirror_credential: &MirrorCredential::new(clients.clone()),
        gitops_pipeline: &GitOpsPipeline::new(clients.clone(), FunctionApprovals::Denied),
        mode: Mode::Diagnosis,
        schedule: Schedule {
            began: fake.now(),
            interval: None,
        },
    };
    checker.answer(&question.topic, Duration::from_secs(290)).await
}

#[test]
fn hundred_projects_are_a_row_each() {
    let projects = 100;
    let (answer, took, kinds) = paused(async {
        let fake = environment(projects).await;
        complete(&fake);
        fake.options(|options| options.rates = all_rates());
        tokio::time::sleep(Duration::from_hours(1)).await;
        let (began, before) = (fake.now(), fake.calls_by_operation());
        let throttled = fake.calls().throttled;
        let answer = ask(&fake).await;
        assert_eq!(fake.calls().throttled, throttled);
        let mut kinds = fake.calls_by_operation();
        kinds.retain(|name, calls| {
            *calls -= before.get(name).unwrap_or(&0);
            *calls > 0
        });
        (answer, since(&fake, began), kinds)
    });
    fake_aws::figure!(
        "answer about {projects} projects: {:.0} s, {} calls, {} bytes; {kinds:?}",
        took.as_secs_f64(),
        kinds.values().sum::<usize>(),
        answer.to_string().len()
    );
    let rows = answer["Projects"].as_array().expect("rows");
    assert_eq!((rows.len(), &answer["NotRead"]), (projects, &json!([])));
    for row in rows {
        let found = [&row["NotRead"], &row["Problems"]];
        assert_eq!(found, [&json!([]), &json!([])], "{row}");
        assert_eq!(row["Newest"]["Status"], "Succeeded", "{row}");
    }
    assert!(took < Duration::from_secs(60), "{took:?}");
}
