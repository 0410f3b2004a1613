//! One run: a number of stacks, one operation after the other, and the results.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::lambda::Lambda;
use crate::rates::rates;
use crate::stacks::{Content, Operation, Stack, assert_nothing_remains, since};
use fake_aws::Count;
use fake_aws::explore::paused;
use fake_aws::{AwsState, FakeAws, Options, Rate, Service};

/// How far back a read of IAM may look in a fake AWS with this many users.
const LATEST: Duration = Duration::from_secs(30);

/// The parameters of a run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub stacks: usize,
    pub content: Content,
    /// Of the rates that AWS does not document.
    pub share: f64,
    /// How many events Lambda handles at the same time.
    pub concurrency: usize,
}

impl Run {
    /// At the assumed rates, with Lambda's default concurrency ("1,000", Lambda quotas).
    pub fn of(stacks: usize, content: Content) -> Self {
        Run {
            stacks,
            content,
            share: 1.0,
            concurrency: 1000,
        }
    }
}

/// The result of one operation on all stacks.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub operation: Operation,
    /// Until the last stack was done.
    pub took: Duration,
    /// Of one stack.
    pub median: Duration,
    pub calls: Count,
    /// The least time for the calls that IAM let through: at its rates, without a pause.
    pub ideal: Duration,
    /// Why stacks failed.
    pub failed: Vec<String>,
}

impl Measured {
    /// A line for a person.
    pub fn told(&self, run: &Run) -> String {
        format!(
            "{:?} of {} stacks with {} (rates x{}, {} at once): all in {:.0} s, half in {:.0} s, IAM's \
             ideal {:.0} s; {} calls, {} throttled; {} failed",
            self.operation,
            run.stacks,
            run.content.name(),
            run.share,
            run.concurrency,
            self.took.as_secs_f64(),
            self.median.as_secs_f64(),
            self.ideal.as_secs_f64(),
            self.calls.calls,
            self.calls.throttled,
            self.failed.len()
        )
    }
}

/// How much longer than IAM's ideal a thousand stacks may take.
pub const MAX_TIME: f64 = 1.1;

/// How many more calls a stack may take among many: the number of resets and of polls varies by
/// chance.
const MAX_COST: f64 = 1.2;

/// Checks that the calls for a stack that AWS let through do not grow with the number of stacks.
pub fn assert_cost_is_linear(few: &[Measured], of_few: &Run, many: &[Measured], of_many: &Run) {
    for (few, many) in few.iter().zip(many) {
        let cost = |measured: &Measured, run: &Run| {
            let calls = measured.calls.calls - measured.calls.throttled;
            let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
            number(calls) / number(run.stacks)
        };
        assert!(
            cost(many, of_many) < cost(few, of_few) * MAX_COST,
            "{}\n{}",
            few.told(of_few),
            many.told(of_many)
        );
    }
}

/// Runs it. The same run comes to the same, whenever it is run: the clock is simulated, and every
/// random choice has a seed.
///
/// # Panics
/// When a stack that did not fail is not as it should be, or something is left in the end.
pub fn run(run: &Run) -> Vec<Measured> {
    fastrand::seed(7);
    paused(async {
        let fake = FakeAws::with(Options {
            rates: rates(run.share),
            tags_late: Duration::from_secs(1),
            lists_late: Duration::from_secs(2),
            login_late: Duration::from_secs(3),
            resource_takes: Duration::from_secs(10),
            ..Options::default()
        });
        fake.keep_no_journal();
        let stacks: Vec<Stack> = (0..run.stacks)
            .map(|number| Stack::new(number, run.content))
            .collect();
        for stack in &stacks {
            stack.prepare(&fake);
        }
        fake.change(|aws| aws.iam.remember_only(LATEST));
        let lambda = Lambda::new(&fake, run.concurrency);
        let mut all = vec![];
        for operation in run.content.operations() {
            let measured = all_at_once(&fake, &lambda, &stacks, *operation).await;
            if *operation != Operation::Delete && measured.failed.is_empty() {
                fake.look(|aws| stacks.iter().for_each(|stack| stack.assert_is_there(aws)));
            }
            all.push(measured);
            // The buckets fill again.
            tokio::time::sleep(Duration::from_mins(5)).await;
        }
        fake.look(assert_nothing_remains);
        assert_eq!(fake.violations(), Vec::<String>::new());
        all
    })
}

async fn all_at_once(
    fake: &FakeAws,
    lambda: &Lambda,
    stacks: &[Stack],
    operation: Operation,
) -> Measured {
    let (began, before, used) = (fake.now(), fake.calls(), fake.look(iam_calls));
    let mut running = JoinSet::new();
    for stack in stacks {
        let (fake, lambda, stack) = (fake.clone(), lambda.clone(), stack.clone());
        running.spawn(async move {
            let done = stack.operate(&lambda, &fake, operation).await;
            (since(&fake, began), done)
        });
    }
    let (mut times, mut failed) = (vec![], vec![]);
    while let Some(done) = running.join_next().await {
        let (took, done) =
            done.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()));
        times.push(took);
        failed.extend(done.err());
    }
    times.sort();
    let after = fake.calls();
    Measured {
        operation,
        took: times.last().copied().unwrap_or_default(),
        median: times.get(times.len() / 2).copied().unwrap_or_default(),
        calls: Count {
            calls: after.calls - before.calls,
            throttled: after.throttled - before.throttled,
        },
        ideal: ideal(&used, &fake.look(iam_calls)),
        failed,
    }
}

/// Each of IAM's rates, with the calls that it has let through.
fn iam_calls(aws: &AwsState) -> Vec<(Rate, usize)> {
    let rates = aws.options.rates.iter().enumerate();
    let of_iam = rates.filter(|(_, rate)| rate.service == Service::Iam);
    of_iam
        .map(|(index, rate)| (*rate, aws.buckets.used(index)))
        .collect()
}

/// The least time for these calls: each bucket is full at first, and never is afterwards.
fn ideal(before: &[(Rate, usize)], after: &[(Rate, usize)]) -> Duration {
    let times = before
        .iter()
        .zip(after)
        .map(|((rate, before), (_, after))| {
            let calls = u32::try_from(after - before).unwrap_or(u32::MAX);
            (f64::from(calls) - rate.burst).max(0.0) / rate.per_second
        });
    Duration::from_secs_f64(times.fold(0.0, f64::max))
}
