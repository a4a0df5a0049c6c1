//! The frame: a record with its header, the same bytes in every tier (docs/FORMAT.md).
//!
//! Contents: the header's layout ([`Header`]), the checksum ([`Seal`]), reading a frame from untrusted bytes
//! ([`mod@verify`]), the body of a deps frame ([`Dep`]).

mod deps;
mod header;
mod pad;
mod seal;
mod verify;

pub(crate) use deps::{Dep, decode_deps, deps_frame_bytes_max, encode_deps};
pub(crate) use header::{
    FENCED, FIRST, HEADER_BYTES, Header, HeaderWords, Kind, LAST, flag_bits, frame_bytes, header_words,
    tail_word,
};
pub(crate) use pad::pad_header;
pub(crate) use seal::{Partial, Seal, Sum};
pub(crate) use verify::{Bad, peek, verify, verify_in_place};

#[cfg(test)]
mod tests;
