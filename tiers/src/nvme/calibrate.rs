//! Measuring the ways to a durable write, idle and under load.
//!
//! Bounded: about 75 ms idle and 30 ms loaded, plus at most one write of each way that a slow disk stretches.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::medium::Calibration;
use super::ring::Rings;
use super::{BLOCK_BYTES, Block, DurableWay};

const WRITES: usize = 12;
const SCRATCH_BYTES: usize = 16 * BLOCK_BYTES;
const IDLE_MAX: Duration = Duration::from_millis(75);
const BUSY_MAX: Duration = Duration::from_millis(30);
/// Slower than this idle, the processors do not matter and the loaded pass is left out.
const BUSY_WORTHWHILE: Duration = Duration::from_millis(2);

/// The first of `ways`, simplest first, over `scratch` than which none is cheaper by a quarter, and what it cost: by the
/// worse of its two medians. Few writes are timed, and the ring serves many threads at a time worse than one.
///
/// A way that the system does not know is left out; `None` if that leaves nothing. Other errors are returned.
pub(super) fn calibrate(
    scratch: &File,
    ways: &[DurableWay],
    rings: &Rings,
) -> io::Result<Option<(DurableWay, Calibration)>> {
    let mut block = Block::zeroed(SCRATCH_BYTES);
    DurableWay::Fdatasync.write(scratch, 0, &block, rings)?;
    block.resize(BLOCK_BYTES);
    let mut known = Vec::new();
    for &way in ways {
        match way.write(scratch, 0, &block, rings) {
            Ok(()) => known.push(way),
            Err(error) if is_unknown(&error) => tracing::debug!(%way, %error, "left out"),
            Err(error) => return Err(error),
        }
    }
    let pass = |time_max| medians(scratch, &known, &block, rings, time_max);
    let idle = pass(IDLE_MAX)?;
    let busy = match idle.iter().max() {
        Some(&slowest) if slowest <= BUSY_WORTHWHILE => Some(under_load(|| pass(BUSY_MAX))?),
        _ => None,
    };
    let costs: Vec<Calibration> = (0..known.len())
        .map(|index| Calibration { idle: idle[index], busy: busy.as_ref().map(|busy| busy[index]) })
        .collect();
    let cheapest = costs.iter().map(Calibration::worse).min().unwrap_or_default();
    Ok(known.into_iter().zip(costs).find(|(_, cost)| cost.worse().mul_f64(0.75) <= cheapest))
}

fn is_unknown(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL | libc::ENOSYS | libc::EPERM))
}

/// The median of each way, taken in turns; at least one write each.
fn medians(
    scratch: &File,
    ways: &[DurableWay],
    block: &Block,
    rings: &Rings,
    time_max: Duration,
) -> io::Result<Vec<Duration>> {
    let mut times = vec![Vec::with_capacity(WRITES); ways.len()];
    let began = Instant::now();
    for round in 0..WRITES {
        for (way, times) in ways.iter().zip(&mut times) {
            if round > 0 && began.elapsed() > time_max {
                break;
            }
            let at = (round * BLOCK_BYTES % SCRATCH_BYTES) as u64;
            let start = Instant::now();
            way.write(scratch, at, block, rings)?;
            times.push(start.elapsed());
        }
    }
    Ok(times
        .into_iter()
        .map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        })
        .collect())
}

/// Runs `work` while every processor is kept busy, for no longer than [`BUSY_MAX`].
fn under_load<T>(work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    let end = Instant::now() + BUSY_MAX;
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let spin = || {
            while !done.load(Ordering::Relaxed) && Instant::now() < end {
                std::hint::spin_loop();
            }
        };
        for _ in 0..processors {
            // Without a thread there is that much less load.
            if thread::Builder::new().spawn_scoped(scope, spin).is_err() {
                break;
            }
        }
        let answer = work();
        done.store(true, Ordering::Relaxed);
        answer
    })
}
