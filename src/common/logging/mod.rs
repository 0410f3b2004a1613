//! JSON lines on standard output, in which no secret can appear.
//!
//! Each line of an invocation has Lambda's request ID, CloudFormation's, the stack, the logical ID,
//! the current step and the elapsed time. [`invocation`] is a span around the handling of an event.
//! The fields are recorded in it once, and every line repeats them.
//!
//! `RUST_LOG` sets the level. Two things keep secrets out: this crate's types for secrets cannot be
//! formatted, and libraries, which log whole requests and events at their finer levels, are
//! filtered below `WARN` at any `RUST_LOG`.

/// Logs a `Reason`, then fields as `tracing` takes them, then the message. A line has the reason as
/// its last fields: `error`, `remedy` and `code`.
macro_rules! log_reason {
    ($level:ident, $reason:expr, $($field:ident $(= $value:expr)?,)* $message:literal) => {
        tracing::$level!($($field $(= $value)?,)* error = $reason.as_error(), $message)
    };
}

macro_rules! error {
    ($($arguments:tt)+) => { log_reason!(error, $($arguments)+) };
}

macro_rules! warn {
    ($($arguments:tt)+) => { log_reason!(warn, $($arguments)+) };
}

macro_rules! info {
    ($($arguments:tt)+) => { log_reason!(info, $($arguments)+) };
}

mod call_counter;
mod json_layer;

use std::io::Write;

use serde_json::Value;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

pub use crate::common::logging::call_counter::{CallCounter, count_attempt};
use crate::common::logging::json_layer::JsonLines;
pub use crate::common::logging::json_layer::millis;

/// Sets up logging for the process. A panic is logged with its location and without its text.
pub fn init() {
    let directives = std::env::var("RUST_LOG").unwrap_or_default();
    subscriber(&directives, write).init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "internal error");
    }));
}

/// Passes each line of the `RUST_LOG` `directives` to `write`.
pub fn subscriber<W>(directives: &str, write: W) -> impl Subscriber + Send + Sync
where
    W: Fn(&[u8]) + Send + Sync + 'static,
{
    registry().with(JsonLines(write).with_filter(filter(directives)))
}

/// Writes a line of metrics for CloudWatch, at any level.
pub fn emit(line: &Value) {
    write(format!("{line}\n").as_bytes());
}

fn write(line: &[u8]) {
    // An error cannot be reported: the log is the only place for it.
    let _ = std::io::stdout().write_all(line);
}

/// The span around the handling of one event. Every line has its fields once they are recorded:
/// only IDs and names. Its level is `ERROR`, so that a log of errors has them as well.
pub fn invocation(lambda_request: &str) -> Span {
    tracing::error_span!(
        "invocation",
        lambda_request,
        request = Empty,
        request_type = Empty,
        resource_type = Empty,
        stack = Empty,
        logical_id = Empty,
        step = Empty,
        rotation_step = Empty,
        secret = Empty,
        environment = Empty,
        pipeline_stack = Empty,
    )
}

/// The filter for the `RUST_LOG` `directives`: a level, or directives such as `cfn_gitops=warn`.
fn filter(directives: &str) -> Targets {
    let own = match directives.parse::<Targets>() {
        Ok(targets) => targets
            .iter()
            .find(|(target, _)| *target == "cfn_gitops")
            .map(|(_, level)| level)
            .or(targets.default_level()),
        Err(_) => None,
    };
    let own = match own {
        // An empty `RUST_LOG` would otherwise switch logging off.
        Some(level) if !directives.is_empty() => level,
        _ => LevelFilter::INFO,
    };
    Targets::new()
        .with_default(own.min(LevelFilter::WARN))
        .with_target("cfn_gitops", own)
        .with_target("cfn_custom_resource", own)
}

#[cfg(test)]
mod tests;
