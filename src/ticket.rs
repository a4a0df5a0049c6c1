//! Tickets: commits that somebody else completes.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tierlog_tiers::sync::{Mutex, MutexGuard};

use crate::durability::Commit;
use crate::error::{Error, Result};
use crate::host::{Bell, Env};

/// Between two looks; the bell comes sooner.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A commit under way. Wait for it, await it, or drop it: the commit goes on all the same.
#[derive(Debug)]
pub struct Ticket {
    state: Arc<Shared>,
}

/// The end that completes a ticket; dropped without a word, it completes it with [`Error::Closed`].
#[derive(Debug)]
pub(crate) struct Completer(Arc<Shared>);

impl Drop for Completer {
    fn drop(&mut self) {
        self.settle(Err(Error::Closed));
    }
}

#[derive(Debug)]
struct Shared {
    env: Arc<dyn Env>,
    state: Mutex<State>,
    done: Bell,
}

#[derive(Debug, Default)]
struct State {
    result: Option<Result<Commit>>,
    settled: bool,
    waker: Option<Waker>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    pub(crate) fn pair(env: &Arc<dyn Env>) -> (Completer, Ticket) {
        let state = Arc::new(Shared { env: env.clone(), state: Mutex::default(), done: Bell::default() });
        (Completer(state.clone()), Ticket { state })
    }

    pub(crate) fn ready(env: &Arc<dyn Env>, commit: Commit) -> Ticket {
        let (completer, ticket) = Ticket::pair(env);
        completer.complete(Ok(commit));
        ticket
    }

    /// Waits for the commit.
    ///
    /// # Errors
    /// As for [`Writer::commit`](crate::Writer::commit), and after the same time: [`Error::Archive`] where the archive does
    /// not acknowledge within its `machine_wait_ms_max`.
    pub fn wait(self) -> Result<Commit> {
        loop {
            let heard = self.state.done.rung();
            if let Some(result) = self.state.state().result.take() {
                return result;
            }
            self.state.env.listen(&self.state.done, heard, LOOK_EVERY);
        }
    }

    /// Whether it is decided.
    pub fn is_done(&self) -> bool {
        self.state.state().result.is_some()
    }
}

impl Future for Ticket {
    type Output = Result<Commit>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.state.state();
        match state.result.clone() {
            Some(result) => Poll::Ready(result),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Completer {
    pub(crate) fn complete(self, result: Result<Commit>) {
        self.settle(result);
    }

    /// The first result stays.
    fn settle(&self, result: Result<Commit>) {
        let mut state = self.0.state();
        if std::mem::replace(&mut state.settled, true) {
            return;
        }
        state.result = Some(result);
        let waker = state.waker.take();
        drop(state);
        self.0.done.ring();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
