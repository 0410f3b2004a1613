use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

use crate::common::logging::json_layer::*;

type Lines = Arc<Mutex<Vec<Value>>>;

fn collecting() -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let into = Arc::clone(&lines);
    let layer = JsonLines(move |line: &[u8]| {
        assert_eq!(
            line.iter().position(|byte| *byte == b'\n'),
            Some(line.len() - 1)
        );
        let line = serde_json::from_slice(line).expect("a line of JSON");
        into.lock().expect("no panic under this lock").push(line);
    });
    let guard = tracing::subscriber::set_default(registry().with(layer));
    (lines, guard)
}

fn collected(lines: &Lines) -> Vec<Value> {
    std::mem::take(&mut *lines.lock().expect("no panic under this lock"))
}

#[test]
fn line_is_flat_and_has_the_fields_of_its_spans() {
    let (lines, _guard) = collecting();
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

#[test]
fn logged_reason_is_three_fields_of_the_caller() {
    let (lines, _guard) = collecting();
    let (stack, name) = ("s", String::from("p"));
    let reason = |code| Reason::new(ReasonCode(code), "reading x: no", "Allow x");
    warn!(reason("CFG-302"), stack, pipeline = name, "not read");
    info!(reason(""), "left out");
    let mut lines = collected(&lines);
    for line in &mut lines {
        line.as_object_mut().and_then(|line| line.remove("timestamp"));
    }
    let target = module_path!();
    assert_eq!(
        lines,
        [
            json!({"level": "WARN", "message": "not read", "stack": "s", "pipeline": "p", "code": "CFG-302",
                       "error": "reading x: no", "remedy": "Allow x", "target": target}),
            json!({"level": "INFO", "message": "left out", "error": "reading x: no", "remedy": "Allow x",
                       "target": target}),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn lines_of_parallel_tasks_have_their_own_fields() {
    let (lines, _guard) = collecting();
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
fn times_sort_as_text() {
    let at = |millis| timestamp(UNIX_EPOCH + Duration::from_millis(millis));
    assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
    assert_eq!(at(1_795_161_300_120), "2026-11-20T07:55:00.120Z");
    assert!(at(1_795_161_300_120) < at(1_795_161_300_123));
}
