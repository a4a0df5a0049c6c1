//! One column of the matrix: a tail on one node's memory, and the processors of every node on it, in turns.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use tierlog_numa::{Cpu, Topology, bind_memory, node_of_memory, pin_to};
use tierlog_tiers::clock::Ticks;
use tierlog_tiers::nvme::Block;
use tierlog_tiers::nvme::trial::{TrialFile, TrialSync, TrialWriter};
use tierlog_tiers::raw::Raw;
use tierlog_tiers::tail::TailLane;

use super::axes::{Column, Row, axes, lane_bytes};
use crate::bench::contest::{Contestant, Loop, contest};
use crate::bench::latency::Latencies;
use crate::bench::primitive::ground::{self, Ground};
use crate::bench::primitive::read::{LINE, STRIDE, chain, lay_chain, walk};
use crate::bench::probe::{Estimate, Measured, NOTHING, Pace, Probe, Session};
use crate::bench::results::{Group, Point, Skipped};
use crate::bench::sweep::{Sweep, or};

/// Bytes of one run of a drain.
const RUN_BYTES: usize = 1 << 20;
const FILE_BYTES: u64 = 64 << 20;
/// What one run takes at least.
const RUN_NS: u64 = 300_000;

struct Matrix {
    sizes: Vec<u64>,
}

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let whole = |size: &&u64| **size > 0 && size.is_multiple_of(64) && **size <= 1 << 20;
    let sizes: Vec<u64> = or(&sweep.size_bytes, &[64, 4096]).iter().filter(whole).copied().collect();
    vec![Box::new(Matrix { sizes })]
}

impl Probe for Matrix {
    fn title(&self) -> String {
        "nodes by nodes".into()
    }

    fn estimate(&self, pace: &Pace) -> Estimate {
        let topology = Topology::detect();
        let nodes = topology.nodes().len() as u64;
        let lanes: u64 = topology.nodes().iter().map(|info| lane_bytes(info.memory_bytes)).sum();
        let each = self.sizes.len() as u64 * 2 + 3;
        let written: u64 = self.sizes.iter().map(|size| ground::written(pace, *size)).sum();
        let runs = pace.time.as_nanos() as u64 / RUN_NS;
        Estimate {
            time: (pace.time * each as u32 * nodes as u32 + ground::making(1)) * nodes as u32
                + Duration::from_millis(200),
            tail_bytes: 2 * lanes + nodes * nodes * written,
            nvme_bytes: FILE_BYTES + nodes * nodes * runs * RUN_BYTES as u64,
        }
    }

    fn room(&self, _: &Pace) -> (u64, u64) {
        let lanes = Topology::detect().nodes().iter().map(|info| lane_bytes(info.memory_bytes)).sum();
        (lanes, FILE_BYTES)
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let topology = Topology::detect();
        let (rows, columns) = axes(&topology, session.grounds.emulated(), &session.tail_dir);
        if topology.nodes().len() == 1 {
            session.skipped.push(Skipped {
                what: "nodes by nodes".into(),
                why: "this machine has one node: the matrix is 1 by 1".into(),
            });
        }
        let file = TrialFile::create(&session.nvme_dir.join("trial"), FILE_BYTES)?;
        let mut figures = Vec::new();
        for (nth, column) in columns.iter().enumerate() {
            let mut rows = rows.clone();
            // What everything in a column is compared with comes first: the node itself, or the nearest with processors.
            let near = topology.nearest_with_cpus(column.node);
            rows.sort_by_key(|row| Some(row.node) != near);
            match self.column(session, &rows, column, &file) {
                Ok(found) => figures.extend(found),
                Err(error) => session
                    .skipped
                    .push(Skipped { what: format!("memory of {}", column.node), why: error.to_string() }),
            }
            (session.progress)((nth + 1) as f64 / columns.len() as f64);
        }
        session.cpus.release()?;
        Ok(figures)
    }
}

impl Matrix {
    fn column(&self, session: &Session<'_>, rows: &[Row], column: &Column, file: &TrialFile) -> Measured {
        let bound = column.bound.then(|| bind_memory(column.node)).transpose()?;
        let ground = Ground::named(session, &column.node.to_string(), 1, column.lane_bytes)?;
        drop(bound);
        let mut lane = ground.lane(0)?;
        lay_chain(lane.lane());
        if column.bound {
            let found = node_of_memory(lane.lane().bytes(column.lane_bytes as usize / 2, 1))?;
            if found != column.node {
                return Err(format!("asked for pages of {}, got those of {found}", column.node).into());
            }
        }
        let lane = RefCell::new(lane);
        let (at, line, drained) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let turns = Turns { session, rows, column };
        // The chain first: persisting overwrites it.
        let chains = rows.iter().map(|row| on(row, chain(&lane, &line))).collect();
        let walks = rows.iter().map(|row| on(row, walk(&lane, &at))).collect();
        let mut figures = turns.take("read chain", LINE, NOTHING, u64::MAX, chains)?;
        figures.extend(turns.take("read", STRIDE, NOTHING, u64::MAX, walks)?);
        for size in &self.sizes {
            let bytes = vec![0x5a; *size as usize];
            let persist = || -> Measured<()> { Ok(lane.borrow_mut().write_back(&bytes)?) };
            let persists = rows.iter().map(|row| on(row, persist)).collect();
            let most = ground::operations_max(&session.pace, *size);
            figures.extend(turns.take("persist", *size, session.grounds.tail_promise, most, persists)?);
        }
        let writer = || file.writer(TrialSync::Nothing);
        let drains = rows.iter().map(|row| Ok(on(row, drain(&lane, &drained, writer()?))));
        let most = session.pace.time.as_nanos() as u64 / u64::from(session.pace.runs) / RUN_NS;
        let drains = drains.collect::<Measured<Vec<_>>>()?;
        figures.extend(turns.take("drain", RUN_BYTES as u64, NOTHING, most.max(10), drains)?);
        Ok(figures)
    }
}

/// The rows of one column.
struct Turns<'a, 'b> {
    session: &'a Session<'b>,
    rows: &'a [Row],
    column: &'a Column,
}

impl Turns<'_, '_> {
    /// Lets them take turns, one contestant a row.
    fn take(
        &self,
        what: &str,
        size: u64,
        promise: &str,
        operations_max: u64,
        mut contestants: Vec<Contestant<'_>>,
    ) -> Measured {
        contest(&mut contestants, self.session.ticks, self.session.pace, operations_max, |_| Ok(()))?;
        let figures = self.rows.iter().zip(&contestants).map(|(row, one)| {
            let at = Point {
                size_bytes: Some(size),
                cpu_node: Some(row.node.0),
                memory_node: Some(self.column.node.0),
                ..Point::default()
            };
            let mut figure = ground::figure(self.session, what, at, promise, one, &contestants[0]);
            figure.group = Group::Numa;
            figure.by = by(what);
            if what == "drain" {
                figure.medium = "nvme".into();
            }
            if self.column.memory_only {
                figure.note = Some(format!("{} has no processors", self.column.node));
            }
            figure
        });
        Ok(figures.collect())
    }
}

/// How it is done, the same in every cell.
fn by(what: &str) -> String {
    match what {
        "persist" => ground::best().first().map_or("msync", |way| way.name()),
        "drain" => "pwrite",
        _ => "loads",
    }
    .into()
}

/// One run: copied out of the tail and written past the page cache.
fn drain<'a>(
    lane: &'a RefCell<Raw>,
    at: &'a Cell<usize>,
    writer: TrialWriter,
) -> impl FnMut() -> Measured<()> + use<'a> {
    let mut block = Block::zeroed(RUN_BYTES);
    move || {
        block.copy_from_slice(lane.borrow_mut().lane().bytes(at.get(), RUN_BYTES));
        writer.write(at.get() as u64 % FILE_BYTES, &block)?;
        at.set((at.get() + RUN_BYTES) % lane.borrow_mut().lane().len());
        Ok(())
    }
}

fn on<'a>(row: &Row, work: impl Loop + 'a) -> Contestant<'a> {
    Contestant::new(format!("from {}", row.node), On { cpu: row.cpu, work })
}

/// A loop on one processor.
struct On<W> {
    cpu: Cpu,
    work: W,
}

impl<W: Loop> Loop for On<W> {
    fn burst(&mut self, ticks: Ticks, operations: u64) -> Measured<f64> {
        pin_to(&[self.cpu])?;
        self.work.burst(ticks, operations)
    }

    fn one_by_one(&mut self, ticks: Ticks, operations: u64, into: &mut Latencies) -> Measured<()> {
        pin_to(&[self.cpu])?;
        self.work.one_by_one(ticks, operations, into)
    }
}
