//! A function that does another one's work: Lambda's `Invoke`, and that function's own Runtime API.

use serde_json::json;

use crate::http::{Answer, Reply, Request};
use crate::run::{self, Call, Replied, Runs};
use crate::{runtime_api, write_line};

/// Lambda's `Invoke`: waits for the other function's answer.
pub fn invoke(runs: &Runs, request: &Request) -> Reply {
    if request.method != "POST" || !request.target.ends_with("/invocations") {
        return Some(Answer::new(404, []));
    }
    let begun = run::now();
    let (number, latency) = {
        let run = runs.present();
        (run.number, run.latency)
    };
    std::thread::sleep(latency);
    let mut run = runs.if_present(number)?;
    run.record.calls.push(Call {
        service: "lambda",
        operation: "Invoke".to_owned(),
        status: 200,
        begun,
        // The following calls are the other function's.
        ended: run::now(),
        own: 0,
        connected: request.is_first,
        body: None,
    });
    run.asked.push_back(request.body.clone());
    run.replied = None;
    runs.tell();
    write_line(&json!("invoked")).ok()?;
    let replied = runs.wait_for(run, |run| run.replied.take())?;
    let mut answer = Answer::new(200, replied.body);
    let executed = ("X-Amz-Executed-Version", "$LATEST");
    let failed = ("X-Amz-Function-Error", "Unhandled");
    let headers = [Some(executed), (!replied.succeeded).then_some(failed)];
    answer.headers = headers
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Some(answer)
}

/// The other function's Runtime API.
pub fn answer(runs: &Runs, request: Request) -> Reply {
    let path = request.target.strip_prefix("/2018-06-01/runtime/");
    let parts: Vec<&str> = path.unwrap_or_default().split('/').collect();
    let succeeded = match (request.method.as_str(), &parts[..]) {
        ("GET", ["invocation", "next"]) => {
            let event = runs.wait_for(runs.present(), |run| run.asked.pop_front())?;
            let id = "00000000-0000-4000-9000-000000000000";
            return Some(runtime_api::event_for(id, run::now(), event));
        }
        ("POST", ["invocation", _, "response"]) => true,
        ("POST", ["invocation", _, "error"] | ["init", "error"]) => false,
        _ => return Some(Answer::new(404, [])),
    };
    runs.present().replied = Some(Replied {
        body: request.body,
        succeeded,
    });
    runs.tell();
    Some(Answer::new(202, []))
}
