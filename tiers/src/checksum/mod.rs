//! CRC-32C (Castagnoli), folded piece by piece: the checksum of every frame and header.
//!
//! Contents: the running checksum ([`Crc32c`]) and what computes it: the `crc32` instruction (`sse42`), carry-less
//! multiplication of whole lines (`fold`), the crate `crc32c` on other machines. All give the same value, so the state
//! may cross machines half-way.

mod crc;
mod fold;
mod sse42;

#[cfg(test)]
mod tests;

pub use crc::Crc32c;
