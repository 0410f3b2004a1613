//! Posts the state of an execution to GitLab, in rounds: the commit statuses, then the record, then
//! the notes. A part of the report that fails does not stop the others, unless GitLab accepts no
//! connection, and one that hangs does not delay them.
//!
//! Each part reads which records it desires, then GitLab's, and sends the difference. [`facts`] has
//! what they share. After requests, a round begins again if the execution has changed.

mod deployment;
mod environment;
mod facts;
mod note;
mod note_need;
mod round;
mod status;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

pub use self::facts::OpenedReport;
pub use self::round::{MAX_RETRIES, RETRY_INTERVAL};

use self::facts::{Context, Facts};
use self::round::Round;
use crate::feedback::execution::Execution;
use crate::feedback::reporting::outcome::{ReportError, Reported};
use crate::feedback::reporting::plan::{Occasion, Topic};

/// The parts of a report that are posted together.
#[derive(Clone, Copy)]
enum ReportPart {
    Statuses,
    /// The deployment's record, and then its environment.
    Record,
    Notes,
}

/// The most important ones are first, and the costly texts are last.
const ROUNDS: [ReportPart; 3] = [ReportPart::Statuses, ReportPart::Record, ReportPart::Notes];

/// The time after which the next round begins, even if a part of GitLab hangs.
const ROUND_TIME: Duration = Duration::from_secs(10);

/// Reports the parts of an execution that `occasion` includes. The execution is the newest one of
/// its commit.
pub async fn report(
    opened: &OpenedReport<'_>,
    occasion: Occasion,
    execution: Execution,
) -> Reported {
    let context = Context::new(opened, occasion, &execution.commit);
    let mut reported = Reported::default();
    // Without its execution, no part can be reported.
    let read = Facts::read(&context, execution).await;
    let Some(facts) = reported.settle(Topic::Execution, read) else {
        return reported;
    };
    let mut latest = Arc::new(facts);
    let mut running = FuturesUnordered::<BoxFuture<'_, Round<'_>>>::new();
    for part in ROUNDS {
        if reported.is_unreachable() {
            break;
        }
        running.push(Box::pin(run(Round::new(Arc::clone(&latest)), part)));
        let all = async {
            while let Some(ended) = running.next().await {
                reported.add(ended.reported);
                latest = ended.facts;
            }
        };
        if timeout(ROUND_TIME, all).await.is_err() {
            tracing::warn!("a part of the report takes long: the next one begins");
        }
    }
    while let Some(ended) = running.next().await {
        reported.add(ended.reported);
    }
    reported
}

/// Reports a part. If the execution has changed since it was read, begins again.
async fn run(mut round: Round<'_>, part: ReportPart) -> Round<'_> {
    loop {
        let (topic, ended) = match part {
            ReportPart::Statuses => (Topic::Execution, Box::pin(status::report(&mut round)).await),
            ReportPart::Record => (
                Topic::Deployment,
                Box::pin(deployment::report(&mut round)).await,
            ),
            ReportPart::Notes => (Topic::Note, Box::pin(note::report(&mut round)).await),
        };
        let begins_again = round.begins_again().await;
        if let Ok(true) = begins_again {
            continue;
        }
        let ended = ended.and(begins_again.map(drop).map_err(ReportError::from));
        round.reported.settle(topic, ended);
        return round;
    }
}
