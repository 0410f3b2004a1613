//! Fuzzing of the parsers of outside input: how a target is run, and what it is given.
//!
//! A target turns bytes into an input that is almost right, hands it to one parser, and asserts
//! what must hold whatever the input is. The targets stand beside their parsers, in `fuzz.rs` of
//! each folder, as most parsers are private.
//!
//! `cargo test` runs each of them over a bounded number of inputs, always the same ones. `make fuzz
//! SECONDS=60` gives each that long, over others every time. `FUZZ_SEED` repeats a run, `FUZZ_ONLY`
//! one input of it: a failure names both. Built with `--cfg fuzzing`, as `cargo bolero test` does,
//! the bytes come from a fuzzer that is guided by coverage: `docs/security.md`.

mod input;
mod targets;

pub(crate) use crate::fuzz::input::{Choices, SENTINEL, strings_in};

/// The inputs of a run that is not told otherwise.
#[cfg(not(fuzzing))]
const COUNT: u64 = 8000;

/// Runs a target: a function of [`Choices`].
macro_rules! fuzz {
    ($check:expr) => {{
        #[cfg(not(fuzzing))]
        $crate::fuzz::run($check);
        #[cfg(fuzzing)]
        bolero::check!().for_each(|bytes: &[u8]| $check(&mut $crate::fuzz::Choices::of(bytes)));
    }};
}
pub(crate) use fuzz;

/// Hands `check` one input after another.
#[cfg(not(fuzzing))]
pub(crate) fn run(check: impl Fn(&mut Choices<'_>)) {
    use std::time::{Duration, Instant};

    let limit = setting("FUZZ_SECONDS").map(Duration::from_secs);
    let seed = setting("FUZZ_SEED").unwrap_or_else(|| match limit {
        // A run of this kind looks for what the last one has not found.
        Some(_) => fastrand::u64(..),
        None => 20_261_120,
    });
    let one = |number: u64| {
        let _named = Named(seed, number);
        let mut rng = fastrand::Rng::with_seed(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let bytes: Vec<u8> = (0..rng.usize(8..256)).map(|_| rng.u8(..)).collect();
        check(&mut Choices::of(&bytes));
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

#[cfg(not(fuzzing))]
fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number")),
    )
}

/// Says which input it was, when a check panics.
#[cfg(not(fuzzing))]
struct Named(u64, u64);

#[cfg(not(fuzzing))]
impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("FUZZ_SEED={} FUZZ_ONLY={}", self.0, self.1);
        }
    }
}
