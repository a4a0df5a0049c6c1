//! Compression of what objects carry: self-described, its size declared, and never believed beyond that.

use std::borrow::Cow;
use std::io;

use serde::{Deserialize, Serialize};

/// How objects of an archive are compressed. What is there already stays readable when it is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    Off,
    /// LZ4 frames: several hundred MB/s a core, about half the ratio.
    Lz4,
    /// Zstandard, level 1.
    #[default]
    Zstd,
}

impl Compression {
    /// As it stands in an object.
    pub(crate) fn code(self) -> u32 {
        match self {
            Compression::Off => 0,
            Compression::Lz4 => 1,
            Compression::Zstd => 2,
        }
    }

    pub(crate) fn of_code(code: u32) -> Option<Self> {
        [Compression::Off, Compression::Lz4, Compression::Zstd].into_iter().find(|known| known.code() == code)
    }
}

/// Compresses, unless that makes it larger; tells how.
#[cfg(feature = "object")]
pub(crate) fn pack(how: Compression, raw: Vec<u8>) -> io::Result<(Compression, Vec<u8>)> {
    use std::io::Write;
    let packed = match how {
        Compression::Off => return Ok((how, raw)),
        Compression::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::with_capacity(raw.len() / 2));
            encoder.write_all(&raw)?;
            encoder.finish().map_err(io::Error::other)?
        }
        Compression::Zstd => zstd::bulk::compress(&raw, 1)?,
    };
    Ok(if packed.len() < raw.len() { (how, packed) } else { (Compression::Off, raw) })
}

/// What `stored` unpacks to, which must be exactly `raw_bytes`: no more is ever held.
///
/// # Errors
/// `InvalidData` for anything else.
#[cfg(feature = "object")]
pub(crate) fn unpack(how: Compression, stored: Cow<'_, [u8]>, raw_bytes: usize) -> io::Result<Vec<u8>> {
    /// Zstandard's window: what is written here needs less.
    const WINDOW_LOG_MAX: u32 = 24;
    /// Room at first, for each byte that is there: never by what was declared alone.
    const RATIO: usize = 16;
    let room = raw_bytes.min(stored.len() * RATIO);
    match how {
        Compression::Off if stored.len() == raw_bytes => Ok(stored.into_owned()),
        Compression::Off => Err(otherwise(stored.len(), raw_bytes)),
        Compression::Lz4 => exactly(lz4_flex::frame::FrameDecoder::new(&*stored), raw_bytes, room),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(&*stored)?;
            decoder.window_log_max(WINDOW_LOG_MAX)?;
            exactly(decoder, raw_bytes, room)
        }
    }
}

#[cfg(feature = "object")]
fn exactly(from: impl io::Read, raw_bytes: usize, room: usize) -> io::Result<Vec<u8>> {
    use std::io::Read;
    // One more, which finds out that nothing comes behind.
    let mut raw = Vec::with_capacity(room + 1);
    from.take(raw_bytes as u64 + 1).read_to_end(&mut raw)?;
    if raw.len() == raw_bytes { Ok(raw) } else { Err(otherwise(raw.len(), raw_bytes)) }
}

#[cfg(feature = "object")]
fn otherwise(bytes: usize, declared: usize) -> io::Error {
    let what = format!("unpacks to {bytes} bytes or more, {declared} were declared");
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(not(feature = "object"))]
pub(crate) fn pack(_: Compression, raw: Vec<u8>) -> io::Result<(Compression, Vec<u8>)> {
    Ok((Compression::Off, raw))
}

#[cfg(not(feature = "object"))]
pub(crate) fn unpack(_: Compression, _: Cow<'_, [u8]>, _: usize) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, feature = "object"))]
mod tests {
    use super::*;

    const ALL: [Compression; 3] = [Compression::Off, Compression::Lz4, Compression::Zstd];

    #[test]
    fn unpacks_to_what_was_packed() {
        let text = b"buy 100 at 585.33; ".repeat(10_000);
        let noise: Vec<u8> = (0..9_u32).map(|i| (i * 37 % 251) as u8).collect();
        for how in ALL {
            let (told, packed) = pack(how, text.clone()).unwrap();
            assert_eq!(told, how);
            assert!(how == Compression::Off || packed.len() < text.len() / 20, "{how:?} {}", packed.len());
            assert_eq!(unpack(told, packed.into(), text.len()).unwrap(), text);
            assert_eq!(pack(how, noise.clone()).unwrap(), (Compression::Off, noise.clone()), "grew");
            assert_eq!(Compression::of_code(how.code()), Some(how));
        }
        assert_eq!(Compression::of_code(3), None);
    }

    #[test]
    fn a_bomb_or_a_wrong_size_is_refused() {
        let zeros = vec![0; 64 << 20];
        for how in [Compression::Lz4, Compression::Zstd] {
            let (_, packed) = pack(how, zeros.clone()).unwrap();
            for declared in [0, 100, zeros.len() - 1, zeros.len() + 1] {
                let error = unpack(how, (&*packed).into(), declared).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{how:?} {declared}: {error}");
            }
            assert!(unpack(how, packed[..packed.len() / 2].into(), zeros.len()).is_err());
            assert!(unpack(how, b"neither"[..].into(), 7).is_err());
        }
        assert!(unpack(Compression::Off, b"1234"[..].into(), 3).is_err());
    }
}
