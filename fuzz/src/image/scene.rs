//! Logs to begin with: small, on each kind of tail, closed or killed, with what a log can have beside records.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tierlog::host::{Env, Simulation};
use tierlog::sim::{Crash, State, TailMedium, TailOptions, World, WorldOptions, as_thread};
use tierlog::{Config, Cut, Durability, Error, Log, SlotLimit};

use super::parts::Part;

/// A log as it lies on its media.
pub struct Scene {
    /// What it is opened with.
    pub config: Config,
    /// What lies where.
    pub parts: Vec<Part>,
    left: State,
}

impl Scene {
    /// A world of its own, in which nobody has the log open.
    pub fn world(&self) -> World {
        self.left.world()
    }
}

/// All of them, made once.
pub fn scenes() -> &'static [Scene] {
    static SCENES: OnceLock<Vec<Scene>> = OnceLock::new();
    SCENES.get_or_init(|| {
        let media = [TailMedium::FsDax { eadr: false }, TailMedium::File];
        let kinds = media.into_iter().flat_map(|medium| [(medium, true), (medium, false)]);
        kinds
            .flat_map(|(medium, closed)| [false, true].map(|archived| scene(medium, closed, archived)))
            .collect()
    })
}

fn config(archived: bool) -> Config {
    let mut config = Config::new("sim");
    config.tail.lanes = Some(2);
    config.tail.segment_bytes = Some(4 << 10);
    config.tail.segments = Some(4);
    config.tail.full_wait_ms_max = 1_000;
    config.nvme.segment_bytes = Some(16 << 10);
    config.nvme.reserve_bytes = Some(0);
    config.nvme.scrub_every_ms = 20;
    if archived {
        config.archive.address = "memory:fuzz".into();
        config.archive.linger_ms_max = 5;
    }
    config
}

fn scene(medium: TailMedium, closed: bool, archived: bool) -> Scene {
    let tails = vec![TailOptions { medium, ..TailOptions::default() }];
    let world = World::new(&WorldOptions { tails, ..WorldOptions::default() });
    let config = config(archived);
    let host = Simulation::new(&world, 0, 1);
    live(&host, &config, closed).expect("nothing fails in this world");
    let left = world.crash(Crash::Kill).state(true);
    let parts = super::parts::parts(&left.world());
    Scene { config, parts, left }
}

/// Two opens: laps of the ring, batches, an abort, a mark, a slot, a checkpoint, a dependency.
fn live(host: &Arc<Simulation>, config: &Config, closed: bool) -> Result<(), Error> {
    let (log, _) = Log::open_on(host.clone(), config.clone())?;
    append(&log, 0, 40, 300)?;
    log.create_slot("consumer", SlotLimit::default())?;
    host.sleep(Duration::from_millis(50));
    log.close()?;
    let (log, _) = Log::open_on(host.clone(), config.clone())?;
    append(&log, 1, 12, 500)?;
    log.mark("here")?;
    let mut reader = log.reader(&Cut::start())?;
    for _ in 0..5 {
        reader.next()?;
    }
    let cut = reader.position();
    log.checkpoint(&cut)?;
    append(&log, 2, 9, 40)?;
    host.sleep(Duration::from_millis(if closed { 50 } else { 2 }));
    append(&log, 3, 3, 700)?;
    if closed {
        return log.close();
    }
    host.world().freeze();
    drop((reader, log));
    Ok(())
}

/// Two writers in turn, each after it has read what the other one wrote.
fn append(log: &Log<Simulation>, stream: u32, batches: usize, bytes: usize) -> Result<(), Error> {
    let mut writers = [0, 1].map(|thread| as_thread(thread, || log.writer()));
    for batch in 0..batches {
        let thread = batch % 2;
        let Ok(writer) = &mut writers[thread] else { continue };
        as_thread(thread as u32, || {
            let level = if batch % 5 == 3 { Durability::Buffered } else { Durability::Power };
            writer.append(stream, &vec![batch as u8; bytes])?;
            writer.append(stream, &[stream as u8; 20])?;
            if batch % 7 == 6 { writer.abort() } else { writer.commit(level).map(|_| ()) }
        })?;
    }
    Ok(())
}
