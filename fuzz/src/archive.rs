//! A sequence of objects, with compressed chunks: checked, and read lane by lane.

use tierlog::Config;
use tierlog::fuzz::{archive, seal_block, seal_object};
use tierlog::host::Simulation;
use tierlog::sim::{World, WorldOptions};
use tierlog_tiers::object::Name;

use crate::golden;
use crate::input::{Input, put_piece};

/// As in the golden bytes.
const LOG: [u8; 16] = [0xa1; 16];
const OBJECTS_MAX: u64 = 8;
/// What stands behind the head is stored as it is: nothing is packed, no frame made right.
const AS_IT_IS: u8 = 1;
/// The object `base`, not one of the sequence.
const BASE: u8 = 2;

/// Objects: flags, the body of a head, what its chunks hold.
pub fn run(data: &[u8]) -> bool {
    let mut input = Input(data);
    let world = World::new(&WorldOptions::default());
    let mut number = 0;
    while !input.is_empty() && number < OBJECTS_MAX {
        let (flags, head, mut rest) = (input.u8(), input.piece(), input.piece().to_vec());
        if flags & BASE != 0 {
            world.set_object(Name::Base, Some(&block(*b"TIERBAS1", 1, head)));
            continue;
        }
        number += 1;
        let mut object = block(*b"TIEROBJ1", 2, head);
        if flags & AS_IT_IS == 0 {
            object.append(&mut rest);
            seal_object(LOG, number, &mut object);
        } else {
            object.append(&mut rest);
        }
        world.set_object(Name::Number(number), Some(&object));
    }
    let mut config = Config::new("sim");
    config.archive.address = "memory:fuzz".into();
    archive(&Simulation::new(&world, 0, 1), &config, LOG).is_ok_and(|frames| frames > 0)
}

fn block(magic: [u8; 8], version: u32, body: &[u8]) -> Vec<u8> {
    let len = body.len() as u32;
    let mut block = [&magic[..], &[version, 0, len, 0].map(u32::to_le_bytes).concat(), body].concat();
    seal_block(&mut block);
    block
}

/// A claim and a cut, compressed in each way; the same behind a base.
pub fn seeds() -> Vec<Vec<u8>> {
    let [claim, _] = golden::objects();
    let claim_ends = [0_u64, 64];
    let claim = with_ends(&claim[24..], claim_ends);
    let cut = |compression| with_ends(&cut(compression), [128, 448]);
    let frames = [golden::frame(1, 7, &[1; 90]), golden::frame(1, 3, &[2; 340])].concat();
    let sequence = |compression| {
        let mut seed = Vec::new();
        for (head, rest) in [(&claim, &[][..]), (&cut(compression), &frames)] {
            seed.push(0);
            put_piece(&mut seed, head);
            put_piece(&mut seed, rest);
        }
        seed
    };
    (0..3).map(sequence).collect()
}

/// Where the lanes stand: they come behind 80 bytes.
fn with_ends(body: &[u8], ends: [u64; 2]) -> Vec<u8> {
    [&body[..80], &ends.map(u64::to_le_bytes).concat(), &body[96..]].concat()
}

/// Two runs in one chunk.
fn cut(compression: u32) -> Vec<u8> {
    let [_, cut] = golden::objects();
    let mut body = cut[24..96 + 24].to_vec();
    let mut put = |bytes: &[u8]| body.extend(bytes);
    put(&[2_u32, 1, 0, 0].map(u32::to_le_bytes).concat());
    for (lane, first, bytes) in [(0_u32, 0, 128), (1, 64, 384)] {
        put(&[lane, 1].map(u32::to_le_bytes).concat());
        put(&[4_u64, first, first + bytes, 9, bytes].map(u64::to_le_bytes).concat());
    }
    put(&[compression, 1, 0, 0, 512, 0].map(u32::to_le_bytes).concat());
    put(&0_u64.to_le_bytes());
    body
}
