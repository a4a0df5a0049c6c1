//! A thread that runs requests one after the other, on a runtime of its own: callers only wait, and may themselves be
//! threads of somebody else's runtime, where blocking on a second one panics.
//!
//! A request is never cancelled: one that its caller no longer waits for still runs to its end, before the next, and
//! what it finds out about the store is not lost.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

type Job = Box<dyn FnOnce(&Runtime) + Send>;

/// How many requests may wait: what a store that hangs can make us hold.
const WAITING_MAX: usize = 64;

/// The thread; it ends when this is dropped and the request in hand is done.
#[derive(Debug)]
pub(super) struct Worker {
    jobs: SyncSender<Job>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// Not in time: the request may still be carried out.
    Late,
    /// Too many are waiting: the request is not carried out.
    Busy,
    /// The thread has died of a panic, in this request or earlier.
    Dead,
}

impl Worker {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().build()?;
        let (jobs, queue) = sync_channel::<Job>(WAITING_MAX);
        thread::Builder::new().name("tierlog-object".to_owned()).spawn(move || {
            for job in queue {
                job(&runtime);
            }
        })?;
        Ok(Self { jobs })
    }

    /// Runs `request` after those before it, and waits up to `wait_max` for its end.
    pub(super) fn run<T: Send + 'static>(
        &self,
        wait_max: Duration,
        request: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, NoAnswer> {
        let (reply, answer) = sync_channel(1);
        let waiting = Arc::new(());
        let awaited = Arc::downgrade(&waiting);
        let job: Job = Box::new(move |runtime| {
            if awaited.strong_count() > 0 {
                // Nobody takes a late answer, and nobody misses it.
                let _ = reply.send(runtime.block_on(request));
            }
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => NoAnswer::Busy,
            TrySendError::Disconnected(_) => NoAnswer::Dead,
        })?;
        answer.recv_timeout(wait_max).map_err(|error| match error {
            RecvTimeoutError::Timeout => NoAnswer::Late,
            RecvTimeoutError::Disconnected => NoAnswer::Dead,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_late_request_runs_to_its_end_and_an_abandoned_one_not_at_all() {
        let worker = Worker::start().unwrap();
        let (open, gate) = channel::<()>();
        let (start, started) = channel();
        let (done, ended) = channel();
        let also_done = done.clone();
        let late = thread::scope(|scope| {
            let late = scope.spawn(|| {
                worker.run(Duration::from_secs(2), async move {
                    start.send(()).unwrap();
                    gate.recv().unwrap();
                    done.send("late").unwrap();
                })
            });
            started.recv().unwrap();
            late.join().unwrap()
        });
        assert_eq!(late, Err(NoAnswer::Late));
        let abandoned =
            worker.run(Duration::from_millis(1), async move { also_done.send("abandoned").unwrap() });
        assert_eq!(abandoned, Err(NoAnswer::Late));
        open.send(()).unwrap();
        assert_eq!(worker.run(LONG, async { 7 }), Ok(7));
        assert_eq!(ended.iter().collect::<Vec<_>>(), ["late"]);
    }

    #[test]
    fn a_hanging_request_holds_up_a_bounded_number() {
        let worker = Worker::start().unwrap();
        let (open, gate) = channel::<()>();
        let (start, started) = channel();
        thread::scope(|scope| {
            let hanging = scope.spawn(|| {
                worker.run(LONG, async move {
                    start.send(()).unwrap();
                    gate.recv()
                })
            });
            started.recv().unwrap();
            for _ in 0..WAITING_MAX {
                assert_eq!(worker.run(Duration::from_millis(1), async {}), Err(NoAnswer::Late));
            }
            assert_eq!(worker.run(LONG, async {}), Err(NoAnswer::Busy));
            open.send(()).unwrap();
            assert_eq!(hanging.join().unwrap(), Ok(Ok(())));
        });
    }

    #[test]
    fn a_panic_is_told_now_and_later() {
        let worker = Worker::start().unwrap();
        assert_eq!(worker.run(LONG, async { panic!("on purpose") }), Err::<(), _>(NoAnswer::Dead));
        assert_eq!(worker.run(LONG, async {}), Err(NoAnswer::Dead));
    }
}
