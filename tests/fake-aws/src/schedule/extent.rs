//! How many of the schedules run: the environment variable `SCHEDULES`.
//!
//! | Value | Runs |
//! |---|---|
//! | `test`, the default | a part of the schedules, and of each exploration some orders at random |
//! | `ci` | twice as many |
//! | `all` | every schedule and exploration, and larger samples |
//!
//! The same ones each time: a schedule's name decides.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Test,
    Ci,
    All,
}

/// # Panics
/// If `SCHEDULES` has another value: a misspelled one would run less than expected.
pub(crate) fn extent() -> Extent {
    match std::env::var("SCHEDULES").as_deref() {
        Err(_) | Ok("" | "test") => Extent::Test,
        Ok("ci") => Extent::Ci,
        Ok("all") => Extent::All,
        Ok(other) => panic!("SCHEDULES={other}: test, ci or all"),
    }
}

/// Whether the schedule of this name runs, if with `ci` one in four times `one_in` does.
pub(crate) fn includes(name: &str, one_in: u64) -> bool {
    let divisor = match extent() {
        Extent::Test => 8 * one_in,
        Extent::Ci => 4 * one_in,
        Extent::All => 1,
    };
    // FNV-1a: the same in each run, and on each machine.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32).is_multiple_of(divisor)
}

/// `some`, or with `all` the larger number.
pub fn some_or<T>(some: T, all: T) -> T {
    if extent() == Extent::All { all } else { some }
}

/// The number of random cases: an eighth of `some`, with `ci` a quarter, and with `all` the larger
/// number.
pub fn cases(some: u64, all: u64) -> u64 {
    match extent() {
        Extent::Test => some.div_ceil(8),
        Extent::Ci => some.div_ceil(4),
        Extent::All => all,
    }
}
