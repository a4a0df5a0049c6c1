//! How a record is printed.

use std::fmt::Write;

use serde::Serialize;

use crate::number::{Gsn, Lane, Lsn};
use crate::read::Record;

/// The flags that say how.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(super) struct Format {
    /// The record's bytes and a newline (the default)
    #[arg(long, conflicts_with_all = ["framed", "json"])]
    raw: bool,
    /// The record's bytes behind their length, 32 bits little-endian: what append --framed takes
    #[arg(long, conflicts_with = "json")]
    framed: bool,
    /// A JSON object a line: gsn, lane, lsn, stream, and the record as `text` if it is UTF-8, as `hex` otherwise
    #[arg(long)]
    json: bool,
    /// Puts gsn, lane and lsn before each record, and at the end tells on standard error where to go on (--from)
    #[arg(long, conflicts_with_all = ["framed", "json"])]
    pub(super) positions: bool,
}

#[derive(Serialize)]
struct Json<'a> {
    gsn: Gsn,
    lane: Lane,
    lsn: Lsn,
    stream: u32,
    #[serde(flatten)]
    payload: Payload<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Payload<'a> {
    Text(&'a str),
    Hex(String),
}

impl Format {
    /// JSON, which has all there is to know of a record.
    pub(super) fn json() -> Self {
        Format { json: true, ..Format::default() }
    }

    /// Appends one record to `out`.
    pub(super) fn write(self, record: &Record<'_>, out: &mut Vec<u8>) {
        if self.json {
            return write_json(record, out);
        }
        if self.framed {
            // No log takes a record of 4 GiB.
            out.extend_from_slice(&(record.payload.len() as u32).to_le_bytes());
        }
        if self.positions {
            out.extend_from_slice(format!("{} {} {}\t", record.gsn, record.lane, record.lsn).as_bytes());
        }
        out.extend_from_slice(record.payload);
        if !self.framed {
            out.push(b'\n');
        }
    }
}

fn write_json(record: &Record<'_>, out: &mut Vec<u8>) {
    let Record { gsn, lane, lsn, stream, payload } = *record;
    let payload = self::payload(payload, false);
    let line = Json { gsn, lane, lsn, stream, payload };
    serde_json::to_writer(&mut *out, &line).expect("plain fields, written to memory");
    out.push(b'\n');
}

/// Text if it is any, unless `as_hex`.
pub(super) fn payload(bytes: &[u8], as_hex: bool) -> Payload<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !as_hex => Payload::Text(text),
        _ => Payload::Hex(hex(bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes what it is given");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: Format, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        format.write(&Record { lane: Lane(1), lsn: Lsn(64), gsn: Gsn(9), stream: 7, payload }, &mut out);
        out
    }

    #[test]
    fn text_bytes_and_nothing_in_every_format() {
        let framed = Format { framed: true, ..Format::default() };
        let positions = Format { positions: true, ..Format::default() };
        assert_eq!(printed(Format::default(), b"buy"), b"buy\n");
        assert_eq!(printed(framed, b"buy"), b"\x03\0\0\0buy");
        assert_eq!(printed(framed, b""), b"\0\0\0\0");
        assert_eq!(printed(positions, b"buy"), b"9 1 64\tbuy\n");
        assert_eq!(
            printed(Format::json(), b"a \"b\""),
            b"{\"gsn\":9,\"lane\":1,\"lsn\":64,\"stream\":7,\"text\":\"a \\\"b\\\"\"}\n"
        );
        assert_eq!(
            printed(Format::json(), b"\xff\x00"),
            b"{\"gsn\":9,\"lane\":1,\"lsn\":64,\"stream\":7,\"hex\":\"ff00\"}\n"
        );
    }
}
