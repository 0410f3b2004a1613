//! Lambda's side of the Runtime API. Source: "Using the Lambda runtime API" in the Lambda Developer
//! Guide.

use std::time::Duration;

use serde_json::json;

use crate::run::{self, Invocation, Runs};
use crate::write_line;
use fake_aws::http::{Answer, Reply, Request};

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:measured";

/// Longer than any invocation here.
const TIME: Duration = Duration::from_secs(300);

pub fn answer(runs: &Runs, request: &Request) -> Reply {
    let arrived = run::now();
    let path = request.target.strip_prefix("/2018-06-01/runtime/");
    let parts: Vec<&str> = path.unwrap_or_default().split('/').collect();
    match (request.method.as_str(), &parts[..]) {
        ("GET", ["invocation", "next"]) => next(runs),
        ("POST", ["invocation", _, "response"]) => Some(end(runs, arrived, None)),
        ("POST", ["invocation", _, "error"] | ["init", "error"]) => {
            let error = String::from_utf8_lossy(&request.body).into_owned();
            Some(end(runs, arrived, Some(error)))
        }
        _ => Some(Answer::new(404, [])),
    }
}

fn next(runs: &Runs) -> Reply {
    let mut run = runs.present();
    let Some(event) = run.events.pop_front() else {
        let record = serde_json::to_value(run.record()).ok()?;
        write_line(&record).ok()?;
        runs.wait_for_the_end(run);
        return None;
    };
    let id = format!(
        "00000000-0000-4000-8000-{:012}",
        run.record.invocations.len()
    );
    let delivered = run::now();
    run.record.invocations.push(Invocation {
        delivered,
        ..Invocation::default()
    });
    let deadline = Duration::from_nanos(delivered) + TIME;
    let answer = Answer::of_runtime_api(id, deadline, FUNCTION, event.to_string());
    Some(answer)
}

/// The present invocation has ended. An error outside of any is a run that ends at once.
fn end(runs: &Runs, arrived: u64, error: Option<String>) -> Answer {
    let mut run = runs.present();
    let is_open = |invocation: &&mut Invocation| invocation.answered == 0;
    if let Some(invocation) = run.record.invocations.last_mut().filter(is_open) {
        invocation.answered = arrived;
        invocation.succeeded = error.is_none();
        invocation.error = error;
    } else {
        run.record.complaints.extend(error);
        // Nothing more can happen then, and the other side stops waiting.
        let record = json!(run.record);
        let _ = write_line(&record);
    }
    Answer::new(202, [])
}
