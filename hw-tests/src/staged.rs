//! This machine with something done to it that a test cannot wait for: another start, or a page that fails.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tierlog::host::{Bell, Env, Host, Machine, Running, Worker};
use tierlog::{ArchiveConfig, Config, Incarnation, LogId, Result, TailPlace};
use tierlog_numa::Node;
use tierlog_tiers::clock::Clock;
use tierlog_tiers::nvme::{FileName, Nvme};
use tierlog_tiers::object::Objects;
use tierlog_tiers::page::Page;
use tierlog_tiers::tail::{Mapped, Shutdowns, TailRead};

/// What is done to a tail's file once it is mapped, before anything is read of it.
type OnMapped = Box<dyn Fn(&Path) + Send + Sync>;

/// This machine, but for what is said.
pub struct Staged {
    machine: Machine,
    boot_id: Option<[u8; 16]>,
    on_mapped: OnMapped,
}

impl Staged {
    /// The machine as it would be, for all that a log can tell, after it was started anew.
    pub fn started_anew(boot_id: [u8; 16]) -> Staged {
        Staged { machine: Machine::detect(), boot_id: Some(boot_id), on_mapped: Box::new(|_| ()) }
    }

    /// The machine, with `on_mapped` called for each tail that is there between its mapping and the first look at it.
    pub fn mapped(on_mapped: impl Fn(&Path) + Send + Sync + 'static) -> Staged {
        Staged { machine: Machine::detect(), boot_id: None, on_mapped: Box::new(on_mapped) }
    }
}

impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staged").field("boot_id", &self.boot_id).finish_non_exhaustive()
    }
}

impl Env for Staged {
    fn now(&self) -> Duration {
        self.machine.now()
    }

    fn sleep(&self, how_long: Duration) {
        self.machine.sleep(how_long);
    }

    fn listen(&self, bell: &Bell, heard: u64, how_long: Duration) {
        self.machine.listen(bell, heard, how_long);
    }

    fn random(&self, into: &mut [u8]) {
        self.machine.random(into);
    }

    fn threads(&self) -> usize {
        self.machine.threads()
    }
}

impl Host for Staged {
    type Tail = Mapped;

    fn boot_id(&self) -> Result<[u8; 16]> {
        self.boot_id.map_or_else(|| self.machine.boot_id(), Ok)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.machine.clock()
    }

    fn nvme_files(&self, config: &Config) -> Result<Vec<FileName>> {
        self.machine.nvme_files(config)
    }

    fn nvme(&self, config: &Config) -> Result<Arc<dyn Nvme>> {
        self.machine.nvme(config)
    }

    fn view_tail(&self, config: &Config, place: &TailPlace) -> Result<Option<Arc<dyn TailRead>>> {
        self.machine.view_tail(config, place)
    }

    fn tail(&self, config: &Config, place: &TailPlace) -> Result<Option<Arc<Mapped>>> {
        let tail = self.machine.tail(config, place)?;
        if tail.is_some() {
            (self.on_mapped)(&place.path);
        }
        Ok(tail)
    }

    fn new_tail(&self, config: &Config, place: &TailPlace, bytes: u64) -> Result<Arc<Mapped>> {
        self.machine.new_tail(config, place, bytes)
    }

    fn objects(&self, config: &ArchiveConfig) -> Result<Option<Arc<dyn Objects>>> {
        self.machine.objects(config)
    }

    fn view_objects(&self, config: &ArchiveConfig) -> Result<Option<Arc<dyn Objects>>> {
        self.machine.view_objects(config)
    }

    fn sign(&self, config: &Config, nvme: &dyn Nvme) -> Result<()> {
        self.machine.sign(config, nvme)
    }

    fn owner(&self, config: &Config) -> String {
        self.machine.owner(config)
    }

    fn board(&self, config: &Config, log: LogId, open: Incarnation, words: usize) -> Result<Page> {
        self.machine.board(config, log, open, words)
    }

    fn drop_board(&self, config: &Config, log: LogId, open: Incarnation) {
        self.machine.drop_board(config, log, open);
    }

    fn leave(&self, config: &Config) {
        self.machine.leave(config);
    }

    fn shutdowns(&self, place: &TailPlace) -> Option<Shutdowns> {
        self.machine.shutdowns(place)
    }

    fn node_of(&self, place: &TailPlace) -> Option<Node> {
        self.machine.node_of(place)
    }

    fn here(&self) -> Node {
        self.machine.here()
    }

    fn start(&self, name: String, node: Option<Node>, worker: Box<dyn Worker>) -> Result<Box<dyn Running>> {
        self.machine.start(name, node, worker)
    }
}
