//! A thousand stacks at once, in simulated time: how long until all are answered while AWS throttles,
//! who waits longest, and that nothing is left. `docs/scale.md` tells what comes of it.

/// Prints a figure of a run, also when the test passes: the harness captures `println!`.
macro_rules! figure {
    ($($text:tt)*) => {{
        use std::io::Write;
        let line = format!($($text)*);
        // Nobody reads it where standard output is closed.
        let _ = writeln!(std::io::stdout(), "{line}");
    }};
}

#[path = "../support/mod.rs"]
mod support;

mod at_once;
mod curve;
mod lambda;
mod measured;
mod plot;
mod rates;
mod stacks;
