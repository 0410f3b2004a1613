//! Schedules that a test tries one after another. All failures are reported together.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::schedule::extent;

pub use crate::failures::text;
pub use crate::schedule::{
    moments::{Moment, Seen},
    single_faults::SingleFault,
};

/// The first schedules of each test run in any case.
const ALWAYS: usize = 2;

/// The schedules of a test, and the failures among them.
pub struct Schedules {
    /// `SCHEDULES=ci` runs one in four times so many.
    one_in: u64,
    /// All, also those that [`extent`] leaves out.
    all: usize,
    tried: usize,
    failures: Vec<String>,
}

impl Default for Schedules {
    fn default() -> Self {
        Schedules::one_in(3)
    }
}

impl Schedules {
    /// Schedules of which `SCHEDULES=ci` runs one in eight times so many.
    pub fn one_in(one_in: u64) -> Self {
        Schedules {
            one_in: 2 * one_in,
            all: 0,
            tried: 0,
            failures: vec![],
        }
    }

    /// Schedules of which `SCHEDULES=ci` runs one in four.
    pub fn quarter() -> Self {
        Schedules {
            one_in: 1,
            ..Self::one_in(1)
        }
    }

    /// Runs one schedule. `None` if it failed, or if this run leaves it out.
    pub fn run<T>(&mut self, name: impl Display, schedule: impl FnOnce() -> T) -> Option<T> {
        if self.all >= ALWAYS && !extent::includes(&name.to_string(), self.one_in) {
            self.all += 1;
            return None;
        }
        self.run_always(name, schedule)
    }

    /// Runs one schedule, even if this run would leave it out. `None` if it failed.
    pub fn run_always<T>(&mut self, name: impl Display, schedule: impl FnOnce() -> T) -> Option<T> {
        self.all += 1;
        self.tried += 1;
        match catch_unwind(AssertUnwindSafe(schedule)) {
            Ok(result) => Some(result),
            Err(panic) => {
                self.failures.push(format!("{name}\n{}", text(&*panic)));
                None
            }
        }
    }

    /// Fails the test if a schedule failed. Returns the number of schedules, also of those that
    /// this run leaves out.
    pub fn finish(self) -> usize {
        let Self {
            all,
            tried,
            failures,
            ..
        } = self;
        let beginning = |failure: &String| {
            let lines: Vec<&str> = failure.lines().take(2).collect();
            lines.join(" | ").chars().take(400).collect::<String>()
        };
        let lines: Vec<String> = failures.iter().map(beginning).collect();
        let (failed, lines) = (failures.len(), lines.join("\n"));
        let whole = failures[..failed.min(2)].join("\n\n");
        assert_eq!(
            failed, 0,
            "of {tried} schedules failed:\n{lines}\n\n{whole}"
        );
        if tried < all {
            crate::figure!("SCHEDULES: {tried} of {all} ran:");
        }
        all
    }

    /// The same, and prints the number of `what` they are.
    pub fn report(self, what: &str) -> usize {
        let all = self.finish();
        crate::figure!("schedules: {all} {what}");
        all
    }
}
