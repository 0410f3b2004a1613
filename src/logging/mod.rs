//! JSON lines on standard output, in which no secret can appear.
//!
//! Each line of an invocation carries what tells it apart: Lambda's request id, CloudFormation's, the
//! stack, the logical id, the step that was under way, and how long it had been working. Nobody
//! repeats them: [`invocation`] is a span around all that an event makes the function do, and what is
//! learned later is recorded in it.
//!
//! `RUST_LOG` sets the level. Two things keep secrets out: this crate's own types for them cannot
//! be formatted, and the libraries below, which log whole requests and events at their finer
//! levels, are never let through below `WARN`, whatever `RUST_LOG` says.

mod call_counter;
mod json_layer;

use std::io::Write;

use serde_json::Value;
use tracing::Span;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

pub use crate::logging::call_counter::{CallCounter, count_attempt};
use crate::logging::json_layer::JsonLines;
pub use crate::logging::json_layer::millis;

/// Sets up logging for the process, and makes a panic log its place but not its text.
pub fn init() {
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    registry()
        .with(JsonLines::new(write).with_filter(filter(&wanted)))
        .init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "internal error");
    }));
}

/// Writes a line for CloudWatch, which counts what is in it, whatever the level is.
pub fn emit(line: &Value) {
    write(format!("{line}\n").as_bytes());
}

fn write(line: &[u8]) {
    // Nobody is left to tell when the log cannot be written.
    let _ = std::io::stdout().write_all(line);
}

/// The span around all that one event makes the function do. Its fields are those of every line,
/// once they are recorded: ids and names alone. It is of the level `ERROR`, so that a log of errors
/// has them as well.
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

/// The filter for a `RUST_LOG` of `wanted`: a level, or directives such as `cfn_gitops=warn`.
fn filter(wanted: &str) -> Targets {
    let own = match wanted.parse::<Targets>() {
        Ok(targets) => targets
            .iter()
            .find(|(target, _)| *target == "cfn_gitops")
            .map(|(_, level)| level)
            .or(targets.default_level()),
        Err(_) => None,
    };
    let own = match own {
        // An empty `RUST_LOG` parses as "nothing at all", which nobody means.
        Some(level) if !wanted.is_empty() => level,
        _ => LevelFilter::INFO,
    };
    Targets::new()
        .with_default(own.min(LevelFilter::WARN))
        .with_target("cfn_gitops", own)
        .with_target("cfn_custom_resource", own)
}

#[cfg(test)]
mod tests;
