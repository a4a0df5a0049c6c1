//! What a drive with a volatile cache must have kept: puts the writes that dm-log-writes noted onto an image.
//!
//! `replay_writes LOG IMAGE FROM MARK`: from entry number FROM up to the mark MARK; the number of the entry behind that
//! goes to standard output. The log has a write only once a flush that came after it was answered, or the write itself was
//! forced: whatever it has before the mark is all that a drive that lost its power then need have kept.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::ExitCode;

const MAGIC: u64 = 0x006a_7366_7773_6872;
const VERSION: u64 = 1;
const HEADER_BYTES: usize = 32;
const DISCARD: u64 = 4;
const MARK: u64 = 8;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [log, image, from, mark] = args.as_slice() else {
        eprintln!("replay_writes LOG IMAGE FROM MARK");
        return ExitCode::from(2);
    };
    match replay(log, image, from, mark) {
        Ok(next) => {
            println!("{next}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("replay_writes: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The header of the log or of an entry: four words, little-endian.
fn header(log: &File, at: u64) -> io::Result<[u64; 4]> {
    let mut bytes = [0; HEADER_BYTES];
    log.read_exact_at(&mut bytes, at)?;
    let word = |i: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[i * 8 + byte]));
    Ok(std::array::from_fn(word))
}

fn replay(log: &str, image: &str, from: &str, mark: &str) -> io::Result<u64> {
    let from: u64 = from.parse().map_err(io::Error::other)?;
    let log = File::open(log)?;
    let image = File::options().write(true).open(image)?;
    let [magic, version, entries, sector_bytes] = header(&log, 0)?;
    let sector_bytes = sector_bytes & u64::from(u32::MAX);
    if (magic, version) != (MAGIC, VERSION) || ![512, 4096].contains(&sector_bytes) {
        return Err(io::Error::other("no log of dm-log-writes"));
    }
    let mut at = sector_bytes;
    for number in 0..entries {
        let [sector, sectors, flags, name_bytes] = header(&log, at)?;
        let behind = at + sector_bytes;
        if flags & MARK != 0 {
            let mut name = vec![0; name_bytes.min(sector_bytes) as usize];
            log.read_exact_at(&mut name, at + HEADER_BYTES as u64)?;
            if name == mark.as_bytes() {
                return Ok(number + 1);
            }
        }
        // What is discarded may as well stay.
        let bytes = if flags & DISCARD == 0 { sectors * sector_bytes } else { 0 };
        if number >= from && bytes > 0 {
            let mut data = vec![0; bytes as usize];
            log.read_exact_at(&mut data, behind)?;
            image.write_all_at(&data, sector * sector_bytes)?;
        }
        at = behind + bytes;
    }
    Err(io::Error::other(format!("no mark {mark} among {entries} entries")))
}
