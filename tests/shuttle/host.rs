//! A host whose threads shuttle runs, one at a time, over simulated tiers. Time passes while somebody waits.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use shuttle::thread;
use tierlog::host::{Bell, Env, Host, Running, Worker};
use tierlog::{ArchiveConfig, Config, Error, Incarnation, LogId, Result, TailPlace};
use tierlog_numa::Node;
use tierlog_tiers::clock::Clock;
use tierlog_tiers::nvme::{FileName, Nvme};
use tierlog_tiers::object::Objects;
use tierlog_tiers::page::Page;
use tierlog_tiers::sim::{SimTail, TailOptions, World, WorldOptions};
use tierlog_tiers::tail::{MapError, TailMedium, TailRead};

/// Nanoseconds that passed.
#[derive(Debug, Default)]
struct Time(AtomicU64);

impl Time {
    /// Lets the others run.
    fn sleep(&self, how_long: Duration) {
        self.0.fetch_add(how_long.min(STEP_MAX).as_nanos() as u64, Relaxed);
        thread::yield_now();
    }

    fn listen(&self, bell: &Bell, heard: u64, how_long: Duration) {
        if bell.rung() <= heard {
            self.sleep(how_long);
        }
    }
}

/// What one wait adds to the time at most: nobody waits long for others to wait.
const STEP_MAX: Duration = Duration::from_millis(2);

#[derive(Debug)]
pub struct Checked {
    world: World,
    time: Arc<Time>,
    drawn: AtomicU64,
}

impl Checked {
    pub fn new(medium: TailMedium) -> Arc<Self> {
        let tails = vec![TailOptions { medium, ..TailOptions::default() }];
        let world = World::new(&WorldOptions { tails, ..WorldOptions::default() });
        Arc::new(Checked { world, time: Arc::default(), drawn: AtomicU64::new(0) })
    }
}

fn refused(error: impl Display) -> Error {
    Error::Config(error.to_string())
}

fn found<T>(opened: Result<Arc<T>, MapError>) -> Result<Option<Arc<T>>> {
    match opened {
        Ok(tail) => Ok(Some(tail)),
        Err(MapError::Missing { .. }) => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

impl Env for Checked {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.time.0.fetch_add(100, Relaxed))
    }

    fn sleep(&self, how_long: Duration) {
        self.time.sleep(how_long);
    }

    fn listen(&self, bell: &Bell, heard: u64, how_long: Duration) {
        self.time.listen(bell, heard, how_long);
    }

    fn random(&self, into: &mut [u8]) {
        for bytes in into.chunks_mut(8) {
            let word = (self.drawn.fetch_add(1, Relaxed) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
        }
    }

    fn threads(&self) -> usize {
        1
    }
}

impl Host for Checked {
    type Tail = SimTail;

    fn boot_id(&self) -> Result<[u8; 16]> {
        Ok(self.world.boot_id())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.world.clock(0)
    }

    fn nvme_files(&self, _: &Config) -> Result<Vec<FileName>> {
        self.world.nvme(0).files().map_err(refused)
    }

    fn nvme(&self, _: &Config) -> Result<Arc<dyn Nvme>> {
        Ok(self.world.nvme(0))
    }

    fn view_tail(&self, _: &Config, _: &TailPlace) -> Result<Option<Arc<dyn TailRead>>> {
        Ok(found(self.world.view_tail(0))?.map(|tail| tail as Arc<dyn TailRead>))
    }

    fn tail(&self, _: &Config, _: &TailPlace) -> Result<Option<Arc<SimTail>>> {
        found(self.world.open_tail(0))
    }

    fn new_tail(&self, _: &Config, _: &TailPlace, bytes: u64) -> Result<Arc<SimTail>> {
        self.world.remove_tail(0);
        self.world.create_tail(0, bytes).map_err(refused)
    }

    fn objects(&self, config: &ArchiveConfig) -> Result<Option<Arc<dyn Objects>>> {
        Ok((!config.address.is_empty()).then(|| self.world.objects()))
    }

    fn sign(&self, _: &Config, _: &dyn Nvme) -> Result<()> {
        Ok(())
    }

    fn owner(&self, _: &Config) -> String {
        "a test".into()
    }

    fn board(&self, _: &Config, _: LogId, _: Incarnation, words: usize) -> Result<Page> {
        Page::heap(words).map_err(refused)
    }

    fn drop_board(&self, _: &Config, _: LogId, _: Incarnation) {}

    fn leave(&self, _: &Config) {}

    fn node_of(&self, _: &TailPlace) -> Option<Node> {
        None
    }

    fn here(&self) -> Node {
        Node(0)
    }

    fn start(&self, _: String, _: Option<Node>, mut worker: Box<dyn Worker>) -> Result<Box<dyn Running>> {
        let (bell, time) = (worker.bell(), self.time.clone());
        let run = move || {
            loop {
                let heard = bell.rung();
                let Some(rest) = worker.turn() else { return };
                if !rest.is_zero() {
                    time.listen(&bell, heard, rest);
                }
            }
        };
        Ok(Box::new(Thread(thread::spawn(run))))
    }
}

struct Thread(thread::JoinHandle<()>);

impl Running for Thread {
    fn join(self: Box<Self>) {
        self.0.join().unwrap();
    }
}
