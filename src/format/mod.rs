//! What lies on media beside frames (docs/FORMAT.md): segment headers, the open record, watermarks, archive objects.
//!
//! Every structure carries a magic, a version and a checksum, and is bounded before it is believed.

mod bytes;
mod ends;
mod open_record;
mod segment_header;
mod slots;
mod watermark;

pub(crate) use bytes::{
    Reader, Writer, block_bytes, seal_block, seal_block_of, unseal_block, unseal_block_of,
};
pub(crate) use open_record::{EpochRange, OPEN_RECORD_BYTES, OPEN_RECORD_VERSION, OpenRecord, TailRecord};
pub(crate) use segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader};
pub(crate) use slots::{Place, SLOT_NAME_BYTES_MAX, SLOTS_MAX, SlotEntry, SlotTable};
pub(crate) use watermark::Watermark;

/// The version of all formats; a newer one is refused untouched.
pub const FORMAT_VERSION: u32 = 1;

#[cfg(test)]
mod tests;

/// Why bytes are not the structure that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// All zero: never written.
    Blank,
    /// Not ours, torn, or damaged.
    Damaged,
    /// A version that this build does not know.
    Version(u32),
}
