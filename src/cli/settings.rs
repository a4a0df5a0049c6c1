//! From flags and a TOML file to a [`Config`]: flags win over the file, the file over the defaults.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::{DeserializeOwned, IntoDeserializer, value};

use super::bench::Media;
use super::ending::Failure;
use super::figures::parse_bytes;
use crate::archive::Compression;
use crate::config::{Config, DurableWith, FlushWith, Medium, TailPlace, WhenFull};

const HEADING: &str = "Log (for every command)";

/// The flags that say which log, and how it is opened.
#[derive(Debug, clap::Args)]
pub(super) struct LogArgs {
    /// The log's directory [default: ./log]
    #[arg(long, value_name = "DIR", env = "TIERLOG_DIR", global = true, help_heading = HEADING, value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
    /// Configuration as TOML; flags win over it
    #[arg(long, value_name = "FILE", global = true, help_heading = HEADING, value_hint = clap::ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// Serves ordinary memory as if it were persistent, for CI and benchmarks; every figure then says EMULATED
    #[arg(long, global = true, help_heading = HEADING, conflicts_with = "medium")]
    emulated: bool,
    /// What the tail is taken for
    #[arg(long, global = true, help_heading = HEADING, value_parser = named::<Medium>(&["auto", "emulated", "page", "file"]))]
    medium: Option<Medium>,
    /// Where the tail lies, a file or a device-DAX region (/dev/daxX.Y); once for each NUMA node [default: DIR/tail]
    #[arg(long = "tail", value_name = "PATH", global = true, help_heading = HEADING, value_hint = clap::ValueHint::AnyPath)]
    tails: Vec<PathBuf>,
    /// Lanes of a new log, 1 to 1,024 [default: 4]
    #[arg(long, value_name = "N", global = true, help_heading = HEADING)]
    lanes: Option<u32>,
    /// Bytes of a tail segment of a new log, a power of two from 4K to 1G [default: 4M]
    #[arg(long, value_name = "BYTES", global = true, help_heading = HEADING, value_parser = parse_bytes)]
    segment_bytes: Option<u64>,
    /// Tail segments per lane of a new log, 4 to 64 [default: 8]
    #[arg(long, value_name = "N", global = true, help_heading = HEADING)]
    segments: Option<u32>,
    /// Directory of the NVMe tier [default: DIR/nvme]
    #[arg(long, value_name = "DIR", global = true, help_heading = HEADING, value_hint = clap::ValueHint::DirPath)]
    nvme: Option<PathBuf>,
    /// Bytes of an NVMe segment of a new log [default: 32M]
    #[arg(long, value_name = "BYTES", global = true, help_heading = HEADING, value_parser = parse_bytes)]
    nvme_segment_bytes: Option<u64>,
    /// How writes to NVMe become durable [default: the simplest that none beats by a quarter, as measured at open]
    #[arg(long, global = true, help_heading = HEADING, value_parser = named::<DurableWith>(&["odsync", "fdatasync", "polled", "uring-dsync", "linked"]))]
    durable: Option<DurableWith>,
    /// Bytes that the NVMe tier may take [default: as many as there are]
    #[arg(long, value_name = "BYTES", global = true, help_heading = HEADING, value_parser = parse_bytes)]
    quota_bytes: Option<u64>,
    /// Room set aside for recovery on a full disk [default: what it can need, at most 1G]
    #[arg(long, value_name = "BYTES", global = true, help_heading = HEADING, value_parser = parse_bytes)]
    reserve_bytes: Option<u64>,
    /// Keeps what nobody needs while the NVMe tier holds no more than this [default: keeps nothing]
    #[arg(long, value_name = "BYTES", global = true, help_heading = HEADING, value_parser = parse_bytes)]
    retain_bytes_max: Option<u64>,
    /// Keeps what nobody needs for so long, in milliseconds [default: keeps nothing]
    #[arg(long, value_name = "MS", global = true, help_heading = HEADING)]
    retain_ms_max: Option<u64>,
    /// Gives up what nobody needs once the archive holds more frames than this [default: keeps everything]
    #[arg(long, value_name = "BYTES", global = true, help_heading = HEADING, value_parser = parse_bytes)]
    archive_retain_bytes_max: Option<u64>,
    /// Gives up what nobody needs and is older than this, in milliseconds [default: keeps everything]
    #[arg(long, value_name = "MS", global = true, help_heading = HEADING)]
    archive_retain_ms_max: Option<u64>,
    /// What an append does when there is no room
    #[arg(long, global = true, help_heading = HEADING, value_parser = named::<WhenFull>(&["refuse", "throttle", "block"]))]
    when_full: Option<WhenFull>,
    /// The flush instruction [default: the best there is]
    #[arg(long, global = true, help_heading = HEADING, value_parser = named::<FlushWith>(&["clwb", "clflushopt", "clflush", "none"]))]
    flush: Option<FlushWith>,
    /// The archive: s3://BUCKET/PREFIX, az://CONTAINER/PREFIX, gs://BUCKET/PREFIX, file:///DIR, or a directory
    #[arg(long, value_name = "ADDR", global = true, help_heading = HEADING)]
    archive: Option<String>,
    /// Where an S3 or Azure store answers, for MinIO and its like [default: as AWS_ENDPOINT_URL or AZURE_STORAGE_ENDPOINT says]
    #[arg(long, value_name = "URL", global = true, help_heading = HEADING)]
    endpoint: Option<String>,
    /// How objects of the archive are compressed [default: zstd]
    #[arg(long, global = true, help_heading = HEADING, value_parser = named::<Compression>(&["off", "lz4", "zstd"]))]
    compression: Option<Compression>,
    /// Goes on with a store that cannot keep two owners apart, where there will never be two
    #[arg(long, global = true, help_heading = HEADING)]
    accept_unfenced: bool,
    /// Lets an archive on this machine serve the level `machine`; reports are marked
    #[arg(long, global = true, help_heading = HEADING)]
    accept_local: bool,
    /// Lets a directory without a block device below (tmpfs, overlay, a network) serve the level `power`; reports are marked
    #[arg(long, global = true, help_heading = HEADING)]
    accept_volatile: bool,
    /// Goes on with a directory that was copied or moved, as the only copy; or takes back an archive that another owner
    /// took over
    #[arg(long, global = true, help_heading = HEADING)]
    adopt: bool,
    /// Begins another archive with what the directory holds
    #[arg(long, global = true, help_heading = HEADING)]
    fork: bool,
    /// Goes on without a lost tail; what was only there is given up
    #[arg(long, global = true, help_heading = HEADING)]
    accept_loss: bool,
    /// How long to wait for another owner to go away, in milliseconds [default: 2000]
    #[arg(long, value_name = "MS", global = true, help_heading = HEADING)]
    lock_wait_ms_max: Option<u64>,
}

impl LogArgs {
    /// The configuration that the file and the flags add up to.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        let mut config = self.config.as_deref().map_or_else(|| Ok(Config::default()), read)?;
        set(&mut config.dir, &self.dir);
        set(&mut config.tail.medium, &self.emulated.then_some(Medium::Emulated).or(self.medium));
        if !self.tails.is_empty() {
            let place = |path: &PathBuf| TailPlace { path: path.clone(), node: None };
            config.tail.places = self.tails.iter().map(place).collect();
        }
        set_some(&mut config.tail.lanes, self.lanes);
        set_some(&mut config.tail.segment_bytes, self.segment_bytes);
        set_some(&mut config.tail.segments, self.segments);
        set_some(&mut config.tail.flush, self.flush);
        set_some(&mut config.nvme.path, self.nvme.clone());
        set_some(&mut config.nvme.segment_bytes, self.nvme_segment_bytes);
        set_some(&mut config.nvme.durable, self.durable);
        set(&mut config.nvme.quota_bytes, &self.quota_bytes);
        set_some(&mut config.nvme.reserve_bytes, self.reserve_bytes);
        set(&mut config.nvme.retain.bytes_max, &self.retain_bytes_max);
        set(&mut config.nvme.retain.ms_max, &self.retain_ms_max);
        if self.archive_retain_bytes_max.is_some() || self.archive_retain_ms_max.is_some() {
            let retain = config.archive.retain.get_or_insert_default();
            set(&mut retain.bytes_max, &self.archive_retain_bytes_max);
            set(&mut retain.ms_max, &self.archive_retain_ms_max);
        }
        set(&mut config.tail.when_full, &self.when_full);
        set(&mut config.archive.address, &self.archive);
        set(&mut config.archive.endpoint, &self.endpoint);
        set(&mut config.archive.compression, &self.compression);
        set(&mut config.lock_wait_ms_max, &self.lock_wait_ms_max);
        config.archive.accept_local |= self.accept_local;
        config.nvme.accept_volatile |= self.accept_volatile;
        config.archive.accept_unfenced |= self.accept_unfenced;
        config.adopt |= self.adopt;
        config.fork |= self.fork;
        config.accept_loss |= self.accept_loss;
        Ok(config)
    }

    /// Where `bench` measures.
    pub(super) fn media(&self) -> Media {
        Media { tail: self.tails.first().cloned(), nvme: self.nvme.clone() }
    }

    /// The directory, if one was named.
    pub(super) fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }
}

fn set<T: Clone>(field: &mut T, asked: &Option<T>) {
    if let Some(asked) = asked {
        field.clone_from(asked);
    }
}

fn set_some<T>(field: &mut Option<T>, asked: Option<T>) {
    if asked.is_some() {
        *field = asked;
    }
}

fn read(path: &Path) -> Result<Config, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    toml::from_str(&text).map_err(|error| wrong(&error))
}

/// A flag with the names that the configuration file uses.
pub(super) fn named<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| {
        let name: value::StringDeserializer<value::Error> = name.into_deserializer();
        T::deserialize(name)
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::Cli;
    use super::*;

    fn config(flags: &[&str]) -> Config {
        let line = ["tierlog", "info"].iter().chain(flags);
        Cli::try_parse_from(line).unwrap().log.config().unwrap()
    }

    #[test]
    fn every_name_of_a_flag_is_one_of_the_configuration() {
        for name in ["auto", "emulated", "page", "file"] {
            config(&["--medium", name]);
        }
        for name in ["off", "lz4", "zstd"] {
            config(&["--compression", name]);
        }
        for name in ["odsync", "fdatasync", "polled", "uring-dsync", "linked"] {
            config(&["--durable", name]);
        }
        for name in ["refuse", "throttle", "block"] {
            config(&["--when-full", name]);
        }
        for name in ["clwb", "clflushopt", "clflush", "none"] {
            config(&["--flush", name]);
        }
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log.toml");
        let text = "dir = \"here\"\n[tail]\nlanes = 3\nsegments = 5\n[archive]\naccept_local = true\n";
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let got = config(&["--config", file, "--lanes", "7", "--segment-bytes", "64K", "--emulated"]);
        let mut want = Config::new("here").emulated();
        want.tail.lanes = Some(7);
        want.tail.segments = Some(5);
        want.tail.segment_bytes = Some(64 << 10);
        want.archive.accept_local = true;
        assert_eq!(got, want);
    }
}
