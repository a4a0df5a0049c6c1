//! Work on several things at once, by as many threads as there are to be had: the calling one is one of them, and does it
//! all where there are no others.

use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does `work` on each, by `threads` threads at most; the results in order.
pub(crate) fn side_by_side<A: Send, B: Send>(
    all: Vec<A>,
    threads: usize,
    work: impl Fn(A) -> B + Sync,
) -> Vec<B> {
    let others = threads.min(all.len()).saturating_sub(1);
    let queue = Mutex::new(all.into_iter().enumerate());
    let run = || {
        let mut done = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((i, one)) = next else { return done };
            done.push((i, work(one)));
        }
    };
    let mut done = thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, run).ok();
        let running: Vec<_> = (0..others).map_while(start).collect();
        let mut done = run();
        for thread in running {
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, done)| done).collect()
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_however_many_threads_there_are() {
        for threads in [0, 1, 2, 7, 100] {
            let squares = side_by_side((0..50_u64).collect(), threads, |n| {
                thread::sleep(std::time::Duration::from_micros(50 - n));
                n * n
            });
            assert_eq!(squares, (0..50).map(|n| n * n).collect::<Vec<_>>(), "{threads}");
        }
        assert!(side_by_side(Vec::<u64>::new(), 4, |n| n).is_empty());
    }
}
