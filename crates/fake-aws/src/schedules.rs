//! Schedules that a test tries one after another. All failures are reported together.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The schedules of a test, and the failures among them.
#[derive(Default)]
pub struct Schedules {
    tried: usize,
    failures: Vec<String>,
}

impl Schedules {
    /// Runs one schedule. `None` if it failed.
    pub fn run<T>(&mut self, name: impl Display, schedule: impl FnOnce() -> T) -> Option<T> {
        self.tried += 1;
        match catch_unwind(AssertUnwindSafe(schedule)) {
            Ok(result) => Some(result),
            Err(panic) => {
                self.failures.push(format!("{name}\n{}", text(&*panic)));
                None
            }
        }
    }

    /// Fails the test if a schedule failed. Returns the number of schedules.
    pub fn finish(self) -> usize {
        let Self { tried, failures } = self;
        let beginning = |failure: &String| {
            let lines: Vec<&str> = failure.lines().take(2).collect();
            lines.join(" | ").chars().take(400).collect::<String>()
        };
        let lines: Vec<String> = failures.iter().map(beginning).collect();
        assert!(
            failures.is_empty(),
            "{} of {tried} schedules failed:\n{}\n\n{}",
            failures.len(),
            lines.join("\n"),
            failures[..failures.len().min(2)].join("\n\n")
        );
        tried
    }
}

/// The text of a panic. Empty if it has none.
pub fn text(panic: &(dyn Any + Send)) -> String {
    let formatted = panic.downcast_ref::<String>().cloned();
    let literal = || panic.downcast_ref::<&str>().map(ToString::to_string);
    formatted.or_else(literal).unwrap_or_default()
}
