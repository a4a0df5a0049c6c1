//! Evidence that a hole is no torn tail: a frame beyond it that says FIRST and FENCED.
//!
//! Every line is looked at, for nothing says where a frame begins there. What looks like one is checked once its last line
//! was given, by the sum over all lines so far: however long the frames are that lines claim, a line costs the same.

use std::collections::BTreeMap;

use tierlog_tiers::checksum::Crc32c;

use crate::frame::{FENCED, FIRST, HEADER_BYTES, Header, Seal, peek};
use crate::number::{LINE_BYTES, Lsn};

/// Takes line after line of what lies beyond a hole.
#[derive(Debug)]
pub(crate) struct Evidence {
    seal: Seal,
    hole: Lsn,
    /// Lines given, and the sum over them.
    lines: u64,
    sum: Crc32c,
    /// What looks like a frame, by the line behind it.
    claims: BTreeMap<u64, Vec<Claim>>,
}

#[derive(Debug)]
struct Claim {
    header: Header,
    /// The sum where its body begins.
    before: Crc32c,
}

impl Evidence {
    pub(crate) fn new(seal: Seal, hole: Lsn) -> Self {
        Evidence { seal, hole, lines: 0, sum: Crc32c::new(), claims: BTreeMap::new() }
    }

    /// Takes the next line, with so much `room` from its start on; `at` where only a frame of that LSN can be. The LSN of a
    /// frame that is evidence, once it is whole.
    pub(crate) fn line(&mut self, line: &[u8], at: Option<Lsn>, room: u64) -> Option<Lsn> {
        let (head, rest) = line.split_first_chunk::<HEADER_BYTES>()?;
        let before = self.sum.bytes(head);
        if let Some(header) = self.look(head, at, room) {
            let end = self.lines + header.frame_bytes() as u64 / LINE_BYTES;
            self.claims.entry(end).or_default().push(Claim { header, before });
        }
        (self.lines, self.sum) = (self.lines + 1, before.bytes(rest));
        let whole = self.claims.remove(&self.lines)?;
        whole.iter().find(|claim| self.holds(claim)).map(|claim| claim.header.lsn)
    }

    /// A line cannot be read: no frame goes on across it.
    pub(crate) fn unreadable(&mut self) {
        self.claims.clear();
    }

    /// A cheap look: nearly every line fails it.
    fn look(&self, head: &[u8; HEADER_BYTES], at: Option<Lsn>, room: u64) -> Option<Header> {
        let claimed = Header::decode(head).filter(|header| {
            header.lsn > self.hole
                && header.flags & (FIRST | FENCED) == FIRST | FENCED
                && header.kind.covers_body()
                && at.is_none_or(|at| at == header.lsn)
        })?;
        peek(&self.seal, claimed.lsn, head, room).ok()
    }

    fn holds(&self, Claim { header, before }: &Claim) -> bool {
        let body_bytes = header.frame_bytes() - HEADER_BYTES;
        let partial = self.seal.over_header(header.lsn, header.len);
        partial.through(*before, self.sum, body_bytes as u64).matches(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Kind, LAST, frame_bytes};
    use crate::number::{Epoch, Gsn, Incarnation, Lane, LogId};

    const LINE: usize = LINE_BYTES as usize;

    fn seal() -> Seal {
        Seal::new(LogId([7; 16]), Lane(1), Epoch(3), Incarnation(5))
    }

    fn frame(lsn: u64, flags: u8, payload: &[u8]) -> Vec<u8> {
        let (len, lsn, epoch) = (payload.len() as u32, Lsn(lsn), seal().epoch);
        let mut header =
            Header { len, crc: 0, lsn, gsn: Gsn(9), kind: Kind::Record, flags, epoch, stream: 0 };
        header.crc = seal().over(lsn, payload).finish(header.tail_word(), header.gsn);
        let mut frame = header.encode().to_vec();
        frame.extend(payload);
        frame.resize(frame_bytes(payload.len()), 0);
        frame
    }

    fn found(bytes: &[u8], hole: u64) -> Option<u64> {
        let mut evidence = Evidence::new(seal(), Lsn(hole));
        let lines = bytes.chunks(LINE).enumerate();
        let room = |line: usize| (bytes.len() - line * LINE) as u64;
        lines.map(|(i, line)| evidence.line(line, None, room(i))).find_map(|found| found.map(|lsn| lsn.0))
    }

    #[test]
    fn a_whole_fenced_frame_beyond_the_hole_is_evidence() {
        let fenced = FIRST | FENCED | LAST;
        for payload in [0, 32, 33, 5_000] {
            let mut bytes = vec![0x5a; 3 * LINE];
            bytes.extend(frame(640, fenced, &vec![3; payload]));
            bytes.extend([0; LINE]);
            assert_eq!(found(&bytes, 576), Some(640), "{payload}");
            assert_eq!(found(&bytes, 640), None, "not beyond");
            let whole = bytes.len() - LINE;
            assert_eq!(found(&bytes[..whole - LINE], 576), None, "cut short");
            bytes[whole - 1] ^= 1;
            assert_eq!(found(&bytes, 576), None, "damaged");
        }
        assert_eq!(found(&frame(640, FIRST | LAST, b"x"), 0), None, "says nothing");
        // Inside what claims to be another.
        let mut outer = frame(640, fenced, &[vec![0; HEADER_BYTES], frame(1_024, fenced, b"in")].concat());
        outer[4] ^= 1;
        assert_eq!(found(&outer, 0), Some(1_024));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_no_part_of_a_frame() {
        let bytes = frame(640, FIRST | FENCED | LAST, &[3; 100]);
        let mut evidence = Evidence::new(seal(), Lsn(0));
        assert_eq!(evidence.line(&bytes[..LINE], Some(Lsn(640)), 192), None);
        evidence.unreadable();
        assert!(bytes[LINE..].chunks(LINE).all(|line| evidence.line(line, None, 192).is_none()));
    }

    /// Checked one by one, these would be two million million bytes.
    #[test]
    fn lines_that_all_claim_a_long_frame_cost_no_more_than_others() {
        let lines = 1 << 18;
        let began = std::time::Instant::now();
        let mut evidence = Evidence::new(seal(), Lsn(0));
        for line in 0..lines {
            let (room, mut bytes) = ((lines - line) * LINE_BYTES, frame(64 + line, FIRST | FENCED, &[7; 32]));
            bytes[..4].copy_from_slice(&((room - HEADER_BYTES as u64) as u32).to_le_bytes());
            // The last one goes no further than it did.
            bytes[4] ^= 1;
            assert_eq!(evidence.line(&bytes, None, room), None);
        }
        assert!(evidence.claims.is_empty());
        assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    }
}
