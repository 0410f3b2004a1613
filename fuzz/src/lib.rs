//! Fuzzing of the parsers of outside input: how a target runs, and its inputs.
//!
//! A target turns bytes into an input that is almost valid, passes it to one parser, and asserts
//! what must hold for every input. The targets are tests, in `tests/`. They reach private parsers
//! through modules `fuzzing` of the product, which only the feature `fuzzing` compiles.
//!
//! `cargo test` runs each target over a bounded number of fixed inputs. `make fuzz SECONDS=60` runs
//! each for that time, over other inputs every time. `FUZZ_SEED` repeats a run, `FUZZ_ONLY` one of
//! its inputs: a failure prints both. If built with `--cfg fuzzing`, as `cargo bolero test` does, the
//! bytes come from a fuzzer that coverage guides: `docs/concepts/security.md`.

mod input;

pub use input::{Choices, SENTINEL, strings_in};

/// The default number of inputs of a run.
#[cfg(not(fuzzing))]
const COUNT: u64 = 8000;

/// Runs a target: a function of [`Choices`].
#[macro_export]
macro_rules! fuzz {
    ($check:expr) => {{
        #[cfg(not(fuzzing))]
        $crate::run($check);
        #[cfg(fuzzing)]
        bolero::check!().for_each(|bytes: &[u8]| $check(&mut $crate::Choices::of(bytes)));
    }};
}

/// Hands `check` one input after another.
#[cfg(not(fuzzing))]
pub fn run(check: impl Fn(&mut Choices<'_>)) {
    use std::time::{Duration, Instant};

    let limit = setting("FUZZ_SECONDS").map(Duration::from_secs);
    let seed = setting("FUZZ_SEED").unwrap_or_else(|| match limit {
        // Each such run tries other inputs than the last one.
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

/// Reports the input if a check panics.
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
