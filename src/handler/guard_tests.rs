use std::sync::mpsc;

use crate::handler::guard::*;

const SOON: Duration = Duration::from_millis(100);

#[tokio::test]
async fn panic_is_caught_at_every_poll() {
    assert_eq!(catch_panic(async { 7 }).await, Some(7));
    assert_eq!(
        catch_panic(async { panic!("a sentinel") }).await,
        None::<()>
    );
    let later = async {
        tokio::task::yield_now().await;
        panic!("a sentinel")
    };
    assert_eq!(catch_panic(later).await, None::<()>);
}

#[tokio::test]
async fn work_that_blocks_its_thread_ends_before_its_time() {
    let (release, blocked) = mpsc::channel::<()>();
    let work = async move {
        let _ = blocked.recv();
    };
    let worker = Worker::start().expect("a thread");
    let done = run_guarded(&worker, work, SOON).await;
    assert!(matches!(done, Err(HandlerError::OutOfTime(_))));
    release.send(()).expect("the task still waits");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_guard_ends_the_work() {
    let (held, holder) = mpsc::channel::<()>();
    let work = async move {
        let _held = held;
        std::future::pending::<()>().await;
    };
    // The work begins, and the wait for it ends.
    let waited = tokio::time::timeout(SOON / 10, run_guarded(&Worker::default(), work, SOON)).await;
    assert!(waited.is_err());
    tokio::task::yield_now().await;
    assert_eq!(holder.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}
