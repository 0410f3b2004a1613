//! The time from the end of a stack operation to the response, and the polls that it costs.

use std::time::Duration;

use crate::fixture::{CHILD, changed, fake, paused, properties, stack};
use fake_aws::{FakeAws, Options};

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

fn mean(delays: &[Duration]) -> Duration {
    let sum: Duration = delays.iter().sum();
    sum / u32::try_from(delays.len()).expect("few")
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
            let (mean, most) = (mean(&all), all.iter().max().copied().unwrap_or_default());
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
