//! What an archive costs, and how fast it comes back: lines of a file archived with each compression, and restored beside
//! plain parallel reads of the same objects, and plain writes of the same frames.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Parser;
use tierlog::{Compression, Config, Durability, Log, restore};
use tierlog_tiers::nvme::Block;
use tierlog_tiers::object::{Name, Objects, Sequence, SequenceOptions};

type Failure = Box<dyn std::error::Error>;

/// Requests at a time, of a restore and of plain reads alike.
const READERS: usize = 8;

/// Archives and restores.
#[derive(Debug, Parser)]
struct Args {
    /// Lines to archive, one a record; gzip by its name.
    file: PathBuf,
    /// Below this address; each run gets a folder of its own.
    address: String,
    /// Where an S3 or Azure store answers.
    #[arg(long)]
    endpoint: Option<String>,
    /// A directory on the disk to restore to.
    #[arg(long, default_value = ".")]
    disk: PathBuf,
    /// How often the lines are archived for the restore.
    #[arg(long, default_value_t = 40)]
    times: usize,
}

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let mut text = String::new();
    let file = std::fs::File::open(&args.file)?;
    match args.file.extension().is_some_and(|end| end == "gz") {
        true => flate2::read::GzDecoder::new(file).read_to_string(&mut text)?,
        false => std::io::BufReader::new(file).read_to_string(&mut text)?,
    };
    let lines: Vec<&str> = text.lines().collect();
    println!(
        "{} records, {} bytes of payload",
        lines.len(),
        lines.iter().map(|line| line.len()).sum::<usize>()
    );
    for compression in [Compression::Off, Compression::Lz4, Compression::Zstd] {
        measure(&args, &lines, compression)?;
    }
    Ok(())
}

fn measure(args: &Args, lines: &[&str], compression: Compression) -> Result<(), Failure> {
    let place = tempfile::tempdir_in(&args.disk)?;
    let fresh = format!("{}-{compression:?}", std::process::id());
    let mut config = Config::new(place.path().join("log"));
    config.archive.address = format!("{}/{fresh}", args.address);
    config.archive.endpoint = args.endpoint.clone().unwrap_or_default();
    config.archive.accept_local = true;
    config.archive.compression = compression;
    config.tail.lanes = Some(2);
    let (log, _) = Log::open(config.clone())?;
    let began = Instant::now();
    write(&log, lines, args.times)?;
    let (took, metrics) = (began.elapsed(), log.metrics());
    log.close()?;
    let records = (lines.len() * args.times) as f64;
    println!(
        "{compression:?}: {:.1} bytes of frames a record, {:.1} archived; {} objects, {:.1} MB/s of frames archived",
        metrics.frame_bytes_archived as f64 / records,
        metrics.object_bytes_written as f64 / records,
        metrics.objects_written,
        metrics.frame_bytes_archived as f64 / 1e6 / took.as_secs_f64(),
    );
    for round in 0..3 {
        let (bytes, plain) = plain_reads(&config)?;
        let again = Config { dir: place.path().join(format!("again-{round}")), ..config.clone() };
        let began = Instant::now();
        let restored = restore(&again)?;
        let took = began.elapsed();
        std::fs::remove_dir_all(&again.dir)?;
        let written = plain_writes(&place.path().join("plain"), restored.frame_bytes)?;
        let speed = |bytes: u64, took: Duration| bytes as f64 / 1e6 / took.as_secs_f64();
        println!(
            "  plain reads {:.0} MB/s, plain writes {:.0}; restored in {:.2} s at {:.0} MB/s of objects ({:.0} of frames): {:.2} \
             of the reads, {:.2} of the slower of both",
            speed(bytes, plain),
            speed(restored.frame_bytes, written),
            took.as_secs_f64(),
            speed(bytes, took),
            speed(restored.frame_bytes, took),
            plain.as_secs_f64() / took.as_secs_f64(),
            plain.max(written).as_secs_f64() / took.as_secs_f64(),
        );
    }
    Ok(())
}

fn write(log: &Log, lines: &[&str], times: usize) -> Result<(), tierlog::Error> {
    let half = |first: usize| {
        let mut writer = log.writer()?;
        for _ in 0..times {
            for (i, line) in lines.iter().enumerate().skip(first).step_by(2) {
                writer.append(0, line.as_bytes())?;
                if i % 64 == first {
                    writer.commit(Durability::Process)?;
                }
            }
        }
        writer.commit(Durability::Machine)
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        half(0)?;
        other.join().expect("a writer does not panic").map(drop)
    })
}

/// Reads every object of the archive as it is, several at a time; bytes, and how long it took.
fn plain_reads(config: &Config) -> Result<(u64, Duration), Failure> {
    let endpoint = (!config.archive.endpoint.is_empty()).then(|| config.archive.endpoint.clone());
    let options = SequenceOptions { endpoint, ..SequenceOptions::default() };
    let store = Sequence::open(&config.archive.address, &options)?;
    let names = names(&store)?;
    let (queue, total) = (Mutex::new(names.into_iter()), Mutex::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                loop {
                    let Some(name) = queue.lock().expect("no panic").next() else { return };
                    let read =
                        store.read(name, None).expect("an object that was there").expect("it still is");
                    *total.lock().expect("no panic") += read.len() as u64;
                }
            });
        }
    });
    let took = began.elapsed();
    Ok((total.into_inner()?, took))
}

/// How long the disk takes for as many bytes in one file, one write of 256 KiB after the other, past the page cache, and a
/// flush at the end.
fn plain_writes(path: &Path, bytes: u64) -> Result<Duration, Failure> {
    let mut file = OpenOptions::new().write(true).create_new(true).custom_flags(libc::O_DIRECT).open(path)?;
    let mut block = Block::zeroed(256 << 10);
    block.iter_mut().enumerate().for_each(|(i, byte)| *byte = i as u8);
    let began = Instant::now();
    for _ in 0..bytes.div_ceil(block.len() as u64) {
        file.write_all(&block)?;
    }
    file.sync_data()?;
    let took = began.elapsed();
    std::fs::remove_file(path)?;
    Ok(took)
}

/// Every object, as the store lists it: the open that wrote them is in the name of each data object.
fn names(store: &Sequence) -> Result<Vec<Name>, Failure> {
    let mut names = Vec::new();
    let mut opens = Vec::new();
    while let Some(head) = store.read(Name::Number(names.len() as u64 + 1), Some(64))? {
        // docs/FORMAT.md: a block's head of 24 bytes, the log's id, then epoch, kind and incarnation.
        let epoch = u32::from_le_bytes(head[40..44].try_into()?);
        let open = (epoch, u64::from_le_bytes(head[48..56].try_into()?));
        if !opens.contains(&open) {
            opens.push(open);
        }
        names.push(Name::Number(names.len() as u64 + 1));
    }
    for (epoch, incarnation) in opens {
        names.extend(store.list(epoch, incarnation, 0)?.into_iter().map(Name::Data));
    }
    Ok(names)
}
