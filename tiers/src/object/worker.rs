//! A thread that runs requests on a runtime of its own: callers only wait, and may themselves be threads of somebody
//! else's runtime, where blocking on a second one panics.
//!
//! A request that has begun is never cancelled: one that its caller no longer waits for still runs to its end, and what
//! it finds out about the store is not lost. Requests run side by side, a bounded number at a time.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How many requests run at a time.
const RUNNING_MAX: usize = 32;
/// How many more may wait: what a store that hangs can make us hold.
const WAITING_MAX: usize = 64;

/// How long a thread for blocking calls stays without one.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The thread; it ends when this is dropped and the requests in hand are done.
#[derive(Debug)]
pub(super) struct Worker {
    jobs: Sender<Job>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// Not in time: the request may still be carried out.
    Late,
    /// Too many are waiting: the request is not carried out.
    Busy,
    /// The request has died of a panic.
    Dead,
}

impl Worker {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().thread_keep_alive(FOR_EVER).build()?;
        // The runtime panics where it can have no thread for blocking calls; with one that stays, others may be missing.
        let first = || runtime.spawn_blocking(|| ());
        catch_unwind(AssertUnwindSafe(first)).map_err(|_| io::Error::from_raw_os_error(libc::EAGAIN))?;
        let (jobs, queue) = channel::<Job>(WAITING_MAX);
        let work = move || {
            runtime.block_on(run_all(queue));
            // Blocking calls that hang are left behind.
            runtime.shutdown_background();
        };
        thread::Builder::new().name("tierlog-object".to_owned()).spawn(work)?;
        Ok(Self { jobs })
    }

    /// Runs `request`, and waits up to `wait_max` for its end.
    pub(super) fn run<T: Send + 'static>(
        &self,
        wait_max: Duration,
        request: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, NoAnswer> {
        let (reply, answer) = sync_channel(1);
        let waiting = Arc::new(());
        let awaited = Arc::downgrade(&waiting);
        let job: Job = Box::pin(async move {
            if awaited.strong_count() > 0 {
                // Nobody takes a late answer, and nobody misses it.
                let _ = reply.send(request.await);
            }
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => NoAnswer::Busy,
            TrySendError::Closed(_) => NoAnswer::Dead,
        })?;
        answer.recv_timeout(wait_max).map_err(|error| match error {
            RecvTimeoutError::Timeout => NoAnswer::Late,
            RecvTimeoutError::Disconnected => NoAnswer::Dead,
        })
    }
}

async fn run_all(mut queue: Receiver<Job>) {
    let room = Arc::new(Semaphore::new(RUNNING_MAX));
    let mut running = JoinSet::new();
    loop {
        // The semaphore is never closed.
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let Some(job) = queue.recv().await else { break };
        running.spawn(async move {
            job.await;
            drop(place);
        });
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use tokio::sync::oneshot;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_late_request_runs_to_its_end_and_holds_up_no_other() {
        let worker = Worker::start().unwrap();
        let (open, gate) = oneshot::channel::<()>();
        let (done, ended) = channel();
        let late = worker.run(Duration::from_millis(100), async move {
            gate.await.unwrap();
            done.send("late").unwrap();
        });
        assert_eq!(late, Err(NoAnswer::Late));
        assert_eq!(worker.run(LONG, async { 7 }), Ok(7));
        open.send(()).unwrap();
        assert_eq!(ended.iter().collect::<Vec<_>>(), ["late"]);
    }

    #[test]
    fn a_store_that_hangs_holds_a_bounded_number() {
        let worker = Arc::new(Worker::start().unwrap());
        let gate = Arc::new(Semaphore::new(0));
        let (begin, begun) = channel();
        let hang = || {
            let (worker, gate, begin) = (worker.clone(), gate.clone(), begin.clone());
            let request = async move {
                begin.send(()).unwrap();
                drop(gate.acquire().await);
            };
            thread::spawn(move || worker.run(LONG, request))
        };
        let hanging: Vec<_> = (0..RUNNING_MAX).map(|_| hang()).collect();
        begun.iter().take(RUNNING_MAX).for_each(drop);
        let (ran, told) = channel();
        for _ in 0..WAITING_MAX {
            let ran = ran.clone();
            let late = worker.run(Duration::from_millis(1), async move { ran.send(()).unwrap() });
            assert_eq!(late, Err(NoAnswer::Late));
        }
        let busy = worker.run(LONG, async move { ran.send(()).unwrap() });
        assert_eq!(busy, Err(NoAnswer::Busy));
        gate.add_permits(RUNNING_MAX);
        for request in hanging {
            assert_eq!(request.join().unwrap(), Ok(()));
        }
        while worker.run(LONG, async {}) == Err(NoAnswer::Busy) {}
        // What nobody waits for any more is not begun.
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn a_panic_ends_its_request_alone() {
        let worker = Worker::start().unwrap();
        assert_eq!(worker.run(LONG, async { panic!("on purpose") }), Err::<(), _>(NoAnswer::Dead));
        assert_eq!(worker.run(LONG, async { 1 }), Ok(1));
    }
}
