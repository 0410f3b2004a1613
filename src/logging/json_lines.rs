//! Events as JSON lines, each with the fields of the spans around it.
//!
//! CloudWatch Logs Insights finds fields by their names. `tracing-subscriber`'s own JSON keeps a
//! span's fields in an object of their own, and repeats its name in each line: here a line is flat,
//! and `stack` is `stack` whether the event or its span knows it.

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

/// Writes each event as a line, with `write`.
pub struct JsonLines<W> {
    write: W,
}

impl<W: Fn(&[u8])> JsonLines<W> {
    pub fn new(write: W) -> Self {
        JsonLines { write }
    }
}

/// What is known of a span.
struct Known {
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
            span.extensions_mut().insert(Known { began, fields });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(known) = span.extensions_mut().get_mut::<Known>()
        {
            values.record(&mut known.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut said = Fields::default();
        event.record(&mut said);
        let mut line = Fields(vec![
            ("timestamp", timestamp(SystemTime::now()).into()),
            ("level", metadata.level().as_str().into()),
            ("message", said.take("message").unwrap_or_default()),
        ]);
        line.add(&said);
        let mut elapsed = None;
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(known) = span.extensions().get::<Known>() {
                line.add(&known.fields);
                // The outermost comes last.
                elapsed = Some(known.began.elapsed());
            }
        }
        if let Some(elapsed) = elapsed {
            line.add(&Fields(vec![("elapsed_ms", millis(elapsed).into())]));
        }
        line.add(&Fields(vec![("target", metadata.target().into())]));
        if let Some(line) = line.as_json() {
            (self.write)(&line);
        }
    }
}

/// Fields in the order in which they came, each once.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn set(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(set, _)| *set == name) {
            Some((_, former)) => *former = value,
            None => self.0.push((name, value)),
        }
    }

    /// Adds what is not there yet: an event knows better than its span, an inner span than an outer.
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
        serde_json::Serializer::new(&mut line)
            .collect_map(fields)
            .ok()?;
        line.push(b'\n');
        Some(line)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }
}

/// A duration as the log says it.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// RFC 3339 in UTC, always with milliseconds, so that lines sort as text.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    let seconds = DateTime::from_secs(seconds).fmt(Format::DateTime);
    let seconds = seconds.unwrap_or_default();
    format!(
        "{}.{:03}Z",
        seconds.trim_end_matches('Z'),
        since.subsec_millis()
    )
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use tracing::{Instrument, Level, info_span};
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::registry;

    use super::*;

    type Lines = Arc<Mutex<Vec<Value>>>;

    fn collecting(level: Level) -> (Lines, tracing::subscriber::DefaultGuard) {
        let lines = Lines::default();
        let into = Arc::clone(&lines);
        let layer = JsonLines::new(move |line: &[u8]| {
            assert_eq!(
                line.iter().position(|byte| *byte == b'\n'),
                Some(line.len() - 1)
            );
            let line = serde_json::from_slice(line).expect("a line of JSON");
            into.lock().expect("no panic under this lock").push(line);
        });
        let layer = layer.with_filter(Targets::new().with_default(level));
        let guard = tracing::subscriber::set_default(registry().with(layer));
        (lines, guard)
    }

    fn collected(lines: &Lines) -> Vec<Value> {
        std::mem::take(&mut *lines.lock().expect("no panic under this lock"))
    }

    #[test]
    fn a_line_is_flat_and_holds_what_its_spans_know() {
        let (lines, _guard) = collecting(Level::INFO);
        let span = info_span!("outer", stack = "s", step = tracing::field::Empty);
        span.in_scope(|| {
            tracing::info!("before");
            info_span!("inner", number = 7_u64).in_scope(|| {
                span.record("step", "one");
                span.record("step", "two\nlines");
                tracing::warn!(error = %"no", step = "its own", "within");
            });
            tracing::info!(yes = true, less = -1, part = 0.5, list = ?[1], none = None::<u8>, "after");
        });
        tracing::info!("outside");
        let mut lines = collected(&lines);
        for line in &mut lines {
            let line = line.as_object_mut().expect("an object");
            let time = line.remove("timestamp").expect("a time");
            assert_eq!(
                time.as_str().map(str::len),
                Some("2026-11-20T07:55:00.000Z".len())
            );
            assert!(line.remove("target").is_some());
            let elapsed = line.remove("elapsed_ms");
            assert_eq!(elapsed.is_some(), line["message"] != "outside");
        }
        assert_eq!(
            lines,
            [
                json!({"level": "INFO", "message": "before", "stack": "s"}),
                json!({"level": "WARN", "message": "within", "stack": "s", "number": 7,
                       "error": "no", "step": "its own"}),
                json!({"level": "INFO", "message": "after", "stack": "s", "step": "two\nlines",
                       "yes": true, "less": -1, "part": 0.5, "list": "[1]"}),
                json!({"level": "INFO", "message": "outside"}),
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn lines_of_tasks_that_run_side_by_side_are_told_apart() {
        let (lines, _guard) = collecting(Level::INFO);
        let task = |name: &'static str, pause: u64| {
            let work = async move {
                for _ in 0..3 {
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    tracing::info!(name, "working");
                }
            };
            tokio::spawn(work.instrument(info_span!("request", request = name)))
        };
        let (one, other) = tokio::join!(task("one", 10), task("other", 7));
        one.and(other).expect("no panic");
        let lines = collected(&lines);
        assert_eq!(lines.len(), 6);
        assert!(lines.iter().all(|line| line["request"] == line["name"]));
        let elapsed: Vec<u64> = lines
            .iter()
            .filter(|line| line["request"] == "one")
            .filter_map(|line| line["elapsed_ms"].as_u64())
            .collect();
        assert_eq!(elapsed, [10, 20, 30]);
    }

    #[test]
    fn what_the_level_leaves_out_is_not_written() {
        let (lines, _guard) = collecting(Level::ERROR);
        tracing::error_span!("request", request = "r").in_scope(|| {
            tracing::warn!("left out");
            tracing::error!("written");
        });
        let lines = collected(&lines);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["request"], "r");
    }

    #[test]
    fn times_sort_as_text() {
        let at = |millis| timestamp(UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(1_795_161_300_120), "2026-11-20T07:55:00.120Z");
        assert!(at(1_795_161_300_120) < at(1_795_161_300_123));
    }
}
