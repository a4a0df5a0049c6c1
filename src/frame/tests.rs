use super::*;
use crate::number::{Epoch, Gsn, Incarnation, Lane, LogId, Lsn};

fn seal() -> Seal {
    Seal::new(LogId([7; 16]), Lane(3), Epoch(5), Incarnation(0x0102_0304_0506_0708))
}

fn frame(seal: &Seal, lsn: u64, payload: &[u8]) -> Vec<u8> {
    let mut header = Header {
        len: payload.len() as u32,
        crc: 0,
        lsn: Lsn(lsn),
        gsn: Gsn(0x1122_3344_5566_7788),
        kind: Kind::Record,
        flags: FIRST | LAST | FENCED,
        epoch: seal.epoch,
        stream: 9,
    };
    header.crc = seal.over(header.lsn, payload).finish(header.tail_word(), header.gsn);
    let mut bytes = header.encode().to_vec();
    bytes.extend_from_slice(payload);
    bytes.resize(header.frame_bytes(), 0);
    bytes
}

fn read(seal: &Seal, lsn: u64, bytes: &[u8]) -> Result<Header, Bad> {
    let header = peek(seal, Lsn(lsn), bytes[..HEADER_BYTES].try_into().unwrap(), bytes.len() as u64)?;
    verify(seal, &header, &bytes[..header.frame_bytes()])?;
    Ok(header)
}

#[test]
fn golden_bytes_of_version_1() {
    let bytes = frame(&seal(), 4096, b"tierlog");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    // The checksum was computed by another program, from docs/FORMAT.md.
    let golden = concat!(
        "07000000",
        "004f718f",
        "0010000000000000",
        "8877665544332211",
        "01",
        "07",
        "0500",
        "09000000",
        "746965726c6f67",
        "00000000000000000000000000000000000000000000000000"
    );
    assert_eq!(hex, golden);
    assert_eq!(bytes.len(), 64);
}

#[test]
fn every_flipped_bit_is_detected() {
    for len in [0, 1, 31, 32, 33, 96, 500] {
        let payload: Vec<u8> = (0..len).map(|i| i as u8 ^ 0x5a).collect();
        let good = frame(&seal(), 640, &payload);
        assert_eq!(read(&seal(), 640, &good).unwrap().len as usize, len);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&seal(), 640, &bad).is_err(), "len {len}: bit {bit} went unnoticed");
        }
    }
}

#[test]
fn a_frame_of_another_lap_lane_open_or_log_does_not_validate() {
    let bytes = frame(&seal(), 640, b"order");
    let others = [
        Seal::new(LogId([8; 16]), Lane(3), Epoch(5), Incarnation(0x0102_0304_0506_0708)),
        Seal::new(LogId([7; 16]), Lane(4), Epoch(5), Incarnation(0x0102_0304_0506_0708)),
        Seal::new(LogId([7; 16]), Lane(3), Epoch(5 + 0x1_0000), Incarnation(0x0102_0304_0506_0708)),
        Seal::new(LogId([7; 16]), Lane(3), Epoch(5), Incarnation(0x0102_0304_0506_0709)),
    ];
    assert!(others.iter().all(|other| read(other, 640, &bytes).is_err()));
    assert_eq!(read(&seal(), 704, &bytes), Err(Bad::NoHeader));
}

#[test]
fn deps_round_trip_and_refuse_what_is_not_a_deps_body() {
    let deps = [Dep { lane: Lane(0), end: Lsn(64) }, Dep { lane: Lane(1023), end: Lsn(1 << 40) }];
    let mut body = Vec::new();
    encode_deps(&deps, &mut body);
    assert_eq!(decode_deps(&body).unwrap(), deps);
    assert_eq!(decode_deps(&body[..body.len() - 1]), None);
    body[0] = 200;
    assert_eq!(decode_deps(&body), None);
    assert_eq!(decode_deps(&[]), None);
}
