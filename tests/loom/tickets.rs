//! Tickets and bells: whoever waits is told, however the two meet.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tierlog_tiers::sync::atomic::{AtomicBool, Ordering};
use tierlog_tiers::sync::thread;

use super::explore_plain;
use super::world::env;
use crate::durability::{Commit, Durability};
use crate::error::{Error, Result};
use crate::host::Bell;
use crate::number::{Lsn, Stamp};
use crate::ticket::Ticket;

fn commit() -> Commit {
    Commit { at: Lsn(64), stamp: Stamp::default(), reached: Durability::Power }
}

/// Wakes a task by ringing.
struct Ringing(Bell);

impl Wake for Ringing {
    fn wake(self: Arc<Self>) {
        self.0.ring();
    }
}

/// Runs a ticket as an executor does: polls, and polls again once woken.
fn block_on(ticket: Ticket, wakers: &[Arc<Ringing>]) -> Result<Commit> {
    let mut ticket = pin!(ticket);
    for last in 1.. {
        // A task that moves between executors gives another waker each time; the last one counts.
        let woken = &wakers[last.min(wakers.len()) - 1];
        let heard = woken.0.rung();
        let waker = Waker::from(woken.clone());
        if let Poll::Ready(result) = ticket.as_mut().poll(&mut Context::from_waker(&waker)) {
            return result;
        }
        if last >= wakers.len() {
            woken.0.listen(heard, Duration::MAX);
        }
    }
    unreachable!()
}

/// Waits, as everybody does, until each of so many threads has made its change and rung.
fn hear(ringers: usize) {
    let bell = Arc::new(Bell::default());
    let flags: Arc<[AtomicBool]> = (0..ringers).map(|_| AtomicBool::new(false)).collect();
    let ring = |i: usize| {
        let (bell, flags) = (bell.clone(), flags.clone());
        thread::spawn(move || {
            flags[i].store(true, Ordering::Release);
            bell.ring();
        })
    };
    let threads: Vec<_> = (0..ringers).map(ring).collect();
    loop {
        let heard = bell.rung();
        if flags.iter().all(|flag| flag.load(Ordering::Acquire)) {
            break;
        }
        bell.listen(heard, Duration::MAX);
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_bell_is_heard() {
    explore_plain("bell", || hear(1));
}

#[test]
#[ignore = "half a minute: ./scripts/models --all"]
fn two_are_heard() {
    explore_plain("bell: two ring", || hear(2));
}

#[test]
fn a_wait_ends() {
    explore_plain("ticket: complete and wait", || {
        let (completer, ticket) = Ticket::pair(&env());
        let other = thread::spawn(move || completer.complete(Ok(commit())));
        assert_eq!(ticket.wait().unwrap(), commit());
        other.join().unwrap();
    });
    explore_plain("ticket: given up and wait", || {
        let (completer, ticket) = Ticket::pair(&env());
        let other = thread::spawn(move || drop(completer));
        assert!(matches!(ticket.wait(), Err(Error::Closed)));
        other.join().unwrap();
    });
}

#[test]
fn an_await_ends() {
    for wakers in [1, 2] {
        explore_plain(&format!("ticket: complete and await, {wakers} wakers"), move || {
            let (completer, ticket) = Ticket::pair(&env());
            let other = thread::spawn(move || completer.complete(Ok(commit())));
            let wakers: Vec<_> = (0..wakers).map(|_| Arc::new(Ringing(Bell::default()))).collect();
            assert_eq!(block_on(ticket, &wakers).unwrap(), commit());
            other.join().unwrap();
        });
    }
}

#[test]
fn a_ticket_may_be_dropped() {
    explore_plain("ticket: complete and drop", || {
        let (completer, ticket) = Ticket::pair(&env());
        let other = thread::spawn(move || completer.complete(Ok(commit())));
        let _done = ticket.is_done();
        drop(ticket);
        other.join().unwrap();
    });
}
