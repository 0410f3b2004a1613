//! Tries every order in which concurrent callers' calls can run: a run follows
//! a path of choices and extends it, and the next run takes another choice at the
//! last point that has one, depth first. Runs are deterministic under tokio's paused clock.

mod path;
mod races;

use fastrand::Rng;
use std::{
    cell::Cell,
    future::{Future, pending},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{sync::Notify, time};

use crate::{
    failures,
    handle::{
        FakeAws,
        gate::{Gate, GatedCall},
    },
    schedule::extent::{self, Extent},
};
use path::{Point, ScheduleStep};

/// The orders at random that stand for an exploration, before [`extent::cases`] takes a part of them.
const ORDERS: u64 = 200;

/// If nothing changes for this long, every caller waits for something that never happens.
const STUCK: Duration = Duration::from_hours(24);

/// The result of an exploration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explored {
    /// Runs that went through to the end.
    pub runs: usize,
    /// Runs that were stopped because they equal an earlier one (see [`explore_reduced`]).
    pub repeated: usize,
    /// False when the limit ended it.
    pub complete: bool,
}

/// Runs `run` once for every order of its callers' calls, at most `limit` times.
///
/// Each run needs a fake AWS of its own that obeys the schedule, and hands its
/// callers' work to [`Schedule::both`] or [`Schedule::all`]. When a run panics
/// its schedule is printed.
pub fn explore(limit: usize, run: impl AsyncFnMut(Schedule)) -> Explored {
    search(limit, Rules::default(), run)
}

/// As [`explore`], and up to `holds` times in a run a call that waits may also
/// be held back until a caller that sleeps has woken and calls: a slow network
/// against a short sleep.
pub fn explore_with_holds(limit: usize, holds: usize, run: impl AsyncFnMut(Schedule)) -> Explored {
    let rules = Rules {
        holds,
        ..Rules::default()
    };
    search(limit, rules, run)
}

/// As [`explore`], without redundant orders. An order is redundant if it differs from a tried one
/// only by two swapped neighbours, of which one is a read that cannot see the other. Every order of
/// changes is tried, and every read before and after each change that it can see.
///
/// A point of a run gets another choice only if its call races with a later one
/// ([`races::reversals`]: source sets, Abdulla et al. 2014). A choice that would repeat an earlier
/// run is asleep (sleep sets, Godefroid 1996).
pub fn explore_reduced(limit: usize, run: impl AsyncFnMut(Schedule)) -> Explored {
    let rules = Rules {
        reduced: true,
        ..Rules::default()
    };
    search(limit, rules, run)
}

/// Like [`explore_reduced`], but also omits orders that differ by swapping two
/// changes that cannot observe each other: for tests that check the final state, and
/// not the states in between.
pub fn explore_ends(limit: usize, run: impl AsyncFnMut(Schedule)) -> Explored {
    let rules = Rules {
        reduced: true,
        looks_at_ends: true,
        ..Rules::default()
    };
    search(limit, rules, run)
}

/// Runs `run` in so many orders at random, where there are too many to try each: a call may be held
/// back up to `holds` times in a run. The same ones each time. Returns the number of runs:
/// [`extent`] may leave some out.
pub fn sample(runs: u64, holds: usize, mut run: impl AsyncFnMut(Schedule)) -> u64 {
    let runs = extent::cases(runs, runs);
    for seed in 0..runs {
        let rules = Rules {
            holds,
            seed: Some(seed),
            ..Rules::default()
        };
        let schedule = Schedule::new(vec![], rules);
        let work = Box::pin(run(schedule.clone()));
        schedule.watch(|| paused(work));
    }
    runs
}

/// A sample of the orders. With `all`, every order, with `explore`, such as [`explore_reduced`].
pub fn orders<F: AsyncFnMut(Schedule)>(
    explore: fn(usize, F) -> Explored,
    limit: usize,
    run: F,
) -> Explored {
    if extent::extent() == Extent::All {
        return explore(limit, run);
    }
    let runs = sample(ORDERS, 0, run);
    Explored {
        runs: usize::try_from(runs).unwrap_or_default(),
        repeated: 0,
        complete: true,
    }
}

/// Runs one future under a paused clock, outside of `#[tokio::test]`. The product's random pauses
/// are the same each time. The text of a panic gets the journals of the run's fakes.
pub fn paused<T>(work: impl Future<Output = T>) -> T {
    let mut output = None;
    run_paused(pin!(async { output = Some(work.await) }));
    output.expect("the runtime runs the future to its end")
}

/// Tokio's scheduler is generic over the future. It is compiled once here, and not for every test.
fn run_paused(work: Pin<&mut dyn Future<Output = ()>>) {
    fastrand::seed(7);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.expect("a runtime without I/O needs nothing");
    failures::with_journals(|| runtime.block_on(work));
}

fn search(limit: usize, rules: Rules, mut run: impl AsyncFnMut(Schedule)) -> Explored {
    let mut explored = Explored {
        runs: 0,
        repeated: 0,
        complete: false,
    };
    let mut path = vec![];
    while explored.runs + explored.repeated < limit {
        let schedule = Schedule::new(path, rules);
        let work = Box::pin(run(schedule.clone()));
        let run = async {
            tokio::select! {
                biased;
                () = work => true,
                () = schedule.shared.given_up.notified() => false,
            }
        };
        let is_new = schedule.watch(|| paused(run));
        explored.runs += usize::from(is_new);
        explored.repeated += usize::from(!is_new);
        if let Some(next) = schedule.next() {
            path = next;
        } else {
            explored.complete = true;
            break;
        }
    }
    explored
}

#[derive(Clone, Copy, Default)]
struct Rules {
    holds: usize,
    reduced: bool,
    /// Of two changes that cannot see each other one order is enough.
    looks_at_ends: bool,
    /// The source of random choices.
    seed: Option<u64>,
}

/// One order of calls, as far as it is chosen.
#[derive(Clone)]
pub struct Schedule {
    gate: Gate,
    shared: Arc<ScheduleState>,
}

struct ScheduleState {
    rules: Rules,
    given_up: Notify,
    course: Mutex<Course>,
}

#[derive(Default)]
struct Course {
    /// The points that earlier runs have left, which this run follows, and its own ones.
    path: Vec<Point>,
    /// How many points of the path were passed.
    passed: usize,
    /// Calls that would only repeat an earlier run if they came next.
    asleep: Vec<GatedCall>,
    holds: usize,
    random: Option<Rng>,
}

impl Rules {
    /// Whether the order of the two makes no difference.
    fn commute(self, one: &GatedCall, other: &GatedCall) -> bool {
        one.commutes_with(other) || (self.looks_at_ends && one.is_apart_from(other))
    }
}

impl Course {
    /// `None` if every option would repeat an earlier run.
    fn new_point(&mut self, options: Vec<ScheduleStep>, rules: Rules) -> Option<Point> {
        let asleep = std::mem::take(&mut self.asleep);
        let is_awake = |step: &&ScheduleStep| step.call().is_none_or(|call| !asleep.contains(call));
        let awake: Vec<_> = options.iter().filter(is_awake).collect();
        let first = match &mut self.random {
            Some(random) if awake.len() > 1 => random.usize(..awake.len()),
            _ => 0,
        };
        let taken = (*awake.get(first)?).clone();
        Some(Point::new(options, asleep, taken, !rules.reduced))
    }
}

impl FakeAws {
    /// Makes this fake AWS's calls wait for a schedule.
    pub fn obey(&self, schedule: &Schedule) {
        self.wait_at(schedule.gate.clone());
    }
}

impl Schedule {
    fn new(path: Vec<Point>, rules: Rules) -> Self {
        Self {
            gate: Gate::default(),
            shared: Arc::new(ScheduleState {
                rules,
                given_up: Notify::new(),
                course: Mutex::new(Course {
                    path,
                    random: rules.seed.map(Rng::with_seed),
                    ..Course::default()
                }),
            }),
        }
    }

    /// Distinguishes random runs. 0 for others.
    pub fn seed(&self) -> u64 {
        self.shared.rules.seed.unwrap_or(0)
    }

    /// Runs two callers' work at once, call by call in this schedule's order.
    /// Calls before and after pass freely.
    pub fn both<A, B>(
        &self,
        one: impl Future<Output = A>,
        other: impl Future<Output = B>,
    ) -> impl Future<Output = (A, B)> {
        // An SDK call's future is large; on the heap, many fit a test's stack.
        let (one, other) = (Box::pin(one), Box::pin(other));
        async move {
            let running = Cell::new(2);
            self.conducted(&running, async {
                tokio::join!(self.part(&running, one), self.part(&running, other))
            })
            .await
        }
    }

    /// As [`Schedule::both`] for any number of callers.
    pub async fn all<T>(&self, works: Vec<impl Future<Output = T>>) -> Vec<T> {
        let running = Cell::new(works.len());
        let works = works.into_iter();
        let parts = works.map(|work| (Box::pin(self.part(&running, work)), None));
        let mut parts: Vec<_> = parts.collect();
        let work = std::future::poll_fn(|context| {
            for (part, result) in &mut parts {
                if result.is_none()
                    && let std::task::Poll::Ready(value) = part.as_mut().poll(context)
                {
                    *result = Some(value);
                }
            }
            if parts.iter().all(|(_, result)| result.is_some()) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        });
        self.conducted(&running, work).await;
        parts.into_iter().filter_map(|(_, result)| result).collect()
    }

    /// Prints the calls if `run` panics.
    fn watch<T>(&self, run: impl FnOnce() -> T) -> T {
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let (seed, calls) = (self.seed(), self.transcript());
            eprintln!("run {seed} failed under this schedule:\n{calls}");
            resume_unwind(panic)
        })
    }

    /// The calls in order.
    fn transcript(&self) -> String {
        let course = self.course();
        let passed = course.path.iter().take(course.passed);
        let told = passed.map(|point| match &point.taken {
            ScheduleStep::Go(call) => {
                format!("  {} {}:{}\n", call.caller, call.service, call.operation)
            }
            ScheduleStep::Hold => "  (time passes)\n".to_owned(),
        });
        told.collect()
    }

    async fn part<T>(&self, running: &Cell<usize>, work: impl Future<Output = T>) -> T {
        let result = work.await;
        running.set(running.get() - 1);
        self.gate.has_moved();
        result
    }

    async fn conducted<T>(&self, running: &Cell<usize>, work: impl Future<Output = T>) -> T {
        self.gate.close();
        let result = tokio::select! {
            biased;
            result = work => result,
            () = self.conduct(running) => unreachable!("a conductor never stops by itself"),
        };
        self.gate.open();
        result
    }

    async fn conduct(&self, running: &Cell<usize>) {
        loop {
            while self.gate.waiting().is_empty() {
                let moved = time::timeout(STUCK, self.gate.movement()).await;
                assert!(moved.is_ok(), "every caller waits for what never comes");
            }
            // The paused clock moves only when nothing else can: when this is
            // over, everybody waits at the gate or for a later time.
            time::sleep(Duration::from_millis(1)).await;
            let waiting = self.gate.waiting();
            if waiting.is_empty() {
                continue;
            }
            match self.decide(waiting, running.get()) {
                Some(ScheduleStep::Go(call)) => self.gate.let_go(&call),
                Some(ScheduleStep::Hold) => self.hold(running).await,
                None => {
                    self.shared.given_up.notify_one();
                    pending::<()>().await;
                }
            }
        }
    }

    /// Advances time until a caller makes a call or finishes.
    async fn hold(&self, running: &Cell<usize>) {
        let before = (self.gate.arrivals(), running.get());
        while (self.gate.arrivals(), running.get()) == before {
            if time::timeout(STUCK, self.gate.movement()).await.is_err() {
                return;
            }
        }
    }

    fn decide(&self, waiting: Vec<GatedCall>, running: usize) -> Option<ScheduleStep> {
        let rules = self.shared.rules;
        let mut course = self.course();
        let mut callers: Vec<_> = waiting.iter().map(|call| call.caller.clone()).collect();
        callers.dedup();
        let mut options: Vec<_> = waiting.into_iter().map(ScheduleStep::Go).collect();
        if course.holds < rules.holds && callers.len() < running {
            options.push(ScheduleStep::Hold);
        }
        let at = course.passed;
        if let Some(point) = course.path.get(at) {
            let repeats = point.options == options;
            assert!(repeats, "a run that repeats another found another fake");
        } else {
            let point = course.new_point(options, rules)?;
            course.path.push(point);
        }
        course.passed += 1;
        let point = &course.path[at];
        let taken = point.taken.clone();
        match &taken {
            ScheduleStep::Hold => course.holds += 1,
            ScheduleStep::Go(next) if rules.reduced => {
                let commute = |one: &_, other: &_| rules.commute(one, other);
                course.asleep = point.asleep_after(next, commute);
            }
            ScheduleStep::Go(_) => {}
        }
        Some(taken)
    }

    /// The path of the next run, depth first. `None` after the last one.
    fn next(&self) -> Option<Vec<Point>> {
        let rules = self.shared.rules;
        let mut path = std::mem::take(&mut self.course().path);
        if rules.reduced {
            let races = races::reversals(&path, |one, other| rules.commute(one, other));
            for (at, firsts) in races {
                path[at].want_one_of(&firsts);
            }
        }
        while let Some(last) = path.last_mut() {
            if last.advance() {
                return Some(path);
            }
            path.pop();
        }
        None
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.shared.course.lock().expect("no panic under this lock")
    }
}
