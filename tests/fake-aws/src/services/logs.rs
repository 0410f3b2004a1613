//! CloudWatch Logs' streams, as far as the product reads them.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>

use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

use crate::{
    services::iam::ACCOUNT,
    world::{ApiResponse, ApiResult, Call, JsonResult, World, rejected},
};

/// "The maximum number of log events returned. If you don't specify a limit, the default is as many
/// log events as can fit in a response size of 1 MB (up to 10,000 log events)."
const MAX_EVENTS: usize = 10_000;
const MAX_BYTES: usize = 1024 * 1024;

/// All streams of the account, by group and name: their events, oldest first.
pub type Streams = BTreeMap<(String, String), Vec<LogEvent>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    pub time: Duration,
    pub message: String,
}

/// Writes lines, each with the break at its end and with one time, as CodeBuild's are in
/// <https://github.com/Xtages/console> (`LogViewer.stories.tsx`).
pub(crate) fn write(
    streams: &mut Streams,
    log: &(String, String),
    time: Duration,
    lines: &[String],
) {
    let events = lines.iter().map(|line| LogEvent {
        time,
        message: format!("{line}\n"),
    });
    streams.entry(log.clone()).or_default().extend(events);
}

/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html>
pub(crate) fn stream_arn(call: &Call) -> String {
    let (group, stream) = (call.needed("logGroupName"), call.needed("logStreamName"));
    format!("arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:{group}:log-stream:{stream}")
}

pub(crate) fn answer(streams: &Streams, world: &mut World, call: &Call) -> ApiResult {
    match call.operation.as_str() {
        "GetLogEvents" => Ok(ApiResponse::json(&get(streams, world, call)?)),
        unknown => Err(world.unknown_operation("logs", unknown)),
    }
}

/// A token is the number of the events before its page, which are the next ones backward, and
/// whether its page is empty: "It's possible for the operation to return empty results" while there
/// are more. "If you have reached the end of the stream, it returns the same token you passed in."
fn get(streams: &Streams, world: &World, call: &Call) -> JsonResult {
    let log = (
        call.needed("logGroupName").to_owned(),
        call.needed("logStreamName").to_owned(),
    );
    let Some(events) = streams.get(&log) else {
        let has_group = streams.keys().any(|(group, _)| *group == log.0);
        let missing = if has_group { "stream" } else { "group" };
        let message = format!("The specified log {missing} does not exist.");
        return Err(rejected("ResourceNotFoundException", message));
    };
    if call.flag("startFromHead") {
        return Err(rejected(
            "InvalidParameterException",
            "the fake reads backward",
        ));
    }
    let time = |name: &str| call.params.get(name).and_then(Value::as_u64);
    let (start, end) = (time("startTime"), time("endTime"));
    let millis = |event: &LogEvent| World::millis(event.time);
    // "Events with a timestamp equal to or later than this time are not included."
    let is_inside = |event: &&LogEvent| {
        start.is_none_or(|start| millis(event) >= start)
            && end.is_none_or(|end| millis(event) < end)
    };
    let is_visible = |event: &&LogEvent| event.time + world.options.logs_late <= world.now;
    let events: Vec<&LogEvent> = events.iter().filter(is_visible).filter(is_inside).collect();
    let token = call.text("nextToken");
    let (before, is_empty) = match token {
        None => (events.len(), world.options.empty_log_pages),
        Some(token) => parse(token).ok_or_else(|| {
            rejected(
                "InvalidParameterException",
                "The specified nextToken is invalid.",
            )
        })?,
    };
    let limit = call.params.get("limit").and_then(Value::as_u64);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MAX_EVENTS);
    let limit = limit.min(world.options.page_length.unwrap_or(MAX_EVENTS));
    let mut bytes = 0;
    let page = events.iter().take(before).rev().take(if is_empty { 0 } else { limit });
    let page = page.take_while(|event| {
        bytes += event.message.len();
        bytes <= MAX_BYTES
    });
    let mut page: Vec<&&LogEvent> = page.collect();
    page.reverse();
    let first = before - page.len().min(before);
    let is_next_empty = world.options.empty_log_pages && !is_empty && first > 0;
    let backward = format!("b/{first}/{}", u8::from(is_next_empty));
    let page: Vec<Value> = page.iter().map(|event| shown(event)).collect();
    Ok(json!({
        "events": page,
        "nextBackwardToken": backward,
        "nextForwardToken": format!("f/{before}"),
    }))
}

fn parse(token: &str) -> Option<(usize, bool)> {
    let (before, is_empty) = token.strip_prefix("b/")?.split_once('/')?;
    Some((before.parse().ok()?, is_empty == "1"))
}

fn shown(event: &LogEvent) -> Value {
    let time = World::millis(event.time);
    json!({"timestamp": time, "ingestionTime": time, "message": event.message})
}
