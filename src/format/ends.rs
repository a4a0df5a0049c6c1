//! Where the lanes ended in each epoch, packed: an epoch of a thousand busy lanes takes about three kilobytes.
//!
//! Epochs follow one another without a gap in all but the first range of a lane, so an end is a length: a number of lines,
//! seven bits a byte, the lowest first, the eighth set on all but the last. Per epoch: `epoch u32 | 0 u32 | incarnation
//! u64`, a bit a lane that has a range (the lowest first, in whole bytes), then per such lane `lines * 2`, or, where the
//! range does not begin where the lane's last one ended, `lines * 2 + 1` and the lines between 0 and its beginning.

use super::bytes::{Reader, Writer};
use super::open_record::EpochRange;
use crate::number::{Epoch, Incarnation, LINE_BYTES, Lane, Lsn};

const HEAD_BYTES: usize = 16;
/// Lines of an LSN below 2^62, and a bit.
const LENGTH_BYTES_MAX: usize = 9;

/// Bytes of one more epoch at most. It begins where the one before ended.
pub(super) fn bytes_max(lanes: u32) -> usize {
    HEAD_BYTES + (lanes as usize).div_ceil(8) + lanes as usize * 2 * LENGTH_BYTES_MAX
}

/// How many epochs there are in `ranges`.
pub(super) fn epochs(ranges: &[EpochRange]) -> u32 {
    by_epoch(ranges).len() as u32
}

fn by_epoch(ranges: &[EpochRange]) -> Vec<Vec<EpochRange>> {
    let mut sorted = ranges.to_vec();
    sorted.sort_by_key(|range| (range.epoch, range.incarnation, range.lane));
    let same = |a: &EpochRange, b: &EpochRange| (a.epoch, a.incarnation) == (b.epoch, b.incarnation);
    sorted.chunk_by(same).map(<[EpochRange]>::to_vec).collect()
}

pub(super) fn put(ranges: &[EpochRange], lanes: u32, into: &mut Writer) {
    let mut ends = vec![0; lanes as usize];
    for epoch in by_epoch(ranges) {
        into.u32(epoch[0].epoch.0).u32(0).u64(epoch[0].incarnation.0);
        let mut bits = vec![0_u8; (lanes as usize).div_ceil(8)];
        epoch.iter().for_each(|range| bits[range.lane.0 as usize / 8] |= 1 << (range.lane.0 % 8));
        into.bytes(&bits);
        for range in &epoch {
            let end = &mut ends[range.lane.0 as usize];
            let (first, lines) = (range.first.0 / LINE_BYTES, (range.end.0 - range.first.0) / LINE_BYTES);
            put_number(lines * 2 + u64::from(first != *end), into);
            if first != *end {
                put_number(first, into);
            }
            *end = first + lines;
        }
    }
}

pub(super) fn take(epochs: u32, lanes: u32, from: &mut Reader<'_>) -> Option<Vec<EpochRange>> {
    let mut ends = vec![0_u64; lanes as usize];
    let mut ranges = Vec::new();
    let bitmap_bytes = (lanes as usize).div_ceil(8);
    from.many(epochs, HEAD_BYTES + bitmap_bytes, |from| {
        let (epoch, _, incarnation) = (Epoch(from.u32()?), from.u32()?, Incarnation(from.u64()?));
        let bits = from.bytes(bitmap_bytes)?;
        for (lane, end) in ends.iter_mut().enumerate() {
            if bits[lane / 8] >> (lane % 8) & 1 == 0 {
                continue;
            }
            let length = take_number(from)?;
            let first = if length % 2 == 1 { take_number(from)? } else { *end };
            *end = first.checked_add(length / 2).filter(|end| *end < (1 << 62) / LINE_BYTES)?;
            let (first, end) = (Lsn(first * LINE_BYTES), Lsn(*end * LINE_BYTES));
            ranges.push(EpochRange { lane: Lane(lane as u32), epoch, incarnation, first, end });
        }
        Some(())
    })?;
    Some(ranges)
}

fn put_number(mut number: u64, into: &mut Writer) {
    while number >= 0x80 {
        into.bytes(&[number as u8 | 0x80]);
        number >>= 7;
    }
    into.bytes(&[number as u8]);
}

fn take_number(from: &mut Reader<'_>) -> Option<u64> {
    let mut number = 0;
    for i in 0..LENGTH_BYTES_MAX {
        let byte = from.bytes(1)?[0];
        number |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(lanes: u32, epochs: u32, bytes: impl Fn(u32, u32) -> u64) -> Vec<EpochRange> {
        let mut ends = vec![Lsn(640); lanes as usize];
        let mut ranges = Vec::new();
        for epoch in 1..=epochs {
            for lane in 0..lanes {
                let (first, bytes) = (ends[lane as usize], bytes(epoch, lane));
                let end = Lsn(first.0 + bytes);
                ends[lane as usize] = end;
                if bytes > 0 {
                    let (lane, epoch, incarnation) =
                        (Lane(lane), Epoch(epoch), Incarnation(u64::from(epoch) << 40));
                    ranges.push(EpochRange { lane, epoch, incarnation, first, end });
                }
            }
        }
        ranges
    }

    fn packed(ranges: &[EpochRange], lanes: u32) -> Vec<u8> {
        let mut out = Writer::default();
        put(ranges, lanes, &mut out);
        let mut from = Reader(&out.0);
        assert_eq!(take(epochs(ranges), lanes, &mut from).as_deref(), Some(ranges));
        assert!(from.0.is_empty());
        out.0
    }

    #[test]
    fn a_hundred_opens_of_a_thousand_busy_lanes_fit_the_open_record() {
        let ranges = ranges(1_024, 120, |epoch, lane| u64::from(epoch * 7 + lane) * 64 * 1_000 % (64 << 20));
        assert!(packed(&ranges, 1_024).len() < super::super::OPEN_RECORD_BYTES - (64 << 10));
    }

    #[test]
    fn lanes_that_idle_and_lanes_that_lost_their_beginning_come_back() {
        let mut all =
            ranges(
                13,
                9,
                |epoch, lane| {
                    if (epoch + lane) % 3 == 0 { 0 } else { u64::from(lane + 1) << (6 + epoch * 4) }
                },
            );
        packed(&all, 13);
        all.retain(|range| range.epoch.0 > 4 || range.lane.0 != 5);
        packed(&all, 13);
        all.retain(|range| range.epoch.0 != 7);
        packed(&all, 13);
        packed(&[], 13);
    }

    #[test]
    fn one_epoch_takes_no_more_than_is_set_aside_for_it() {
        let ranges = ranges(9, 1, |_, _| (1 << 61) - 64);
        assert!(packed(&ranges, 9).len() <= bytes_max(9));
    }

    #[test]
    fn what_is_no_list_of_ends_is_refused() {
        let ranges = ranges(3, 2, |epoch, lane| u64::from(epoch * 3 + lane + 1) * 64_000);
        let good = packed(&ranges, 3);
        for len in 0..good.len() {
            assert_eq!(take(2, 3, &mut Reader(&good[..len])), None, "cut at {len}");
        }
        assert_eq!(take(u32::MAX, 3, &mut Reader(&good)), None);
        let mut endless = good[..17].to_vec();
        endless.extend([0xff; 40]);
        assert_eq!(take(1, 3, &mut Reader(&endless)), None);
    }
}
