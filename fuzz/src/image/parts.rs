//! What lies where in a world: blocks, frames, and the free places behind them.

use tierlog::fuzz::Segment;
use tierlog::sim::World;
use tierlog_tiers::nvme::{BLOCK_BYTES, Block, FileName, Nvme};
use tierlog_tiers::object::Name;
use tierlog_tiers::tail::TailRead;

/// Where slots and identity lie in a tail, and where its rings begin.
const TAIL_BLOCKS: [u64; 3] = [0, 512 << 10, 1 << 20];
const RINGS_AT: u64 = 2 << 20;
const TAIL_BYTES: u64 = RINGS_AT + 2 * 4 * TAIL_SEGMENT_BYTES;
const TAIL_SEGMENT_BYTES: u64 = 4 << 10;
const TAIL_HEADER_BYTES: usize = 128;
const HEAD_BYTES: usize = 24;

/// Something that can be changed by itself.
#[derive(Debug, Clone)]
pub struct Part {
    /// The tail, a file, an object.
    pub place: Place,
    /// From its start on.
    pub at: u64,
    /// As it lies there.
    pub bytes: Vec<u8>,
    /// What it is.
    pub kind: Kind,
}

/// Where a part lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The tail.
    Tail,
    /// A file of NVMe.
    File(FileName),
    /// An object.
    Object(Name),
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A block.
    Block,
    /// A frame, or free room for some, at an LSN of the segment whose header is part `header`.
    Frames {
        /// A number among the parts.
        header: usize,
        /// Of the first one.
        lsn: u64,
    },
    /// What carries no checksum of its own.
    Raw,
}

/// All parts of a world.
pub fn parts(world: &World) -> Vec<Part> {
    let mut parts = Vec::new();
    of_tail(world, &mut parts);
    let nvme = world.nvme(0);
    for name in nvme.files().expect("a directory") {
        let file = nvme.open(name, false).expect("a file");
        let mut bytes = Block::zeroed(file.len() as usize);
        file.read(0, &mut bytes).expect("its bytes");
        of_file(name, &bytes, &mut parts);
    }
    let objects = world.objects();
    for name in (1..).map(Name::Number) {
        let Some(bytes) = objects.read(name, None).expect("a store") else { break };
        let (head, rest) = bytes.split_at(block_bytes(&bytes));
        parts.push(Part { place: Place::Object(name), at: 0, bytes: head.to_vec(), kind: Kind::Block });
        if !rest.is_empty() {
            let (at, bytes) = (head.len() as u64, rest.to_vec());
            parts.push(Part { place: Place::Object(name), at, bytes, kind: Kind::Raw });
        }
    }
    parts
}

fn of_tail(world: &World, parts: &mut Vec<Part>) {
    let tail = world.view_tail(0).expect("a tail");
    for at in TAIL_BLOCKS {
        let mut bytes = vec![0; BLOCK_BYTES];
        tail.read(at, &mut bytes).expect("its bytes");
        push_block(Place::Tail, at, &bytes, parts);
    }
    for at in (RINGS_AT..TAIL_BYTES).step_by(TAIL_SEGMENT_BYTES as usize) {
        let mut bytes = vec![0; TAIL_SEGMENT_BYTES as usize];
        tail.read(at, &mut bytes).expect("its bytes");
        push_segment(Place::Tail, at, &bytes, TAIL_HEADER_BYTES, parts);
    }
}

fn of_file(name: FileName, bytes: &[u8], parts: &mut Vec<Part>) {
    let place = Place::File(name);
    match name {
        FileName::Segment(_) => push_segment(place, 0, bytes, BLOCK_BYTES, parts),
        FileName::Reserve => {}
        _ => (0..).zip(bytes.chunks(BLOCK_BYTES)).for_each(|(number, block)| {
            if block.starts_with(b"TIER") {
                push_block(
                    place,
                    number * BLOCK_BYTES as u64,
                    &bytes[number as usize * BLOCK_BYTES..],
                    parts,
                );
            }
        }),
    }
}

/// What a block says of its length.
fn block_bytes(bytes: &[u8]) -> usize {
    let len = u32::from_le_bytes(bytes[16..20].try_into().expect("four bytes"));
    (HEAD_BYTES + len as usize).min(bytes.len())
}

fn push_block(place: Place, at: u64, bytes: &[u8], parts: &mut Vec<Part>) {
    let bytes = bytes[..block_bytes(bytes)].to_vec();
    parts.push(Part { place, at, bytes, kind: Kind::Block });
}

fn push_segment(place: Place, start: u64, bytes: &[u8], header_bytes: usize, parts: &mut Vec<Part>) {
    let Some(segment) = Segment::read(bytes) else { return };
    let header = parts.len();
    push_block(place, start, bytes, parts);
    let (mut at, mut lsn) = (header_bytes, segment.first());
    let mut push = |at: usize, upto: usize, lsn| {
        let (bytes, at) = (bytes[at..upto].to_vec(), start + at as u64);
        parts.push(Part { place, at, bytes, kind: Kind::Frames { header, lsn } });
    };
    while let Some(extent) = bytes.get(at..).and_then(|rest| segment.frame(lsn, rest)) {
        let taken = if place == Place::Tail { extent.lsns } else { extent.media_bytes };
        let upto = (at + taken as usize).min(bytes.len());
        push(at, upto, lsn);
        (at, lsn) = (upto, lsn + extent.lsns);
    }
    if at < bytes.len() {
        push(at, bytes.len(), lsn);
    }
}
