//! From which size on stores past the cache beat stores with a write-back, measured.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::fence;
use std::time::{Duration, Instant};

use super::{LINE, Persist, arch};

/// Smallest crossover ever reported, in bytes.
pub const CROSSOVER_MIN: usize = 64;
/// Largest crossover ever reported, in bytes; also the answer where non-temporal stores never won.
pub const CROSSOVER_MAX: usize = 4096;

const SIZES: [usize; 7] = [64, 128, 256, 512, 1024, 2048, 4096];
const ROUNDS: u32 = 15;
/// Bytes of one size in a row: the processor foresees the lines of a ring, and after fewer it would not.
const BURST: usize = 8 << 10;
const BUDGET: Duration = Duration::from_millis(3);
/// All rounds, each line once.
const SCRATCH: usize = 2 * BURST * SIZES.len() * ROUNDS as usize;

/// Measures, over ordinary memory, the size in bytes from which non-temporal stores win.
///
/// Takes less than 5 ms. The scratch is in no cache and is walked once, line after line, as a ring larger than the caches is.
/// The sizes are visited in turn, so that a disturbance hits all alike, and medians are compared.
pub fn crossover(persist: Persist) -> usize {
    let mut scratch = Scratch::new(persist);
    let mut stored = [const { Vec::new() }; SIZES.len()];
    let mut streamed = [const { Vec::new() }; SIZES.len()];
    let started = Instant::now();
    for round in 1..=ROUNDS {
        for (i, &size) in SIZES.iter().enumerate() {
            stored[i].push(scratch.time(size, |to, from| {
                // SAFETY: `to` and `from` are two slices.
                unsafe {
                    to.as_mut_ptr().copy_from_nonoverlapping(from.as_ptr(), from.len());
                    persist.write_back(to.as_ptr(), to.len());
                }
                persist.fence();
            }));
            streamed[i].push(scratch.time(size, |to, from| {
                // As a frame is: its first line last, from registers.
                // SAFETY: `to` and `from` are two slices of one length; `to` is aligned by `time`.
                unsafe {
                    persist.stream(to.as_mut_ptr().add(LINE), &from[LINE..]);
                    persist.stream_line(to.as_mut_ptr(), [2; LINE / 8]);
                }
                persist.fence();
            }));
        }
        // Another one would take as long.
        if started.elapsed() * (round + 1) > BUDGET * round {
            break;
        }
    }
    smallest_win(&stored.map(median), &streamed.map(median))
}

/// The smallest size from which on streaming is always faster, by more than two such measurements differ by themselves.
fn smallest_win(stored: &[u64], streamed: &[u64]) -> usize {
    let faster = |(store, stream): &(&u64, &u64)| *stream * 10 <= *store * 9;
    let wins = stored.iter().zip(streamed).rev().take_while(faster).count();
    SIZES[(SIZES.len() - wins).min(SIZES.len() - 1)]
}

fn median(mut of: Vec<u64>) -> u64 {
    of.sort_unstable();
    of[of.len() / 2]
}

struct Scratch {
    memory: Vec<u8>,
    from: Vec<u8>,
    next: usize,
}

impl Scratch {
    fn new(persist: Persist) -> Scratch {
        let mut scratch = Scratch { memory: vec![0; SCRATCH + LINE], from: vec![2; CROSSOVER_MAX], next: 0 };
        let at = scratch.start();
        // Written here: page faults are not to be measured. Past the cache: lines that another processor wrote, or still has,
        // would be measured instead of the memory.
        for to in scratch.memory[at..at + SCRATCH].chunks_exact_mut(CROSSOVER_MAX) {
            // SAFETY: two slices of one length; `to` begins on a line.
            unsafe { persist.stream(to.as_mut_ptr(), &scratch.from) };
        }
        persist.fence();
        scratch
    }

    /// Its first line.
    fn start(&self) -> usize {
        self.memory.as_ptr().align_offset(LINE)
    }

    /// Ticks that a burst of `work` takes on the next lines, `size` bytes at a time.
    fn time(&mut self, size: usize, work: impl Fn(&mut [u8], &[u8])) -> u64 {
        let at = self.start() + self.next;
        self.next += BURST;
        // The clock does not wait for what was written back: what one burst leaves, the next one would pay.
        let settled = || {
            fence(SeqCst);
            arch::ticks()
        };
        let start = settled();
        for to in self.memory[at..at + BURST].chunks_exact_mut(size) {
            work(to, &self.from[..size]);
        }
        settled() - start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::Flush;

    #[test]
    fn the_smallest_unbroken_win_counts() {
        let n = SIZES.len();
        let slow = vec![9; n];
        assert_eq!(smallest_win(&slow, &vec![1; n]), CROSSOVER_MIN);
        assert_eq!(smallest_win(&vec![1; n], &slow), CROSSOVER_MAX);
        let mut stream = vec![1; n];
        stream[3] = 10;
        assert_eq!(smallest_win(&slow, &stream), SIZES[4]);
    }

    #[test]
    fn measured_in_bounds_and_in_time() {
        for flush in [None, Some(Flush::Clflush), Some(Flush::Fence)] {
            let Ok(persist) = Persist::detect(flush) else { continue };
            // The shortest of a few: other tests share the processor.
            let mut best = Duration::MAX;
            for _ in 0..8 {
                let started = Instant::now();
                let bytes = crossover(persist);
                best = best.min(started.elapsed());
                assert!((CROSSOVER_MIN..=CROSSOVER_MAX).contains(&bytes), "{bytes}");
                println!("{}: {bytes} B in {:?}", persist.flush().name(), started.elapsed());
            }
            assert!(best < Duration::from_millis(5), "{best:?}");
        }
    }
}
