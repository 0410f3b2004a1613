use aws_sdk_iam::types::Tag;
use std::{cell::RefCell, collections::BTreeSet, time::Duration};
use tokio::time::sleep;

use fake_aws::{
    FakeAws, Fault, FaultKind, Line, Run,
    clients::Clients,
    explore::{Explored, Schedule, explore, explore_ends, explore_reduced, explore_with_holds},
};

/// Two copies with clients that last for all runs.
struct Copies {
    lines: [Line; 2],
    clients: [Clients; 2],
}

impl Copies {
    fn new() -> Self {
        let lines = [Line::new(), Line::new()];
        let clients = [
            Clients::over(lines[0].connector()),
            Clients::over(lines[1].connector()),
        ];
        Self { lines, clients }
    }

    /// Puts both into a new fake AWS under this schedule.
    fn enter(&self, schedule: &Schedule) -> (FakeAws, [Clients; 2]) {
        let fake = FakeAws::new();
        fake.user("mirror");
        fake.obey(schedule);
        for (line, name) in self.lines.iter().zip(["a", "b"]) {
            line.connect(&fake.caller(name));
        }
        (fake, self.clients.clone())
    }
}

async fn tag(clients: &Clients, key: &str, value: &str) {
    let tag = Tag::builder().key(key).value(value).build().unwrap();
    let request = clients.iam.tag_user().user_name("mirror").tags(tag);
    request.send().await.unwrap();
}

async fn tags(clients: &Clients) -> usize {
    let request = clients.iam.list_user_tags().user_name("mirror");
    request.send().await.unwrap().tags().len()
}

/// Who called, in the order in which AWS met the calls.
fn order(fake: &FakeAws) -> String {
    fake.journal()
        .iter()
        .map(|entry| entry.caller.as_str())
        .collect()
}

fn complete(runs: usize, repeated: usize) -> Explored {
    Explored {
        runs,
        repeated,
        complete: true,
    }
}

#[test]
fn two_callers_meet_in_exactly_m_plus_n_choose_m_orders() {
    let copies = Copies::new();
    for (m, n, expected) in [
        (0, 3, 1),
        (1, 1, 2),
        (2, 2, 6),
        (3, 2, 10),
        (4, 4, 70),
        (5, 4, 126),
    ] {
        let orders = RefCell::new(BTreeSet::new());
        let explored = explore(1000, async |schedule| {
            let (fake, [a, b]) = copies.enter(&schedule);
            let calls = async |clients: Clients, count| {
                for _ in 0..count {
                    tags(&clients).await;
                }
            };
            schedule.both(calls(a, m), calls(b, n)).await;
            orders.borrow_mut().insert(order(&fake));
        });
        assert_eq!(explored, complete(expected, 0), "{m} and {n}");
        assert_eq!(orders.borrow().len(), expected, "{m} and {n}");
    }
}

#[test]
fn three_callers_meet_in_every_order() {
    let copies = Copies::new();
    let third = Line::new();
    let third_clients = Clients::over(third.connector());
    let explored = explore(1000, async |schedule| {
        let (fake, [a, b]) = copies.enter(&schedule);
        third.connect(&fake.caller("c"));
        let calls = async |clients: Clients| {
            tags(&clients).await;
            tags(&clients).await;
        };
        let works = vec![calls(a), calls(b), calls(third_clients.clone())];
        assert_eq!(schedule.all(works).await.len(), 3);
    });
    assert_eq!(explored, complete(90, 0));
}

#[test]
fn search_reports_that_it_reached_its_limit() {
    let copies = Copies::new();
    let explored = explore(5, async |schedule| {
        let (_, [a, b]) = copies.enter(&schedule);
        let calls = async |clients: Clients| {
            tags(&clients).await;
            tags(&clients).await;
        };
        schedule.both(calls(a), calls(b)).await;
    });
    assert_eq!(
        explored,
        Explored {
            runs: 5,
            repeated: 0,
            complete: false
        }
    );
}

/// A caller that sleeps between two reads, and one that writes four times.
async fn sleeper_and_writer(
    copies: &Copies,
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
    let copies = Copies::new();
    let seen = RefCell::new(BTreeSet::new());
    let explored = explore(100, |schedule| sleeper_and_writer(&copies, schedule, &seen));
    // Five places for the first read. The second one follows the last write.
    assert_eq!(explored, complete(5, 0));
    assert!(seen.borrow().iter().all(|looks| looks[1] == 4));
}

#[test]
fn call_that_is_held_lets_the_sleeper_overtake() {
    let copies = Copies::new();
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
    let copies = Copies::new();
    let ends = RefCell::new(BTreeSet::new());
    let run = async |schedule: Schedule| {
        let (fake, [a, b]) = copies.enter(&schedule);
        let work = async |clients: Clients, name: &str| {
            let mut seen = vec![];
            for step in 0..2 {
                seen.push(tags(&clients).await);
                tag(&clients, &format!("{name}-{step}"), "").await;
                let _ = clients
                    .secrets
                    .describe_secret()
                    .secret_id("none")
                    .send()
                    .await;
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
    let copies = Copies::new();
    let ends = RefCell::new(BTreeSet::new());
    let run = async |schedule: Schedule| {
        let (fake, [a, b]) = copies.enter(&schedule);
        let put = async |clients: Clients, value: &str| {
            let call = clients.secrets.create_secret().name("one");
            let made = call.secret_string(value).send().await;
            made.is_ok()
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
    let copies = Copies::new();
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
        assert_eq!(
            fake.look(|aws| aws.iam.latest().users["mirror"].tags.len()),
            4
        );
    });
    assert_eq!(explored, complete(6, 0));
}
