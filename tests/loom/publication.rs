//! A lane's writer against a reader: what is published is there, and the word that validates a frame comes last.

use tierlog_tiers::sync::atomic::Ordering;
use tierlog_tiers::sync::thread;
use tierlog_tiers::tail::TailRead;

use super::explore;
use super::world::{Files, Memory, append, core, geometry, media, order, segment_header};
use crate::format::SEGMENT_HEADER_BYTES;
use crate::frame::{HEADER_BYTES, peek, verify};
use crate::media::RINGS_AT;
use crate::number::{Lane, Lsn};
use crate::read::LaneCursor;

const LANE: Lane = Lane(0);
const WORD: u64 = 0x5a5a_0001;

fn payload(frame: &[u8]) -> u64 {
    u64::from_le_bytes(frame[HEADER_BYTES..HEADER_BYTES + 8].try_into().unwrap())
}

/// A reader that takes what is published finds each of its frames whole, in the tail.
#[test]
fn what_is_published_is_there() {
    explore("publication", || {
        let geometry = geometry(1, 6);
        let memory = Memory::new(&geometry);
        let media = media(geometry, memory.clone(), Files::none());
        let mut core = core(memory, LANE, &geometry);
        // The first slot is taken and the first frame's payload stored before anybody looks.
        assert!(append(&mut core, &media.board, WORD));
        let writers = media.clone();
        let writer = thread::spawn(move || {
            let order = order(1);
            core.close_stamped(&writers.board, &order).unwrap().unwrap();
            assert!(append(&mut core, &writers.board, WORD + 1));
            core.close_stamped(&writers.board, &order).unwrap().unwrap();
        });
        let mut cursor = LaneCursor::new(media.clone(), LANE, Lsn(0)).without_nvme();
        for _ in 0..2 {
            let limit = media.board.published(LANE);
            while cursor.at < limit {
                let (mut frame, number) = (Vec::new(), cursor.at.0 / 64);
                let header = cursor.frame(&mut frame).expect("published, and not there");
                assert_eq!((payload(&frame), header.gsn.0), (WORD + number, 1 + number));
            }
        }
        writer.join().unwrap();
    });
}

/// Whoever meets a frame by its first word, before it is published, finds all of it: so does an open after this process
/// was killed at any store.
#[test]
fn the_first_word_is_the_last_one_stored() {
    explore("first word last", || {
        let geometry = geometry(1, 6);
        let memory = Memory::new(&geometry);
        let media = media(geometry, memory.clone(), Files::none());
        let mut core = core(memory.clone(), LANE, &geometry);
        assert!(append(&mut core, &media.board, WORD));
        let writers = media.clone();
        let writer = thread::spawn(move || {
            core.close_stamped(&writers.board, &order(1)).unwrap().unwrap();
        });
        if memory.word(SEGMENT_HEADER_BYTES).load(Ordering::Acquire) != 0 {
            let mut frame = [0; 64];
            memory.read(RINGS_AT + SEGMENT_HEADER_BYTES as u64, &mut frame).unwrap();
            let seal = segment_header(LANE).seal();
            let header = peek(&seal, Lsn(0), frame.first_chunk().unwrap(), 64).expect("a header");
            verify(&seal, &header, &frame).expect("the frame of that header");
            assert_eq!(payload(&frame), WORD);
        }
        writer.join().unwrap();
    });
}
