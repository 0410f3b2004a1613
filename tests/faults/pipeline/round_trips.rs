//! The calls that wait for each other: how long a user waits for AWS's answers.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{
    BRANCH, GIVEN, REPOSITORY, cross_account, fake, paused, properties, ruled, stack, with,
};
use fake_aws::{Entry, FakeAws, Options, Service};

/// The latency of every answer. Much shorter than any pause of the product.
const LATENCY: Duration = Duration::from_millis(20);

/// The round trips of a request: before the first call `operation`, and all of them. The response's
/// PUT does not count.
fn of_request(fake: &FakeAws, caller: &str, operation: &str) -> (usize, usize) {
    let journal = fake.journal();
    let is_own = |call: &Entry| call.caller == caller && call.service != Service::ResponseBucket;
    let mut own = journal.iter().filter(|call| is_own(call));
    let start = own.find(|call| call.operation == operation);
    let start = start.unwrap_or_else(|| panic!("no {operation}:"));
    let before = fake.round_trips(|call| is_own(call) && call.at < start.at);
    (before, fake.round_trips(is_own))
}

/// The round trips of a Create, an Update without a change and a Delete.
async fn measure(properties: &Value) -> [(usize, usize); 3] {
    let fake = fake(Options {
        latency: LATENCY,
        resource_takes: Duration::ZERO,
        ..Options::default()
    });
    fake.repository_in_other_account(REPOSITORY);
    fake.push(GIVEN, BRANCH, "a commit");
    let mut stack = stack(&fake);
    stack.create(properties).await.assert_success();
    stack.update(properties, None).await.assert_success();
    stack.delete().await.assert_success();
    [
        of_request(&fake, "1-Create.1", "CreateStack"),
        of_request(&fake, "2-Update.1", "UpdateStack"),
        of_request(&fake, "3-Delete.1", "DeleteStack"),
    ]
}

#[test]
fn stack_operations_start_after_few_round_trips() {
    let given = with(properties(), "Source", json!({"RepositoryName": GIVEN}));
    for (name, properties, limits) in [
        ("a repository of its own", properties(), [1, 3, 3]),
        ("an existing repository", given, [1, 2, 3]),
        ("an approval rule", ruled(), [1, 3, 6]),
        ("another account's repository", cross_account(), [2, 4, 3]),
    ] {
        let trips = paused(measure(&properties));
        fake_aws::figure!("round trips with {name}: {trips:?}");
        assert_eq!(trips.map(|(before, _)| before), limits, "{name}");
    }
}
