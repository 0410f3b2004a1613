//! A day of one execution environment, in simulated time: creates, updates, rotations, first
//! pushes, health checks, deletions and invalid events, hour after hour. The function's memory in
//! the evening is what it was in the morning, and no task still runs.
//!
//! The real process over real connections is soaked in `tests/process`.

mod environment;
mod hours;

use std::time::Duration;

use peak_alloc::PeakAlloc;

use environment::Environment;
use fake_aws::FakeAws;

/// Counts allocations. There is one test in this crate, because every allocation counts.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const HOUR: Duration = Duration::from_hours(1);

/// The time until one-time allocations are complete: connections, caches and so on.
const MORNING: usize = 3;
const EVENING: usize = 24;

/// The difference from hour to hour because of a map's or a list's spare room.
const SLACK: usize = 16 * 1024;

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
            fake.drop_deleted_resources();
            let tasks = tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks();
            assert_eq!(tasks, 0, "after hour {hour} something still runs");
            held.push(HEAP.current_usage());
        }
        assert_eq!(fake.violations(), Vec::<String>::new());
        let (morning, evening) = (held[MORNING - 1], held[EVENING - 1]);
        assert!(
            evening <= morning + SLACK,
            "from {morning} to {evening} bytes: {held:?}"
        );
    });
}
