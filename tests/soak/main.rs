//! A day of one execution environment, in simulated time: creates, updates, rotations, first pushes,
//! health checks, deletions and events that are none, hour after hour. What the function holds in
//! memory in the evening is what it held in the morning, and nothing of it still runs.
//!
//! The real process over real connections is soaked in `tests/process`.

mod environment;
mod hours;

use std::io::Write as _;
use std::time::Duration;

use peak_alloc::PeakAlloc;

use environment::Environment;
use fake_aws::FakeAws;

/// Counts what is allocated. There is one test in this crate, because everything is counted.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const HOUR: Duration = Duration::from_hours(1);

/// Until what is made once has been made: connections, caches, the first of everything.
const MORNING: usize = 3;
const EVENING: usize = 24;

/// What a map's or a list's spare room may differ by from hour to hour.
const SLACK: usize = 16 * 1024;

/// Prints every hour's figures.
const SHOW: &str = "CFN_GITOPS_SHOW_SOAK";

#[test]
fn day_of_events_leaves_no_memory_and_no_task() {
    fastrand::seed(7);
    fake_aws::explore::paused(async {
        let fake = FakeAws::new();
        fake.keep_no_journal();
        hours::prepare(&fake);
        let mut environment = Environment::start(&fake);
        let mut held = Vec::with_capacity(EVENING);
        for hour in 1..=EVENING {
            let begins = tokio::time::Instant::now();
            hours::pass(&fake, &mut environment, hour).await;
            tokio::time::sleep_until(begins + HOUR).await;
            fake.forget_what_is_gone();
            let tasks = tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks();
            assert_eq!(tasks, 0, "after hour {hour} something still runs");
            held.push(HEAP.current_usage());
        }
        assert_eq!(fake.violations(), Vec::<String>::new());
        if std::env::var_os(SHOW).is_some() {
            // Past the harness, which captures `println!`.
            let events = environment.events();
            let line = format!("{events} events; bytes held after each hour: {held:?}");
            let _ = writeln!(std::io::stdout(), "{line}");
        }
        let (morning, evening) = (held[MORNING - 1], held[EVENING - 1]);
        assert!(
            evening <= morning + SLACK,
            "from {morning} to {evening} bytes: {held:?}"
        );
    });
}
