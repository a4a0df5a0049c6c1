//! This machine: mapped files, a directory, the kernel's clock and threads.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tierlog_numa::{Node, Topology};
use tierlog_tiers::clock::{Clock, WallClock};
use tierlog_tiers::nvme::{Directory, DirectoryOptions, DurableWay, FileName, Nvme};
use tierlog_tiers::object::Objects;
use tierlog_tiers::page::Page;
use tierlog_tiers::persist::Flush;
use tierlog_tiers::tail::{
    MapError, MapOptions, Mapped, MappedView, MediumAsk, Shutdowns, TailRead, is_region, shutdowns,
};

use super::{Bell, Env, Host, Running, Worker, thread};
use crate::archive::open_objects;
use crate::config::{ArchiveConfig, Config, DurableWith, FlushWith, Medium, TailPlace};
use crate::error::{Error, Result};
use crate::number::{Incarnation, LogId};
use crate::open::{board_paths, boot_id, map_error, nvme_error, owner_of, sign_owner};

/// The machine that the process runs on.
#[derive(Debug)]
pub struct Machine {
    began: Instant,
    topology: Topology,
}

impl Machine {
    /// Finds out which processors and memory there are.
    pub fn detect() -> Self {
        Machine { began: Instant::now(), topology: Topology::detect() }
    }
}

impl Env for Machine {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn sleep(&self, how_long: Duration) {
        std::thread::sleep(how_long);
    }

    fn listen(&self, bell: &Bell, heard: u64, how_long: Duration) {
        bell.listen(heard, how_long);
    }

    fn random(&self, into: &mut [u8]) {
        // The system's generator fails on no machine that could run anything else here.
        getrandom::fill(into).expect("the system has random numbers");
    }

    fn threads(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

impl Host for Machine {
    type Tail = Mapped;

    fn boot_id(&self) -> Result<[u8; 16]> {
        boot_id()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        WallClock::shared()
    }

    fn nvme_files(&self, config: &Config) -> Result<Vec<FileName>> {
        let dir = config.nvme_path();
        let name = |entry: io::Result<std::fs::DirEntry>| -> io::Result<Option<FileName>> {
            Ok(entry?.file_name().to_str().and_then(FileName::parse))
        };
        let found = std::fs::read_dir(&dir).into_iter().flatten().filter_map(|entry| name(entry).transpose());
        found.collect::<io::Result<_>>().map_err(Error::io(dir.display().to_string()))
    }

    fn nvme(&self, config: &Config) -> Result<Arc<dyn Nvme>> {
        if config.create {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.dir);
            made.map_err(Error::io(config.dir.display().to_string()))?;
        }
        let opened = Directory::open(config.nvme_path(), &directory_options(config));
        Ok(Arc::new(opened.map_err(|error| nvme_error(config, error))?))
    }

    fn view_tail(&self, _: &Config, place: &TailPlace) -> Result<Option<Arc<dyn TailRead>>> {
        match MappedView::open(&place.path) {
            Ok(tail) => Ok(Some(Arc::new(tail))),
            Err(MapError::Missing { .. }) => Ok(None),
            Err(error) => Err(Error::io("a tail")(io::Error::other(error))),
        }
    }

    fn tail(&self, config: &Config, place: &TailPlace) -> Result<Option<Arc<Mapped>>> {
        match Mapped::open(&place.path, &map_options(config)) {
            Ok(tail) => Ok(Some(Arc::new(tail))),
            Err(MapError::Missing { .. }) => Ok(None),
            Err(error) => Err(map_error(config, error)),
        }
    }

    fn new_tail(&self, config: &Config, place: &TailPlace, bytes: u64) -> Result<Arc<Mapped>> {
        // A device is no file to be removed: it is zeroed.
        let removed = if is_region(&place.path) { Ok(()) } else { std::fs::remove_file(&place.path) };
        removed
            .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
            .map_err(Error::io(place.path.display().to_string()))?;
        let tail = Mapped::create(&place.path, bytes, &map_options(config));
        let tail = tail.map_err(|error| map_error(config, error))?;
        let parent =
            place.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = std::fs::File::open(parent).and_then(|dir| dir.sync_all());
        synced.map_err(Error::io(parent.display().to_string()))?;
        Ok(Arc::new(tail))
    }

    fn objects(&self, config: &ArchiveConfig) -> Result<Option<Arc<dyn Objects>>> {
        open_objects(config, true)
    }

    fn view_objects(&self, config: &ArchiveConfig) -> Result<Option<Arc<dyn Objects>>> {
        open_objects(config, false)
    }

    fn sign(&self, config: &Config, nvme: &dyn Nvme) -> Result<()> {
        sign_owner(&config.dir.join("owner"), &nvme.describe()).map_err(Error::io("the file owner"))
    }

    fn owner(&self, config: &Config) -> String {
        owner_of(config)
    }

    fn board(&self, config: &Config, log: LogId, open: Incarnation, words: usize) -> Result<Page> {
        // In memory, where no write-back stalls a commit; beside the log where there is no such place.
        let [memory, beside] = board_paths(config, log, open);
        Page::create(&memory, words).or_else(|error| {
            tracing::warn!(%error, "the board lies beside the log: write-back may stall commits");
            Page::create(&beside, words).map_err(|error| map_error(config, error))
        })
    }

    fn drop_board(&self, config: &Config, log: LogId, open: Incarnation) {
        board_paths(config, log, open).iter().for_each(remove);
    }

    fn leave(&self, config: &Config) {
        remove(&config.dir.join("owner"));
    }

    fn shutdowns(&self, place: &TailPlace) -> Option<Shutdowns> {
        shutdowns(Path::new("/sys"), &place.path)
    }

    fn node_of(&self, place: &TailPlace) -> Option<Node> {
        let node = place.node.map(Node).or_else(|| tierlog_numa::node_of_path(&place.path))?;
        self.topology.nearest_with_cpus(node)
    }

    fn here(&self) -> Node {
        tierlog_numa::current_node()
    }

    fn start(&self, name: String, node: Option<Node>, worker: Box<dyn Worker>) -> Result<Box<dyn Running>> {
        let cpus = node.and_then(|node| self.topology.cpus_of(node)).unwrap_or_default();
        thread::start(name, cpus, worker)
    }
}

fn remove(path: &PathBuf) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "left behind");
        }
        _ => {}
    }
}

fn map_options(config: &Config) -> MapOptions {
    MapOptions {
        ask: match config.tail.medium {
            Medium::Auto => MediumAsk::Auto,
            Medium::Emulated => MediumAsk::Emulated,
            Medium::Page => MediumAsk::Page,
            Medium::File => MediumAsk::File,
        },
        lock_wait_ms_max: config.lock_wait_ms_max,
        fault_guard: config.tail.fault_guard,
        flush: config.tail.flush.map(|flush| match flush {
            FlushWith::Clwb => Flush::Clwb,
            FlushWith::Clflushopt => Flush::Clflushopt,
            FlushWith::Clflush => Flush::Clflush,
            FlushWith::None => Flush::Fence,
        }),
    }
}

fn directory_options(config: &Config) -> DirectoryOptions {
    DirectoryOptions {
        create: config.create,
        lock_wait_ms_max: config.lock_wait_ms_max,
        durable_way: config.nvme.durable.map(|way| match way {
            DurableWith::Odsync => DurableWay::Odsync,
            DurableWith::Fdatasync => DurableWay::Fdatasync,
            DurableWith::Polled => DurableWay::Polled,
            DurableWith::UringDsync => DurableWay::UringDsync,
            DurableWith::Linked => DurableWay::UringLinked,
        }),
        uring: config.nvme.uring,
        read_only: false,
    }
}
