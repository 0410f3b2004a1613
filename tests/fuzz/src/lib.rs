//! Fuzzing of the parsers of outside input: how a target runs, and its inputs.
//!
//! A target chooses an input that is almost valid, passes it to one parser, and asserts what must
//! hold for every input. The targets are tests, in `tests/`. They reach private parsers through
//! modules `fuzzing` of the product, which only the feature `fuzzing` compiles.
//!
//! `cargo test` runs each target over a bounded number of fixed inputs. `make fuzz SECONDS=60` runs
//! each for that time, over other inputs every time. `FUZZ_SEED` repeats a run, `FUZZ_ONLY` one of
//! its inputs: a failure prints both.

mod input;

use std::fmt::Debug;
use std::time::{Duration, Instant};

use serde_json::Value;

pub use input::{Choices, SENTINEL, strings_in};

/// The default number of inputs of a run.
const COUNT: u64 = 8000;

/// The properties of a recorded event.
///
/// # Panics
/// If it is not JSON.
pub fn properties_of(event: &str) -> Value {
    let mut event: Value = serde_json::from_str(event).expect("JSON");
    event["ResourceProperties"].take()
}

/// Runs a target: hands `check` the choices of one input after another.
pub fn fuzz(check: impl Fn(&mut Choices)) {
    let limit = setting("FUZZ_SECONDS").map(Duration::from_secs);
    let seed = setting("FUZZ_SEED").unwrap_or_else(|| match limit {
        // Each such run tries other inputs than the last one.
        Some(_) => fastrand::u64(..),
        None => 20_261_120,
    });
    let one = |number: u64| {
        let _named = Named(seed, number);
        let of_input = seed.wrapping_mul(1_000_003).wrapping_add(number);
        check(&mut Choices::seeded(of_input));
    };
    if let Some(only) = setting("FUZZ_ONLY") {
        return one(only);
    }
    let began = Instant::now();
    for number in 0.. {
        let is_over = match limit {
            Some(limit) => began.elapsed() >= limit,
            None => number >= setting("FUZZ_COUNT").unwrap_or(COUNT),
        };
        if is_over {
            return;
        }
        one(number);
    }
}

/// Checks that a value of `text` has another text that is read as the same value.
///
/// # Panics
/// If it does not.
pub fn assert_round_trip<T: Debug + PartialEq>(
    text: &str,
    read: impl Fn(&str) -> Option<T>,
    write: impl Fn(&T) -> String,
) {
    if let Some(value) = read(text) {
        assert_eq!(read(&write(&value)), Some(value), "{text}");
    }
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Reports the input if a check panics.
struct Named(u64, u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("FUZZ_SEED={} FUZZ_ONLY={}", self.0, self.1);
        }
    }
}
