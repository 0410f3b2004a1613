//! Events as JSON lines, each with the fields of the spans around it.
//!
//! CloudWatch Logs Insights finds fields by their names, so a line is flat: `stack` is the same
//! field in an event and in its span. No library is used for this. `tracing-subscriber`'s JSON
//! formatter nests the fields of spans, `json-subscriber` writes duplicate fields, and
//! `tracing-flat-json` is a first release with few users.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::Serializer;
use serde_json::Value;
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use cfn_custom_resource::{Reason, ReasonCode};

/// Writes each event as a line, with the function that it holds.
pub struct JsonLines<W>(pub W);

struct SpanFields {
    began: Instant,
    fields: Fields,
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&[u8]) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            let began = Instant::now();
            span.extensions_mut().insert(SpanFields { began, fields });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(span_fields) = span.extensions_mut().get_mut::<SpanFields>()
        {
            values.record(&mut span_fields.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut own = Fields::default();
        event.record(&mut own);
        let mut line = Fields(vec![
            ("timestamp", timestamp(SystemTime::now()).into()),
            ("level", metadata.level().as_str().into()),
            ("message", own.take("message").unwrap_or_default()),
        ]);
        line.add(&own);
        let mut elapsed = None;
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(span_fields) = span.extensions().get::<SpanFields>() {
                line.add(&span_fields.fields);
                // The outermost comes last.
                elapsed = Some(span_fields.began.elapsed());
            }
        }
        if let Some(elapsed) = elapsed {
            line.add(&Fields(vec![("elapsed_ms", millis(elapsed).into())]));
        }
        line.add(&Fields(vec![("target", metadata.target().into())]));
        if let Some(line) = line.as_json() {
            (self.0)(&line);
        }
    }
}

/// Fields in the order of their recording, each once.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn set(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(set, _)| *set == name) {
            Some((_, former)) => *former = value,
            None => self.0.push((name, value)),
        }
    }

    /// Adds missing fields: an event's fields override its span's, an inner span's an outer one's.
    fn add(&mut self, others: &Fields) {
        for (name, value) in &others.0 {
            if self.0.iter().all(|(set, _)| set != name) {
                self.0.push((name, value.clone()));
            }
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let place = self.0.iter().position(|(set, _)| *set == name)?;
        Some(self.0.remove(place).1)
    }

    fn as_json(&self) -> Option<Vec<u8>> {
        let mut line = Vec::with_capacity(512);
        let fields = self.0.iter().map(|(name, value)| (name, value));
        serde_json::Serializer::new(&mut line).collect_map(fields).ok()?;
        line.push(b'\n');
        Some(line)
    }
}

impl Visit for Fields {
    /// A reason is three fields.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let Some(reason) = value.downcast_ref::<Reason>() else {
            return self.set(field.name(), value.to_string().into());
        };
        self.set(field.name(), reason.problem.as_str().into());
        self.set("remedy", reason.remedy.to_string().into());
        if reason.code != ReasonCode::NONE {
            self.set("code", reason.code.0.into());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }
}

/// A duration in the log's unit.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// RFC 3339 in UTC, always with milliseconds, so that lines sort as text.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    let seconds = DateTime::from_secs(seconds).fmt(Format::DateTime).unwrap_or_default();
    format!(
        "{}.{:03}Z",
        seconds.trim_end_matches('Z'),
        since.subsec_millis()
    )
}

#[cfg(test)]
#[path = "json_layer_tests.rs"]
mod tests;
