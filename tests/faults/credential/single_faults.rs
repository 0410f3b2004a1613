//! One fault at every call of every request of every scenario.

use crate::fixture::late;
use crate::scenarios::scenarios;
use fake_aws::explore::paused;
use fake_aws::schedules::SingleFault;
use fake_aws::{FaultKind, Options, Schedules};

/// Tries faults at every call, of which `SCHEDULES=ci` runs one in twice so many.
fn every_single_fault(
    options: &Options,
    delivers_twice: bool,
    kinds: &[FaultKind],
    one_in: u64,
) -> Schedules {
    let mut schedules = Schedules::one_in(one_in);
    for mut scenario in scenarios() {
        scenario.delivers_twice = delivers_twice;
        let play = |faults: &[SingleFault]| paused(scenario.play(options.clone(), faults));
        let calls = play(&[]).journal();
        let faults = calls
            .iter()
            .flat_map(|call| SingleFault::each_of(call, kinds));
        let name = |fault: &SingleFault| format!("{}: {fault}", scenario.name);
        let of_this = schedules.single_faults(faults, name, play);
        if !delivers_twice {
            fake_aws::figure!(
                "schedules: {of_this:>4} single faults in \"{}\"",
                scenario.name
            );
        }
    }
    schedules
}

#[test]
fn single_faults_break_no_invariant() {
    let schedules = every_single_fault(&Options::default(), false, &FaultKind::EACH, 2)
        .report("single faults in all");
    assert!(schedules > 500);
}

#[test]
fn single_faults_with_late_iam_and_duplicate_delivery() {
    let schedules = every_single_fault(&late(), true, &FaultKind::EACH, 7)
        .report("single faults with IAM late and every request delivered twice");
    assert!(schedules > 500);
}

#[test]
fn lost_connections_break_no_invariant() {
    let schedules =
        every_single_fault(&late(), false, &FaultKind::SILENT, 3).report("calls that hang");
    assert!(schedules > 100);
}
