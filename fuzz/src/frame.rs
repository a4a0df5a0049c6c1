//! One frame: in each of the ways in which frames are read.

use tierlog::fuzz::Segment;

use crate::golden;
use crate::input::Input;

/// Its LSN is not made right.
const STALE: u8 = 1;
/// Its checksum is not made right.
const TORN: u8 = 2;

/// Flags, a number of lines, a frame.
pub fn run(data: &[u8]) -> bool {
    let mut input = Input(data);
    let (flags, line) = (input.u8(), input.u16());
    let segment = Segment::read(&golden::segment_header()).expect("golden bytes");
    let lsn = segment.first() + u64::from(line) * 64;
    let mut bytes = input.0.to_vec();
    bytes.resize(bytes.len().next_multiple_of(64), 0);
    let sealed = flags & TORN == 0 && segment.seal_frame(lsn, &mut bytes).is_some();
    let stale = flags & STALE != 0;
    let read = segment.frame(if stale { lsn + 64 } else { lsn }, &bytes);
    assert!(!stale || !sealed || read.is_none(), "a frame of another place");
    read.is_some()
}

/// A frame of each kind.
pub fn seeds() -> Vec<Vec<u8>> {
    golden::frames().into_iter().map(|frame| [vec![0, 3, 0], frame].concat()).collect()
}
