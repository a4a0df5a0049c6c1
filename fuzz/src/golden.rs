//! The golden bytes of the formats' own tests.

/// Blocks of every kind.
pub fn blocks() -> Vec<Vec<u8>> {
    [
        include_str!("../../src/format/golden/open_record.hex"),
        include_str!("../../src/format/golden/open_record_first.hex"),
        include_str!("../../src/format/golden/open_record_unpacked.hex"),
        include_str!("../../src/format/golden/segment_header.hex"),
        include_str!("../../src/format/golden/watermark.hex"),
        include_str!("../../src/archive/golden/claim.hex"),
        include_str!("../../src/archive/golden/cut.hex"),
        include_str!("../../src/archive/golden/base.hex"),
    ]
    .iter()
    .map(|hex| bytes(hex))
    .collect()
}

/// The header of a segment.
pub fn segment_header() -> Vec<u8> {
    bytes(include_str!("../../src/format/golden/segment_header.hex"))
}

/// A claim and a cut.
pub fn objects() -> [Vec<u8>; 2] {
    [
        bytes(include_str!("../../src/archive/golden/claim.hex")),
        bytes(include_str!("../../src/archive/golden/cut.hex")),
    ]
}

/// A frame of a batch of its own, without its LSN, epoch and checksum: those it gets where it is put.
pub fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; (32 + payload.len()).next_multiple_of(64)];
    frame[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    frame[16..24].copy_from_slice(&9_u64.to_le_bytes());
    (frame[24], frame[25]) = (kind, flags);
    frame[32..32 + payload.len()].copy_from_slice(payload);
    frame
}

/// Frames of all kinds: records, deps, an abort, a mark, a filler, a pad.
pub fn frames() -> Vec<Vec<u8>> {
    let deps = [1_u64, 1, 64].map(u64::to_le_bytes).concat();
    let mut filler = frame(2, 0, &[]);
    filler[..4].copy_from_slice(&(4096_u32 - 32).to_le_bytes());
    let mut pad = frame(7, 0, &[]);
    pad[..4].copy_from_slice(&(512_u32 - 32).to_le_bytes());
    pad.resize(512, 0);
    vec![
        frame(1, 7, b"tierlog"),
        frame(1, 1, &[0x5a; 200]),
        frame(3, 2, &deps),
        frame(4, 3, b""),
        frame(6, 3, b"a mark"),
        filler,
        pad,
    ]
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.trim().as_bytes().as_chunks::<2>().0;
    let byte = |pair: &[u8; 2]| {
        let pair = std::str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("digits")
    };
    digits.iter().map(byte).collect()
}
