//! The last step of an open: an engine from its parts.

use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use crossbeam_utils::CachePadded;
use tierlog_tiers::clock::{Clock, WallClock};
use tierlog_tiers::page::Page;
use tierlog_tiers::tail::{Mapped, Tail, TailRead};

use super::begin::Opening;
use super::places::{board_paths, map_error};
use crate::archive::Archiver;
use crate::board::{Board, BoardStamp, Water};
use crate::config::{Config, Geometry};
use crate::engine::{Engine, Stop};
use crate::error::{Error, Result};
use crate::format::{OpenRecord, SegmentHeader};
use crate::lane::{Core, LaneState, Ring, Seat};
use crate::media::{Horizon, Media};
use crate::number::Lane;
use crate::order::Order;
use crate::reaper::{Errand, Errands};
use crate::recover::live_ranges;
use crate::runs::{LaneRuns, Stability};

/// The engine, which takes appends from now on, and the reaper's queue.
pub(super) fn assemble(
    opening: Opening,
    config: Config,
    boot: [u8; 16],
    archiver: Option<Archiver>,
) -> Result<(Arc<Engine<Mapped>>, Receiver<Errand>)> {
    let Opening { places, geometry, record, marks, examined, pool, tails, .. } = opening;
    let clock: Arc<dyn Clock> = WallClock::shared();
    let order = Arc::new(Order::new(clock));
    let stamp =
        BoardStamp { boot, log: record.log.0, epoch: record.epoch.0, incarnation: record.incarnation.0 };
    let (board, board_path) = new_board(&config, &geometry, &record)?;
    let ranges = live_ranges(&record, &geometry);
    let visible_first = tails.iter().any(|tail| !tail.medium().power_safe());
    for lane in (0..geometry.lanes).map(Lane) {
        let end = examined.media.board.published(lane);
        board.publish(lane, end);
        for water in [Water::Durable, Water::Stable, Water::Drained] {
            board.raise_water(lane, water, end);
        }
        for water in [Water::Trimmed, Water::Archived] {
            board.raise_water(lane, water, examined.media.board.water(lane, water));
        }
    }
    board.raise_floor(record.gsn.0);
    board.sign(&stamp);
    let catalogue = std::mem::take(&mut *examined.media.catalogue_mut());
    let media = Arc::new(Media::new(
        record.log,
        geometry,
        tails.iter().map(|tail| tail.clone() as Arc<dyn TailRead>).collect(),
        board,
        places.nvme.clone(),
        places.nvme_path.clone(),
        catalogue,
        ranges,
        record.epoch,
        Horizon::Owner(order.clone()),
        visible_first,
    ));
    let seats = new_seats(&media, &record, &tails)?;
    let runs = media.lanes().filter_map(|lane| {
        let range = *media.ranges(lane).last()?;
        let sequences = media.catalogue().of_lane(lane).iter().map(|entry| entry.header.sequence).max();
        Some(Mutex::new(LaneRuns::new(&media, range, range.first, sequences.unwrap_or(0))))
    });
    let runs = runs.collect();
    let (errands, receiver) = Errands::new();
    let engine = Engine {
        config,
        media,
        order,
        epoch: record.epoch,
        incarnation: record.incarnation,
        tails,
        lanes: (0..geometry.lanes).map(|_| CachePadded::new(LaneState::default())).collect(),
        seats,
        runs,
        pool,
        marks,
        stability: Stability::new(geometry.lanes),
        archiver,
        errands,
        drain_trouble: Mutex::new(None),
        stop: Stop::default(),
        board_path,
        record: Mutex::new(record),
        superblock: places.superblock,
        process: std::process::id(),
    };
    Ok((Arc::new(engine), receiver))
}

/// In memory, where no write-back stalls a commit; beside the log where there is no such place.
fn new_board(config: &Config, geometry: &Geometry, record: &OpenRecord) -> Result<(Board, Option<PathBuf>)> {
    let [memory, beside] = board_paths(config, record.log, record.incarnation);
    let words = Board::words(geometry);
    let (page, path) = match Page::create(&memory, words) {
        Ok(page) => (page, memory),
        Err(error) => {
            tracing::warn!(%error, "the board lies beside the log: write-back may stall commits");
            (Page::create(&beside, words).map_err(|error| map_error(config, error))?, beside)
        }
    };
    Ok((Board::owned(page, geometry), Some(path)))
}

fn new_seats(
    media: &Media,
    record: &OpenRecord,
    tails: &[Arc<Mapped>],
) -> Result<Vec<Seat<Core<<Mapped as Tail>::Lane>>>> {
    let seat = |lane: Lane| {
        let (tail, at) = media.ring(lane);
        let memory = tails[tail]
            .lane(at, media.geometry.ring_bytes())
            .map_err(|taken| Error::Config(format!("lane {lane}: {taken}")))?;
        let header = SegmentHeader {
            log: record.log,
            lane,
            epoch: record.epoch,
            incarnation: record.incarnation,
            sequence: 0,
            first: media.board.published(lane),
            gsn_before: record.gsn,
        };
        let ring = Ring::new(memory, &media.geometry, header);
        let core = Core::new(ring, lane, header.seal(), record.gsn, &media.geometry, media.visible_first);
        Ok(Seat::new(core))
    };
    media.lanes().map(seat).collect()
}
