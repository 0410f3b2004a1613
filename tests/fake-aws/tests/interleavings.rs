use aws_sdk_iam::types::Tag;
use std::{cell::RefCell, collections::BTreeSet, time::Duration};
use tokio::time::sleep;

use fake_aws::{
    FakeAws, Fault, FaultKind, Line, Run,
    clients::Clients,
    explore::{Explored, Schedule, explore, explore_ends, explore_reduced, explore_with_holds},
};

/// Copies with clients that last for all runs.
struct Copies<const COUNT: usize> {
    lines: [Line; COUNT],
    clients: [Clients; COUNT],
}

impl<const COUNT: usize> Copies<COUNT> {
    fn new() -> Self {
        let lines = std::array::from_fn(|_| Line::new());
        let clients = lines.each_ref().map(|line: &Line| Clients::over(line.connector()));
        Self { lines, clients }
    }

    /// Puts all into a new fake AWS under this schedule.
    fn enter(&self, schedule: &Schedule) -> (FakeAws, [Clients; COUNT]) {
        let fake = FakeAws::new();
        fake.user("mirror");
        fake.obey(schedule);
        for (line, name) in self.lines.iter().zip(["a", "b", "c"]) {
            line.connect(&fake.caller(name));
        }
        (fake, self.clients.clone())
    }
}

async fn tag(clients: &Clients, key: &str, value: &str) {
    let tag = Tag::builder().key(key).value(value).build().expect("a tag");
    let tagged = send!(clients.iam, tag_user, user_name: "mirror", tags: tag).await;
    tagged.expect("a user");
}

async fn tags(clients: &Clients) -> usize {
    let listed = send!(clients.iam, list_user_tags, user_name: "mirror").await;
    listed.expect("a user").tags().len()
}

/// Who called, in the order in which AWS met the calls.
fn order(fake: &FakeAws) -> String {
    let journal = fake.journal();
    journal.iter().map(|entry| entry.caller.as_str()).collect()
}

fn complete(runs: usize) -> Explored {
    Explored {
        runs,
        repeated: 0,
        complete: true,
    }
}

/// Runs callers that make so many reads, in every order.
fn explore_reads<const COUNT: usize>(limit: usize, counts: [usize; COUNT]) -> (Explored, usize) {
    let copies = Copies::<COUNT>::new();
    let orders = RefCell::new(BTreeSet::new());
    let explored = explore(limit, async |schedule| {
        let (fake, clients) = copies.enter(&schedule);
        let works = clients.iter().zip(counts).map(|(clients, count)| async move {
            for _ in 0..count {
                tags(clients).await;
            }
        });
        assert_eq!(schedule.all(works.collect()).await.len(), COUNT);
        orders.borrow_mut().insert(order(&fake));
    });
    let orders = orders.borrow().len();
    (explored, orders)
}

#[test]
fn callers_meet_in_every_order() {
    for (m, n, expected) in [(0, 3, 1), (1, 1, 2), (3, 2, 10), (5, 4, 126)] {
        let explored = explore_reads(1000, [m, n]);
        assert_eq!(explored, (complete(expected), expected), "{m} and {n}");
    }
    assert_eq!(explore_reads(1000, [2, 2, 2]), (complete(90), 90));
    let (explored, orders) = explore_reads(5, [2, 2]);
    assert!(!explored.complete, "it reached its limit");
    assert_eq!((explored.runs, orders), (5, 5));
}

/// A caller that sleeps between two reads, and one that writes four times.
async fn sleeper_and_writer(
    copies: &Copies<2>,
    schedule: Schedule,
    seen: &RefCell<BTreeSet<Vec<usize>>>,
) {
    let (_, [a, b]) = copies.enter(&schedule);
    let sleeper = async {
        let first = tags(&a).await;
        sleep(Duration::from_secs(2)).await;
        vec![first, tags(&a).await]
    };
    let writer = async {
        for key in ["1", "2", "3", "4"] {
            tag(&b, key, "").await;
        }
    };
    let (looks, ()) = schedule.both(sleeper, writer).await;
    seen.borrow_mut().insert(looks);
}

#[test]
fn caller_that_sleeps_is_not_waited_for() {
    let copies = Copies::<2>::new();
    let seen = RefCell::new(BTreeSet::new());
    let explored = explore(100, |schedule| sleeper_and_writer(&copies, schedule, &seen));
    // Five places for the first read. The second one follows the last write.
    assert_eq!(explored, complete(5));
    assert!(seen.borrow().iter().all(|looks| looks[1] == 4));
}

#[test]
fn call_that_is_held_lets_the_sleeper_overtake() {
    let copies = Copies::<2>::new();
    let seen = RefCell::new(BTreeSet::new());
    let explored = explore_with_holds(1000, 1, |schedule| {
        sleeper_and_writer(&copies, schedule, &seen)
    });
    assert!(explored.complete);
    let every_pair = (0..=4).flat_map(|first| (first..=4).map(move |second| vec![first, second]));
    assert_eq!(*seen.borrow(), every_pair.collect());
}

#[test]
fn reduced_search_reaches_the_same_ends_in_fewer_runs() {
    let copies = Copies::<2>::new();
    let ends = RefCell::new(BTreeSet::new());
    let run = async |schedule: Schedule| {
        let (fake, [a, b]) = copies.enter(&schedule);
        let work = async |clients: Clients, name: &str| {
            let mut seen = vec![];
            for step in 0..2 {
                seen.push(tags(&clients).await);
                tag(&clients, &format!("{name}-{step}"), "").await;
                let missing = send!(clients.secrets, describe_secret, secret_id: "none");
                assert!(missing.await.is_err());
            }
            seen
        };
        let seen = schedule.both(work(a, "a"), work(b, "b")).await;
        let journal = fake.journal();
        let changes = journal.iter().filter(|entry| entry.operation == "TagUser");
        let changes: String = changes.map(|entry| entry.caller.as_str()).collect();
        ends.borrow_mut().insert((seen, changes));
    };
    let whole = explore(100_000, run);
    let all_ends = ends.take();
    let reduced = explore_reduced(100_000, run);
    assert!(whole.complete && reduced.complete);
    assert_eq!(all_ends, ends.take());
    assert_eq!(whole.runs, 924);
    assert!(reduced.runs * 10 < whole.runs, "{reduced:?}");
    assert!(reduced.runs >= all_ends.len(), "{reduced:?}");
}

#[test]
fn search_for_ends_reaches_each_end_in_even_fewer_runs() {
    let copies = Copies::<2>::new();
    let ends = RefCell::new(BTreeSet::new());
    let run = async |schedule: Schedule| {
        let (fake, [a, b]) = copies.enter(&schedule);
        let put = async |clients: Clients, value: &str| {
            let made = send!(clients.secrets, create_secret, name: "one", secret_string: value);
            made.await.is_ok()
        };
        // One changes only IAM, the other only Secrets Manager, and then each the other's.
        let first = async {
            tag(&a, "who", "a").await;
            put(a.clone(), "a").await
        };
        let second = async {
            let is_first = put(b.clone(), "b").await;
            tag(&b, "who", "b").await;
            is_first
        };
        let made = schedule.both(first, second).await;
        let tag = fake.look(|aws| aws.iam.latest().users["mirror"].tags["who"].clone());
        ends.borrow_mut().insert((made, tag));
    };
    let whole = explore(1_000, run);
    let all_ends = ends.take();
    let reduced = explore_reduced(1_000, run);
    assert_eq!(all_ends, ends.take());
    let fewest = explore_ends(1_000, run);
    assert!(whole.complete && reduced.complete && fewest.complete);
    assert_eq!(all_ends, ends.take());
    assert!(fewest.runs < reduced.runs, "{fewest:?} {reduced:?}");
    assert!(fewest.runs >= all_ends.len(), "{fewest:?}");
}

#[test]
fn kill_in_the_middle_leaves_the_other_caller_running() {
    let copies = Copies::<2>::new();
    let explored = explore(100, async |schedule| {
        let (fake, [a, b]) = copies.enter(&schedule);
        let doomed = fake.caller("doomed");
        copies.lines[0].connect(&doomed);
        fake.inject("doomed", Fault::at(1, FaultKind::KilledAfter));
        let first = doomed.run(async {
            for key in ["1", "2", "3"] {
                tag(&a, key, "").await;
            }
        });
        let second = async {
            for key in ["4", "5"] {
                tag(&b, key, "").await;
            }
        };
        let (first, ()) = schedule.both(first, second).await;
        assert_eq!(first, Run::Killed);
        let tags = fake.look(|aws| aws.iam.latest().users["mirror"].tags.len());
        assert_eq!(tags, 4);
    });
    assert_eq!(explored, complete(6));
}
