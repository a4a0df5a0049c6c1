//! Records from a file or standard input: lines, or bytes behind their length; gzip is told by its magic bytes.
//!
//! Input is streamed: memory is one record, at most 16 MiB, and a buffer.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::ending::Failure;

/// No log takes a larger record.
const RECORD_BYTES_MAX: usize = 16 << 20;
const BUFFER_BYTES: usize = 64 << 10;
/// gzip with the one method there is. As a length in front of a record it would say 559,903 bytes and more.
const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];

/// How records are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Each ends with a newline, which is not part of it; the last one's may be missing.
    Lines,
    /// Each stands behind its length, 32 bits little-endian.
    Lengths,
}

/// An input, at one of its records.
pub(super) struct Input {
    name: String,
    reader: BufReader<Box<dyn Read>>,
    framing: Framing,
    records: u64,
}

impl Input {
    /// Opens a file, or standard input for none and for `-`. `plain` takes gzip for what it is: bytes.
    pub(super) fn open(file: Option<&Path>, framing: Framing, plain: bool) -> Result<Self, Failure> {
        let file = file.filter(|path| *path != Path::new("-"));
        let name = file.map_or("standard input".into(), |path| path.display().to_string());
        let source: Box<dyn Read> = match file {
            Some(path) => Box::new(File::open(path).map_err(Failure::io(&name))?),
            None => Box::new(io::stdin()),
        };
        let reader = if plain { source } else { Box::new(Unpacked::Unknown(source)) };
        Ok(Input { name, reader: BufReader::with_capacity(BUFFER_BYTES, reader), framing, records: 0 })
    }

    /// Whether the next record is not here as a whole: reading it may have to wait for whoever writes it.
    pub(super) fn would_wait(&self) -> bool {
        let here = self.reader.buffer();
        match self.framing {
            Framing::Lines => !here.contains(&b'\n'),
            Framing::Lengths => {
                here.first_chunk().is_none_or(|len| here.len() - 4 < u32::from_le_bytes(*len) as usize)
            }
        }
    }

    /// Appends the next record to `into`; false at the end. On an error `into` may have grown by part of a record.
    pub(super) fn next(&mut self, into: &mut Vec<u8>) -> Result<bool, Failure> {
        let found = match self.framing {
            Framing::Lines => self.line(into),
            Framing::Lengths => self.framed(into),
        };
        match found {
            Ok(found) => {
                self.records += u64::from(found);
                Ok(found)
            }
            Err(error) => Err(Failure::Failed(format!("{}: {error}", self.place(self.records)))),
        }
    }

    /// Where a record stands, for people: they count from one.
    pub(super) fn place(&self, index: u64) -> String {
        place(&self.name, self.framing, index)
    }

    /// The name of the input.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn line(&mut self, into: &mut Vec<u8>) -> io::Result<bool> {
        let read = (&mut self.reader).take(RECORD_BYTES_MAX as u64 + 1).read_until(b'\n', into)?;
        if into.ends_with(b"\n") && read > 0 {
            into.pop();
        } else if read > RECORD_BYTES_MAX {
            return Err(io::Error::other("longer than 16 MiB, the largest record of any log"));
        }
        Ok(read > 0)
    }

    fn framed(&mut self, into: &mut Vec<u8>) -> io::Result<bool> {
        let mut len = Vec::with_capacity(4);
        (&mut self.reader).take(4).read_to_end(&mut len)?;
        let early = |what: &str| io::Error::other(format!("the input ends inside the record's {what}"));
        let len = match len.first_chunk() {
            Some(len) => u32::from_le_bytes(*len) as usize,
            None if len.is_empty() => return Ok(false),
            None => return Err(early("length")),
        };
        if len > RECORD_BYTES_MAX {
            let message =
                format!("says that it has {len} bytes; no log takes more than 16 MiB, is the input framed?");
            return Err(io::Error::other(message));
        }
        let read = (&mut self.reader).take(len as u64).read_to_end(into)?;
        if read < len { Err(early("bytes")) } else { Ok(true) }
    }
}

/// `line 3 of FILE`.
pub(super) fn place(name: &str, framing: Framing, index: u64) -> String {
    let what = if framing == Framing::Lines { "line" } else { "record" };
    format!("{what} {} of {name}", index + 1)
}

/// Bytes, decompressed if they turn out to be gzip. Nothing is read before the first read: a producer may come late.
enum Unpacked {
    Unknown(Box<dyn Read>),
    Known(Box<dyn Read>),
}

impl Read for Unpacked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Unpacked::Known(reader) => reader.read(into),
            Unpacked::Unknown(source) => {
                let mut reader = decompressed(std::mem::replace(source, Box::new(io::empty())))?;
                let read = reader.read(into);
                *self = Unpacked::Known(reader);
                read
            }
        }
    }
}

fn decompressed(mut source: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let mut head = Vec::with_capacity(GZIP.len());
    // No further than it could still be gzip: the rest of a record may come later.
    while head.len() < GZIP.len()
        && GZIP.starts_with(&head)
        && (&mut source).take(1).read_to_end(&mut head)? > 0
    {}
    let gzip = head == GZIP;
    let whole = Cursor::new(head).chain(source);
    Ok(if gzip { Box::new(MultiGzDecoder::new(BufReader::new(whole))) } else { Box::new(whole) })
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("name", &self.name).finish_non_exhaustive()
    }
}
