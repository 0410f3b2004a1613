//! The requests of many stacks at the same instant, in simulated time, while AWS throttles.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::lambda::Lambda;
use crate::rates::rates;
use crate::stacks::{Operation, Stack, assert_nothing_remains, since};
use fake_aws::explore::paused;
use fake_aws::{FakeAws, Options};

const STACKS: usize = 100;

/// How far back a read of IAM may look in a fake AWS with this many users.
const LATEST: Duration = Duration::from_secs(30);

/// The operations, with the most calls of each for a stack without throttled ones. They make 33,
/// 22 and 24.
const OPERATIONS: [(Operation, usize); 3] = [
    (Operation::Create, 40),
    (Operation::Update, 27),
    (Operation::Delete, 29),
];

/// At the assumed rates and with Lambda's default concurrency, until the last response.
const MAX_TIME: Duration = Duration::from_mins(4);

#[test]
fn burst_of_stacks_gets_responses_in_time_under_throttling() {
    for took in burst(1.0, 1000) {
        assert!(took < MAX_TIME, "{took:?}");
    }
}

#[test]
fn burst_gets_responses_at_low_rates_and_concurrency() {
    // "New AWS accounts have reduced concurrency" (Lambda quotas): they start with ten.
    burst(0.25, 10);
}

/// Creates, updates and deletes all stacks at once. Returns the time of each operation. `share` is
/// that of the rates that AWS does not document.
fn burst(share: f64, concurrency: usize) -> Vec<Duration> {
    fastrand::seed(7);
    paused(async {
        let fake = FakeAws::with(Options {
            rates: rates(share),
            tags_late: Duration::from_secs(1),
            lists_late: Duration::from_secs(2),
            login_late: Duration::from_secs(3),
            resource_takes: Duration::from_secs(10),
            ..Options::default()
        });
        fake.keep_no_journal();
        let stacks: Vec<Stack> = (0..STACKS).map(Stack).collect();
        for stack in &stacks {
            fake.user(&stack.user());
        }
        fake.change(|aws| aws.iam.remember_only(LATEST));
        let lambda = Lambda::new(&fake, concurrency);
        let mut times = vec![];
        for (operation, most_calls) in OPERATIONS {
            times.push(all_at_once(&fake, &lambda, &stacks, operation, most_calls).await);
            if operation != Operation::Delete {
                fake.look(|aws| stacks.iter().for_each(|stack| stack.assert_is_there(aws)));
            }
            // The buckets fill again.
            tokio::time::sleep(Duration::from_mins(5)).await;
        }
        fake.look(assert_nothing_remains);
        assert_eq!(fake.violations(), Vec::<String>::new());
        times
    })
}

async fn all_at_once(
    fake: &FakeAws,
    lambda: &Lambda,
    stacks: &[Stack],
    operation: Operation,
    most_calls: usize,
) -> Duration {
    let (began, before) = (fake.now(), fake.calls());
    let mut running = JoinSet::new();
    for stack in stacks {
        let (fake, lambda, stack) = (fake.clone(), lambda.clone(), stack.clone());
        running.spawn(async move { stack.operate(&lambda, &fake, operation).await });
    }
    while let Some(done) = running.join_next().await {
        let done = done.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()));
        assert_eq!(done, Ok(()));
    }
    let (took, after) = (since(fake, began), fake.calls());
    let (calls, throttled) = (
        after.calls - before.calls,
        after.throttled - before.throttled,
    );
    fake_aws::figure!(
        "{operation:?} of {STACKS} stacks at once: {:.0} s, {calls} calls, {throttled} throttled",
        took.as_secs_f64()
    );
    assert!(throttled > 0);
    assert!(calls - throttled <= most_calls * STACKS);
    took
}
