//! Where the work on requests runs: on a thread of its own, so that blocked work delays no
//! response.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A thread that does not run a task within this time is blocked.
const BLOCKED_AFTER: Duration = Duration::from_millis(500);

/// Runs the work on requests. The default runs it on its caller's runtime, which is for tests.
///
/// One thread for the work is enough, because it waits most of the time. A runtime with several
/// threads passes each of a call's steps from one to another, which takes longer than the step.
#[derive(Clone, Debug, Default)]
pub struct Worker {
    thread: Option<Arc<WorkerThread>>,
    /// Each task of the work has a clone, until its future is dropped.
    tasks: Arc<()>,
}

#[derive(Debug)]
struct WorkerThread {
    runtime: Handle,
    /// The thread ends when this is dropped.
    _ends: oneshot::Sender<()>,
}

impl Worker {
    /// Starts a thread for the work.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (ends, ended) = oneshot::channel::<()>();
        let run = move || drop(runtime.block_on(ended));
        thread::Builder::new().name("worker".to_owned()).spawn(run)?;
        let thread = WorkerThread {
            runtime: handle,
            _ends: ends,
        };
        Ok(Worker {
            thread: Some(Arc::new(thread)),
            tasks: Arc::default(),
        })
    }

    /// Runs `work`, which continues if the returned handle is dropped.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let task = Arc::clone(&self.tasks);
        let work = async move {
            let done = work.await;
            drop(task);
            done
        };
        match &self.thread {
            Some(thread) => thread.runtime.spawn(work),
            None => tokio::spawn(work),
        }
    }

    /// Whether earlier work blocks the thread although it was aborted. Call this before an event,
    /// and start another worker if it is.
    pub async fn is_blocked(&self) -> bool {
        let is_idle = Arc::strong_count(&self.tasks) == 1;
        match &self.thread {
            Some(thread) if !is_idle => {
                let response = thread.runtime.spawn(async {});
                let response = tokio::time::timeout(BLOCKED_AFTER, response).await;
                !matches!(response, Ok(Ok(())))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
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
}
