use std::sync::mpsc;

use super::*;

#[tokio::test]
async fn blocked_thread_is_noticed_and_delays_no_other() {
    let worker = Worker::start().expect("a thread");
    assert_eq!(worker.spawn(async { 7 }).await.ok(), Some(7));
    assert!(!worker.is_blocked().await);
    let (release, blocked) = mpsc::channel::<()>();
    let (starts, started) = oneshot::channel::<()>();
    let work = worker.spawn(async move {
        // A task that was aborted before it began would not block.
        starts.send(()).is_ok() && blocked.recv().is_ok()
    });
    started.await.expect("the work begins");
    work.abort();
    assert!(worker.is_blocked().await);
    let other = Worker::start().expect("a thread");
    assert_eq!(other.spawn(async { 7 }).await.ok(), Some(7));
    release.send(()).expect("the work still waits");
    assert!(!worker.is_blocked().await);
}

#[tokio::test]
async fn aborted_work_that_waits_does_not_block() {
    let worker = Worker::start().expect("a thread");
    let work = worker.spawn(std::future::pending::<()>());
    work.abort();
    assert!(!worker.is_blocked().await);
}

#[tokio::test]
async fn work_of_the_default_runs_here() {
    let here = thread::current().id();
    let there = Worker::default().spawn(async { thread::current().id() });
    assert_eq!(there.await.ok(), Some(here));
    let started = Worker::start().expect("a thread");
    let there = started.spawn(async { thread::current().id() });
    assert_ne!(there.await.ok(), Some(here));
}

#[tokio::test]
async fn thread_ends_with_its_last_worker() {
    let worker = Worker::start().expect("a thread");
    let same = worker.clone();
    drop(worker);
    let (held, holder) = mpsc::channel::<()>();
    let work = same.spawn(async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    drop(same);
    assert_eq!(holder.recv(), Err(mpsc::RecvError));
    assert!(work.await.is_err());
}
