//! Whole lives of a `Custom::MirrorCredential` with mirrors and rotation, over an AWS and a GitLab
//! in this process: every fault at every call, rotation beside updates, a year of rotations. What
//! is asked of every life is that a push to GitLab arrives, whenever it is made.

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

mod abandoned;
mod at_once;
mod by_hand;
mod checks;
mod deliveries;
mod drift;
mod histories;
mod hostile;
mod life;
mod limits;
mod lives;
mod mutants;
mod pending;
mod refusals;
mod scene;
mod single_faults;
mod year;
