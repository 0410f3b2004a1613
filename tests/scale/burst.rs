//! Many stacks with the resources of `templates/project.yaml`, created at the same instant while AWS
//! throttles: a pipeline, and then the credential that is proved against its repository.

use std::time::Duration;

use fake_aws::explore::paused;
use fake_aws::{FakeAws, Options};
use serde_json::json;
use test_support::custom_resource::{CustomResource, ParentStack};
use tokio::task::JoinSet;

use crate::ROUND_TRIP;
use crate::projects::CREDENTIAL;
use crate::rates::rates;

const STACKS: usize = 100;

/// For a stack, without throttled ones. They make 33.
const MAX_CALLS: usize = 40;

/// Until the last response.
const MAX_TIME: Duration = Duration::from_mins(4);

const PIPELINE: CustomResource = CustomResource {
    resource_type: "Custom::GitOpsPipeline",
    logical_id: "Pipeline",
    wire: |_, caller| caller.connector(),
};

fn user(number: usize) -> String {
    format!("user-dev-p{number}-mirror")
}

async fn create(fake: FakeAws, number: usize) {
    let resources = [
        (
            PIPELINE,
            json!({"ServiceTimeout": "3600", "EnvID": "dev", "ProjectID": format!("p{number}")}),
        ),
        (
            CREDENTIAL,
            json!({
                "ServiceTimeout": "900", "UserName": user(number), "RotationSerial": "1",
                "RepositoryNames": [format!("codecommit-dev-cfn-p{number}")],
            }),
        ),
    ];
    for (index, (kind, properties)) in resources.iter().enumerate() {
        let name = kind.logical_id;
        let arn =
            format!("arn:aws:cloudformation:eu-central-1:123456789012:stack/p{number}/{name}");
        let mut stack = ParentStack::called(&fake, *kind, &arn);
        stack.starts_counting_at(10 * number + index);
        stack.create(properties).await.assert_success();
    }
}

#[test]
fn burst_of_stacks_gets_responses_in_time_under_throttling() {
    fastrand::seed(7);
    let (took, calls) = paused(async {
        let fake = FakeAws::with(Options {
            rates: rates(),
            latency: ROUND_TRIP,
            tags_late: Duration::from_secs(1),
            lists_late: Duration::from_secs(2),
            login_late: Duration::from_secs(3),
            resource_takes: Duration::from_secs(10),
            ..Options::default()
        });
        fake.keep_no_journal();
        (0..STACKS).for_each(|number| fake.user(&user(number)));
        let (began, mut creations) = (fake.now(), JoinSet::new());
        for number in 0..STACKS {
            creations.spawn(Box::pin(create(fake.clone(), number)));
        }
        creations.join_all().await;
        let took = fake.now().duration_since(began).expect("forwards");
        fake.look(|aws| {
            for number in 0..STACKS {
                assert_eq!(aws.credentials(&user(number)).len(), 1, "of {number}");
            }
        });
        fake.assert_unbroken();
        (took, fake.calls())
    });
    fake_aws::figure!(
        "creation of {STACKS} stacks at once: {:.0} s, {} calls, {} throttled",
        took.as_secs_f64(),
        calls.calls,
        calls.throttled
    );
    assert!(calls.throttled > 0);
    assert!(calls.calls - calls.throttled <= MAX_CALLS * STACKS);
    assert!(took < MAX_TIME, "{took:?}");
}
