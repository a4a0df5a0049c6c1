//! The last step of an open: an engine from its parts.

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use tierlog_tiers::sync::Mutex;
use tierlog_tiers::tail::{Tail, TailMedium, TailRead};

use super::begin::Opening;
use super::find::Found;
use crate::archive::Archiver;
use crate::board::{Board, BoardStamp, Water};
use crate::config::Config;
use crate::engine::{Engine, Stop};
use crate::error::{Error, Result};
use crate::format::{OpenRecord, SegmentHeader};
use crate::geometry::Geometry;
use crate::host::Host;
use crate::lane::{Core, Ring, Seats};
use crate::media::{Horizon, Media};
use crate::number::Lane;
use crate::order::Order;
use crate::reaper::Errands;
use crate::recover::{Examined, live_ranges};
use crate::repair::ScrubCounters;
use crate::runs::{LaneRuns, Stability};

/// The engine, which takes appends from now on.
pub(super) fn assemble<H: Host>(
    opening: Opening<H>,
    config: Config,
    boot: [u8; 16],
    archiver: Option<Archiver>,
) -> Result<Arc<Engine<H::Tail>>> {
    let Opening { found, pool, tails } = opening;
    let order = Arc::new(Order::new(found.places.host.clock(), found.places.host.clone()));
    let media = new_media(&found, &config, boot, &tails, order.clone())?;
    let Found { places, geometry, record, marks, slots, .. } = found;
    if let Some(archiver) = &archiver {
        media.read_archive(archiver.archive.clone());
    }
    let seats = Seats::new(new_cores(&media, &record, &tails)?);
    let runs = media.lanes().filter_map(|lane| {
        let range = *media.ranges(lane).last()?;
        let sequences = media.catalogue().of_lane(lane).iter().map(|entry| entry.header.sequence).max();
        Some(Mutex::new(LaneRuns::new(&media, range, range.first, sequences.unwrap_or(0))))
    });
    let runs = runs.collect();
    let emulated = tails.iter().any(|tail| tail.medium() == TailMedium::Emulated);
    let power_kept = emulated || config.nvme.accept_volatile || media.nvme.power_safe();
    let engine = Engine {
        power_kept,
        config,
        media,
        order,
        epoch: record.epoch,
        incarnation: record.incarnation,
        tails,
        lanes: each_lane(&geometry),
        seats,
        runs,
        sharing: each_lane(&geometry),
        pool,
        marks,
        slots,
        scrub: ScrubCounters::default(),
        trimming: Mutex::default(),
        stability: Stability::new(geometry.lanes),
        archiver: archiver.map(Arc::new),
        errands: Errands::default(),
        drain_trouble: Mutex::new(None),
        stop: Stop::default(),
        env: places.host,
        record: Mutex::new(record),
        superblock: places.superblock,
        process: std::process::id(),
    };
    Ok(Arc::new(engine))
}

/// What readers look at, from where recovery ended on.
fn new_media<H: Host>(
    found: &Found<H>,
    config: &Config,
    boot: [u8; 16],
    tails: &[Arc<H::Tail>],
    order: Arc<Order>,
) -> Result<Arc<Media>> {
    let Found { places, geometry, record, examined, .. } = found;
    let board = new_board(&*places.host, config, record, boot, geometry, examined)?;
    let catalogue = std::mem::take(&mut *examined.media.catalogue_mut());
    let media = Media::new(
        record.log,
        *geometry,
        tails.iter().map(|tail| tail.clone() as Arc<dyn TailRead>).collect(),
        board,
        places.nvme.clone(),
        places.nvme_path.clone(),
        catalogue,
        live_ranges(record, geometry),
        (record.epoch, record.gsn),
        Horizon::Owner(order),
        places.host.clone(),
        tails.iter().any(|tail| !tail.medium().power_safe()),
    );
    Ok(Arc::new(media))
}

/// The shared page, from where recovery ended on.
fn new_board<H: Host>(
    host: &H,
    config: &Config,
    record: &OpenRecord,
    boot: [u8; 16],
    geometry: &Geometry,
    examined: &Examined,
) -> Result<Board> {
    let page = host.board(config, record.log, record.incarnation, Board::words(geometry))?;
    let (board, recovered) = (Board::owned(page, geometry), &examined.media.board);
    for lane in (0..geometry.lanes).map(Lane) {
        let end = recovered.published(lane);
        board.publish(lane, end);
        for water in [Water::Durable, Water::Stable, Water::Drained] {
            board.raise_water(lane, water, end);
        }
        for water in [Water::Trimmed, Water::Archived] {
            board.raise_water(lane, water, recovered.water(lane, water));
        }
    }
    board.raise_floor(record.gsn.0);
    board.sign(&BoardStamp {
        boot,
        log: record.log.0,
        epoch: record.epoch.0,
        incarnation: record.incarnation.0,
    });
    Ok(board)
}

/// One a lane, on lines of its own.
fn each_lane<T: Default>(geometry: &Geometry) -> Vec<CachePadded<T>> {
    (0..geometry.lanes).map(|_| CachePadded::default()).collect()
}

fn new_cores<T: Tail>(media: &Media, record: &OpenRecord, tails: &[Arc<T>]) -> Result<Vec<Core<T::Lane>>> {
    let core = |lane: Lane| {
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
        Ok(Core::new(ring, lane, header.seal(), record.gsn, &media.geometry, media.visible_first))
    };
    media.lanes().map(core).collect()
}
