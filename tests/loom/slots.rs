//! A slot that is used again against a reader that does not pin it (docs/decisions/0003).

use std::sync::Arc;

use tierlog_tiers::sync::thread;
use tierlog_tiers::tail::TailRead;

use super::world::{Files, Memory, append, core, geometry, media, order, range};
use super::{explore, explore_plain};
use crate::format::SEGMENT_HEADER_BYTES;
use crate::frame::HEADER_BYTES;
use crate::lane::Core;
use crate::media::{Media, RINGS_AT};
use crate::number::{Lane, Lsn};
use crate::read::LaneCursor;
use crate::runs::{LaneRuns, Pool, PoolLimits, Sink, TailFrames};

const LANE: Lane = Lane(0);
const WORD: u64 = 0x5a5a_0001;

/// A ring of three slots, each with one frame, all published: the next append takes the first slot again.
fn full_ring() -> (Arc<Media>, Memory, Core<Memory>) {
    let geometry = geometry(1, 3);
    let memory = Memory::new(&geometry);
    let media = media(geometry, memory.clone(), Files::none());
    let mut core = core(memory.clone(), LANE, &geometry);
    for frame in 0..3 {
        assert!(append(&mut core, &media.board, WORD + frame));
        core.close_stamped(&media.board, &order(1)).unwrap().unwrap();
    }
    (media, memory, core)
}

fn next_lap(media: &Media, core: &mut Core<Memory>) {
    if append(core, &media.board, WORD + 3) {
        core.close_stamped(&media.board, &order(1)).unwrap().unwrap();
    }
}

/// Reads the first slot's frame as readers do, but for the checksum.
fn read(media: &Media, memory: &Memory) {
    let slot_bytes = media.geometry.slot_bytes();
    let Some((slot, word)) = media.board.slot_of(LANE, Lsn(0), slot_bytes) else { return };
    let mut payload = [0; 8];
    memory.read(RINGS_AT + (SEGMENT_HEADER_BYTES + HEADER_BYTES) as u64, &mut payload).unwrap();
    if media.board.slot_still(LANE, slot, word) {
        assert_eq!(u64::from_le_bytes(payload), WORD, "of another lap");
    }
}

/// While the slot's word is what it was, so is the copy.
#[test]
fn a_copy_is_of_one_lap() {
    explore_plain("slot word, copy, recheck: a drainer and a writer", || {
        let (media, memory, mut core) = full_ring();
        let (drainers, writers) = (media.clone(), media.clone());
        let drainer = thread::spawn(move || drainers.board.free_slot(LANE, 0));
        let writer = thread::spawn(move || next_lap(&writers, &mut core));
        read(&media, &memory);
        drainer.join().unwrap();
        writer.join().unwrap();
    });
    explore("slot word, copy, recheck", || {
        let (media, memory, mut core) = full_ring();
        let others = media.clone();
        let other = thread::spawn(move || {
            others.board.free_slot(LANE, 0);
            next_lap(&others, &mut core);
        });
        read(&media, &memory);
        other.join().unwrap();
    });
}

/// A reader gets its frame from the tail or, once the slot is free, from NVMe; never another, never none.
#[test]
fn a_frame_is_in_one_tier_at_least() {
    explore_plain("frame while its slot is retired and taken", || {
        let (media, _, mut core) = full_ring();
        drain(&media);
        let others = media.clone();
        let other = thread::spawn(move || {
            others.board.free_slot(LANE, 0);
            next_lap(&others, &mut core);
        });
        let mut cursor = LaneCursor::new(media, LANE, Lsn(0));
        let mut frame = Vec::new();
        let header = cursor.frame(&mut frame).expect("in no tier");
        assert_eq!((header.lsn, frame[HEADER_BYTES..][..8].to_vec()), (Lsn(0), WORD.to_le_bytes().to_vec()));
        other.join().unwrap();
    });
}

/// The first slot's frame goes to NVMe, as a drainer does it under the run lock.
fn drain(media: &Arc<Media>) {
    let limits = PoolLimits::plain(media.geometry.nvme_segment_bytes);
    let pool = Pool::new(media.nvme.clone(), limits, &[], Vec::new());
    let mut runs = LaneRuns::new(media, range(LANE), Lsn(0), 0);
    let upto = Lsn(media.geometry.slot_bytes());
    runs.write(media, &pool, &mut TailFrames::new(media), upto, true, &mut Sink::Now).unwrap();
}
