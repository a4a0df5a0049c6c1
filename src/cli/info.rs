//! `tierlog info`: what a log is and how far it is, without opening it for writing.

use serde::Serialize;
use tierlog_tiers::nvme::{Directory, DirectoryOptions, FileName, Nvme};

use super::ending::{Outcome, Status};
use super::figures::count;
use super::output;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::format::{OpenRecord, TailRecord};
use crate::number::{Epoch, Lsn};
use crate::open::{Superblock, nvme_error, owner_lines};
use crate::report::LaneWatermarks;
use crate::runs::HeldBy;
use crate::slot::SlotInfo;
use crate::view::View;

const EXAMPLES: &str = "\
Examples:
  tierlog info --dir /srv/log
  tierlog info --dir /srv/log --json | jq '.lanes[].published'";

/// Tells what a log is: media, promises, lanes, segments by tier, whether somebody writes it
///
/// Works beside the process that appends; writes nothing and takes no lock.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct InfoArgs {
    /// All of it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Info {
    log: String,
    dir: String,
    epoch: Epoch,
    live: bool,
    /// Who writes it, if somebody does.
    owner: Option<String>,
    /// Whether the last open was closed; if not, and nobody is about, the next open recovers it.
    closed: bool,
    emulated: bool,
    tails: Vec<TailInfo>,
    tail_segment_bytes: u64,
    tail_segments_per_lane: u32,
    nvme: String,
    nvme_segment_bytes: u64,
    archive: Option<String>,
    process: String,
    power: String,
    machine: String,
    slots: Vec<SlotInfo>,
    lanes: Vec<LaneInfo>,
}

#[derive(Serialize)]
struct TailInfo {
    path: String,
    medium: &'static str,
    /// What is made durable at a time; 0 nothing, 1 each store (eADR).
    granularity_bytes: u32,
}

#[derive(Serialize)]
struct LaneInfo {
    #[serde(flatten)]
    watermarks: LaneWatermarks,
    tail_segments: usize,
    nvme_segments: usize,
    /// Below, nobody needs it.
    may_trim: Lsn,
    /// What keeps the rest.
    held_by: HeldBy,
}

/// Runs `tierlog info`.
pub(super) fn run(args: &InfoArgs, config: &Config) -> Outcome {
    let view = View::open(config)?;
    let info = Info::of(&view, &record(config)?, config);
    if args.json {
        output::print_json(&info)?
    } else {
        output::print(info.text().as_bytes())?
    }
    Ok(Status::Done)
}

/// What the last open wrote down.
fn record(config: &Config) -> Result<OpenRecord> {
    let path = config.nvme_path();
    let options = DirectoryOptions { create: false, read_only: true, ..DirectoryOptions::default() };
    let nvme = Directory::open(&path, &options).map_err(|error| nvme_error(config, error))?;
    let path = path.join("superblock");
    let file = nvme.open(FileName::Superblock, false).map_err(Error::io(path.display().to_string()))?;
    let record = Superblock { file }.read(&path)?;
    record.ok_or_else(|| Error::Config(format!("{}: there is no log here", path.display())))
}

impl Info {
    fn of(view: &View, record: &OpenRecord, config: &Config) -> Self {
        let (nvme, paths) = view.places();
        let tails: Vec<TailInfo> = paths
            .into_iter()
            .zip(&record.tails)
            .map(|(path, tail)| TailInfo {
                path,
                medium: medium(tail),
                granularity_bytes: tail.granularity_bytes,
            })
            .collect();
        let owner = owner_lines(config).filter(|_| view.is_live());
        // It has measured how to make a write durable; who only reads has not.
        let (owner, nvme) = match owner {
            Some((owner, known)) if !known.is_empty() => (Some(owner), known),
            owner => (owner.map(|(owner, _)| owner), nvme),
        };
        let emulated = view.is_emulated();
        let (process, mut power) = promises(&record.tails, &nvme, emulated);
        if !emulated && !view.nvme_is_power_safe() {
            power = format!("not kept, unless accept_volatile takes it: the NVMe tier is {nvme}");
        }
        let archive = Some(record.archive.clone()).filter(|archive| !archive.is_empty());
        let machine = match &archive {
            Some(_) => "acknowledged by the archive; one on this machine only where it was accepted by name",
            None => "not kept: the last open had no archive",
        };
        Info {
            log: view.id().to_string(),
            dir: config.dir.display().to_string(),
            epoch: record.epoch,
            live: view.is_live(),
            owner,
            closed: record.closed,
            emulated,
            tails,
            tail_segment_bytes: record.tail_segment_bytes,
            tail_segments_per_lane: record.tail_segments,
            nvme,
            nvme_segment_bytes: record.nvme_segment_bytes,
            archive,
            process,
            power,
            machine: machine.into(),
            slots: view.slots(),
            lanes: lanes(view),
        }
    }

    fn text(&self) -> String {
        let state = match (&self.owner, self.live, self.closed) {
            (Some(owner), true, _) => format!("live, written by {owner}"),
            (None, true, _) => "live".into(),
            (_, false, true) => "closed".into(),
            (_, false, false) => "not closed: the next open recovers it".into(),
        };
        let mark = if self.emulated { "EMULATED " } else { "" };
        let mut text = format!("{mark}log {} in {}\n{state}; epoch {}\n", self.log, self.dir, self.epoch);
        for tail in &self.tails {
            text += &format!(
                "tail     {}: {}, {}\n",
                tail.path,
                tail.medium,
                granularity(tail.granularity_bytes)
            );
        }
        text += &format!("nvme     {}\n", self.nvme);
        text += &format!("archive  {}\n", self.archive.as_deref().unwrap_or("none"));
        text += &format!("process  {}\npower    {}\nmachine  {}\n", self.process, self.power, self.machine);
        text += &format!(
            "segments tail {} x {} bytes a lane, NVMe {} bytes\n\n",
            self.tail_segments_per_lane,
            count(self.tail_segment_bytes),
            count(self.nvme_segment_bytes)
        );
        text += &self.table();
        text += "\n";
        for LaneInfo { watermarks, may_trim, held_by, .. } in &self.lanes {
            if *may_trim < watermarks.published {
                let (lane, at) = (watermarks.lane, count(may_trim.0));
                text += &format!("trimming lane {lane} up to {at}, held back there by: {held_by}\n");
            }
        }
        for slot in &self.slots {
            text += &format!("slot     {}", super::slot::line(slot));
        }
        text
    }

    fn table(&self) -> String {
        let head =
            ["lane", "oldest", "published", "durable", "stable", "drained", "archived", "tail", "nvme"];
        let mut text = row(head.map(String::from));
        for LaneInfo { watermarks: marks, tail_segments, nvme_segments, .. } in &self.lanes {
            let lsns =
                [marks.oldest, marks.published, marks.durable, marks.stable, marks.drained, marks.archived];
            let [oldest, published, durable, stable, drained, archived] = lsns.map(|lsn| count(lsn.0));
            let (lane, tail, nvme) =
                (marks.lane.to_string(), tail_segments.to_string(), nvme_segments.to_string());
            text += &row([lane, oldest, published, durable, stable, drained, archived, tail, nvme]);
        }
        text
    }
}

fn row(cells: [String; 9]) -> String {
    let widths = [4, 15, 15, 15, 15, 15, 15, 6, 6];
    let cells: String = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
    cells + "\n"
}

fn lanes(view: &View) -> Vec<LaneInfo> {
    let board = &view.media().board;
    let (nvme, holds) = (view.segments(), view.holds());
    let one = |watermarks: LaneWatermarks| {
        let lane = watermarks.lane;
        let tail_segments = (0..board.slots()).filter(|slot| board.slot_first(lane, *slot).is_some()).count();
        let nvme_segments = nvme.iter().find(|(of, _)| *of == lane).map_or(0, |(_, segments)| *segments);
        let (_, may_trim, held_by) = holds[lane.0 as usize].clone();
        LaneInfo { watermarks, tail_segments, nvme_segments, may_trim, held_by }
    };
    view.watermarks().into_iter().map(one).collect()
}

fn medium(tail: &TailRecord) -> &'static str {
    match tail.medium {
        1 => "persistent memory (fsdax)",
        2 => "durable by msync",
        3 => "an ordinary file",
        4 => "EMULATED: ordinary memory served as persistent",
        5 => "persistent memory (devdax)",
        _ => "not made yet",
    }
}

fn granularity(bytes: u32) -> String {
    match bytes {
        0 => "nothing flushed".into(),
        1 => "caches persist (eADR): a fence alone".into(),
        64 => "flushed by cache line (64 B)".into(),
        bytes => format!("by page ({bytes} B)"),
    }
}

/// How `Process` and `Power` are kept, by what the last open took its tails for.
fn promises(tails: &[TailRecord], nvme: &str, emulated: bool) -> (String, String) {
    const PAGE: u32 = 2;
    const FILE: u32 = 3;
    if tails.iter().any(|tail| !(1..=5).contains(&tail.medium)) {
        // Restored, or closed before its tails were made: what they are is probed when they are.
        let unknown = "known after the next open: a tail is not made yet";
        return (unknown.into(), unknown.into());
    }
    if tails.iter().any(|tail| tail.medium == FILE) {
        let process = "published in the shared mapping of the tail".into();
        return (process, format!("the committing thread writes its run to the NVMe tier: {nvme}"));
    }
    let mark = if emulated { "EMULATED: " } else { "" };
    let media: Vec<&str> = tails.iter().map(medium).collect();
    let by_page = tails.iter().filter(|tail| tail.medium == PAGE).count();
    let how = match by_page {
        0 => "flushed and fenced",
        _ if by_page == tails.len() => "msync",
        _ => "flushed and fenced, or msync,",
    };
    let tail = format!("{mark}{how} in the tail ({})", media.join("; "));
    (tail.clone(), tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn power(media: &[u32]) -> String {
        let tail =
            |medium: &u32| TailRecord { id: [0; 16], medium: *medium, granularity_bytes: 0, shutdowns: None };
        let tails: Vec<TailRecord> = media.iter().map(tail).collect();
        let (process, power) = promises(&tails, "a disk", false);
        assert!(process == power || media.contains(&3), "{process}, {power}");
        power
    }

    #[test]
    fn a_promise_is_told_as_each_medium_keeps_it() {
        assert_eq!(power(&[1]), "flushed and fenced in the tail (persistent memory (fsdax))");
        assert_eq!(power(&[2, 2]), "msync in the tail (durable by msync; durable by msync)");
        assert!(
            power(&[2, 5])
                .starts_with("flushed and fenced, or msync, in the tail (durable by msync; persistent")
        );
        assert_eq!(power(&[3]), "the committing thread writes its run to the NVMe tier: a disk");
        assert!(power(&[1, 0]).starts_with("known after the next open"));
    }
}
