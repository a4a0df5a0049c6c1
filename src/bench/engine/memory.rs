//! Memory of a process that opens a killed log and reads all of it, against the length of the log: it must not grow with it.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::place::config;
use super::recover::filled_and_killed;
use crate::bench::probe::{Estimate, Measured, NOTHING, Pace, Probe, Session};
use crate::bench::results::{Figure, Group, Point};
use crate::bench::sweep::{Sweep, or};
use crate::{Config, Cut, Log};

const RING_BYTES: u64 = 32 << 20;
/// As the kernel tells them: the most there ever was, what the process allocated itself, mapped files and shared memory.
const LINES: [(&str, &[&str]); 3] =
    [("peak_bytes", &["VmHWM:"]), ("own_bytes", &["RssAnon:"]), ("mapped_bytes", &["RssFile:", "RssShmem:"])];

struct Memory(u64);

pub(super) fn probes(sweep: &Sweep) -> Vec<Box<dyn Probe>> {
    let totals = or(&sweep.total_bytes, &[64 << 20, 256 << 20]);
    totals.iter().map(|total| Box::new(Memory(*total)) as Box<dyn Probe>).collect()
}

impl Probe for Memory {
    fn title(&self) -> String {
        format!("memory of an open, {} MiB", self.0 >> 20)
    }

    fn estimate(&self, _: &Pace) -> Estimate {
        let time = Duration::from_millis(500 + self.0 / 100_000);
        Estimate { time, tail_bytes: self.0 + RING_BYTES, nvme_bytes: self.0 + RING_BYTES }
    }

    fn run(&mut self, session: &mut Session<'_>) -> Measured {
        let config = config(session, 1, RING_BYTES);
        filled_and_killed(session, &config, self.0)?;
        (session.progress)(0.5);
        let file = session.nvme_dir.join("open.toml");
        std::fs::write(&file, toml::to_string(&config)?)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "open", "--config"]).arg(&file).stderr(Stdio::inherit());
        let output = command.output()?;
        if !output.status.success() {
            return Err(format!("the child that opens the log ended with {}", output.status).into());
        }
        let at = Point { size_bytes: Some(self.0), ..Point::default() };
        let mut figure = Figure::new(Group::Engine, "memory", "tierlog", at, "tail", NOTHING);
        figure.runs = 1;
        for pair in String::from_utf8(output.stdout)?.lines().filter_map(|line| line.split_once(' ')) {
            figure.counted.insert(pair.0.into(), pair.1.parse()?);
        }
        figure.note = Some("of a process that opened the log after a kill and read all of it".into());
        Ok(vec![figure])
    }
}

/// The child's part: opens the log, reads it to its end, says what memory it has.
///
/// # Errors
/// The log's; as the system says.
pub(crate) fn open(config: Config) -> Measured<String> {
    let (log, _) = Log::open(config)?;
    let mut reader = log.reader(&Cut::start())?;
    while reader.next()?.is_some() {}
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mut told = String::new();
    for (name, labels) in LINES {
        let mut kib = 0;
        for label in labels {
            let line = status.lines().find_map(|line| line.strip_prefix(label)?.trim().strip_suffix(" kB"));
            kib += line.ok_or_else(|| format!("no {label} in /proc/self/status"))?.parse::<u64>()?;
        }
        told += &format!("{name} {}\n", kib * 1024);
    }
    drop(reader);
    log.close()?;
    Ok(told)
}
