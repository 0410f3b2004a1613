//! How long a user waits: for the response after the end of a stack operation, and for the calls
//! that wait for each other.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{
    BRANCH, CHILD, GIVEN, REPOSITORY, changed, cross_account, fake, paused, properties, ruled,
    stack, with,
};
use fake_aws::{Entry, FakeAws, Options, Service};

/// When the latest operation on the child stack ended, in simulated time.
fn end_of_operation(fake: &FakeAws) -> Duration {
    fake.look(|aws| {
        let stacks = aws.stacks.all.values();
        let own = stacks.filter(|stack| stack.name == CHILD);
        let events = own.flat_map(|stack| {
            let events = stack.events.iter();
            events.filter(|event| event.physical_id == stack.id)
        });
        events.map(|event| event.at).max().expect("an event")
    })
}

/// The delay of the response to each of a Create, an Update and a Delete, and all polls, if each of
/// the child stack's resources takes this long.
async fn delays(resource_takes: Duration) -> (Vec<Duration>, usize) {
    let fake = fake(Options {
        latency: Duration::from_millis(50),
        resource_takes,
        ..Options::default()
    });
    let mut stack = stack(&fake);
    let mut delays = vec![];
    for request in ["Create", "Update", "Delete"] {
        let answer = match request {
            "Create" => stack.create(&properties()).await,
            "Update" => stack.update(&changed(properties()), None).await,
            _ => stack.delete().await,
        };
        assert!(answer.is_success(), "{request}: {answer:?}");
        let responses = fake.responses();
        let answered = responses.last().expect("a response").at;
        let delay = answered.checked_sub(end_of_operation(&fake));
        delays.push(delay.expect("a response after the end"));
    }
    (delays, fake.count("DescribeStacks"))
}

/// Operations of seconds, of minutes, and of more than one invocation.
#[test]
fn response_follows_the_stack_within_two_seconds() {
    paused(async {
        for (seconds, step) in [(0.3, 0.05), (5.0, 0.37), (60.0, 3.7), (300.0, 3.7)] {
            let (mut all, mut polls) = (vec![], 0);
            for number in 0..12 {
                let takes = Duration::from_secs_f64(seconds + step * f64::from(number));
                let (delays, some_polls) = delays(takes).await;
                all.extend(delays);
                polls += some_polls;
            }
            let mean = all.iter().sum::<Duration>() / u32::try_from(all.len()).expect("few");
            let most = all.iter().max().copied().unwrap_or_default();
            fake_aws::figure!(
                "waiting: {seconds} s for each resource: the response follows the end of the stack's \
                 operation by {mean:?} on average, at most {most:?}; {} polls per request",
                polls / all.len()
            );
            assert!(mean <= Duration::from_secs(2), "{seconds}: {all:?}");
            assert!(most <= Duration::from_secs(5), "{seconds}: {all:?}");
        }
    });
}

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
        ("a repository of its own", properties(), [1, 3, 4]),
        ("an existing repository", given, [1, 2, 4]),
        ("an approval rule", ruled(), [1, 3, 7]),
        ("another account's repository", cross_account(), [2, 4, 4]),
    ] {
        let trips = paused(measure(&properties));
        fake_aws::figure!("round trips with {name}: {trips:?}");
        assert_eq!(trips.map(|(before, _)| before), limits, "{name}");
    }
}
