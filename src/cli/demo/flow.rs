//! The orders: generated from a seed, or the lines of a file.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::cli::ending::Failure;
use crate::cli::figures::count;
use crate::cli::input::{Framing, Input};
use crate::cli::output;

/// Orders that are generated, and at most taken from a file.
const ORDERS: usize = 100_000;
/// A shorter file is repeated up to here, so that there is a middle to be killed in.
const ORDERS_MIN: usize = 2_000;
/// At most this many bytes are taken from a file.
const BYTES_MAX: usize = 64 << 20;

/// Orders in memory, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Flow {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Numbers from a seed: `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[derive(Debug)]
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Numbers(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, which is small: the bias does not matter.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

impl Flow {
    /// An order flow of one stock: seconds after midnight, event (1 new, 3 deleted, 4 executed), order, size, price times
    /// 10,000, side.
    pub(super) fn generated(seed: u64) -> Flow {
        let mut numbers = Numbers::new(seed);
        let (mut flow, mut ns, mut price, mut order) =
            (Flow::default(), 34_200_000_000_000_u64, 5_853_300_u64, 16_113_575_u64);
        for _ in 0..ORDERS {
            ns += 1 + numbers.below(70_000_000);
            price = (price + 100 * numbers.below(21)).saturating_sub(1_000).max(1_000_000);
            let (event, size) = ([1, 1, 1, 3, 3, 4][numbers.below(6) as usize], 1 + numbers.below(500));
            let which = if event == 1 { order } else { order - numbers.below(500) };
            order += u64::from(event == 1) * (1 + numbers.below(40));
            let side = if numbers.below(2) == 0 { "1" } else { "-1" };
            let (seconds, ns) = (ns / 1_000_000_000, ns % 1_000_000_000);
            flow.push(format!("{seconds}.{ns:09},{event},{which},{size},{price},{side}").as_bytes());
        }
        flow
    }

    /// The lines of a file, gzip understood.
    ///
    /// # Errors
    /// For a file that cannot be read or holds no line.
    pub(super) fn of_file(path: &Path) -> Result<Flow, Failure> {
        let mut input = Input::open(Some(path), Framing::Lines, false)?;
        let mut flow = Flow::default();
        while flow.ends.len() < ORDERS && flow.bytes.len() < BYTES_MAX && input.next(&mut flow.bytes)? {
            flow.ends.push(flow.bytes.len());
        }
        let lines = flow.ends.len();
        if lines == 0 {
            return Err(Failure::Usage(format!("{}: no line in it, nothing to show", path.display())));
        }
        while flow.ends.len() < ORDERS_MIN {
            let again = flow.get(flow.ends.len() as u64 % lines as u64).to_vec();
            flow.push(&again);
        }
        output::say(format_args!(
            "Orders: {} of the {} lines taken from {}",
            count(flow.count()),
            count(lines as u64),
            path.display()
        ))?;
        Ok(flow)
    }

    fn push(&mut self, order: &[u8]) {
        self.bytes.extend_from_slice(order);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn count(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Order `index`, counted from 0 and round and round.
    pub(super) fn get(&self, index: u64) -> &[u8] {
        let index = (index % self.count()) as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }

    /// Writes the orders behind their lengths, as `append --framed` takes them.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let write = || {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            let mut out = BufWriter::new(file);
            for index in 0..self.count() {
                let order = self.get(index);
                out.write_all(&(order.len() as u32).to_le_bytes())?;
                out.write_all(order)?;
            }
            out.flush()
        };
        write().map_err(Failure::io(path.display()))
    }
}
