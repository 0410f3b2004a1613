//! Histories at random.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::{handle::faults::FaultKind, schedule::single_faults::SingleFault};

/// Plays so many histories at random, and prints their number. The same ones each time: another
/// seed is a change of one line.
pub fn play_histories<T: std::fmt::Debug>(
    cases: u64,
    seed: u8,
    histories: impl Strategy<Value = T>,
    play: impl Fn(T),
) {
    let config = Config {
        cases: u32::try_from(cases).expect("a small number"),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&histories, |history| {
        play(history);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    crate::figure!("schedules: {cases} histories at random");
}

/// Up to two faults of any kind at calls of the first or second delivery of `requests`. Not all
/// strike.
pub fn faults_at_random(
    requests: impl Strategy<Value = String>,
    calls: usize,
) -> impl Strategy<Value = Vec<SingleFault>> {
    let kinds = [&FaultKind::EACH[..], &FaultKind::SILENT].concat();
    let one = (requests, 1..3usize, 0..calls, select(kinds));
    let fault = one.prop_map(|(request, delivery, index, kind)| SingleFault {
        caller: format!("{request}.{delivery}"),
        index,
        kind,
    });
    prop::collection::vec(fault, 0..3)
}
