//! `tierlog ls`: segments and objects by tier, and marks.

use serde::Serialize;
use tierlog_tiers::nvme::FileName;

use super::ending::{Failure, Outcome, Status};
use super::figures::count;
use super::objects::objects;
use super::{moment, output, selection};
use crate::board::Water;
use crate::catalogue::{Catalogue, Entry, scan};
use crate::config::Config;
use crate::error::Error;
use crate::mark::Mark;
use crate::media::Media;
use crate::number::{Epoch, Lane, Lsn};
use crate::view::View;

const EXAMPLES: &str = "\
Examples:
  tierlog ls --dir /srv/log
  tierlog ls --dir /srv/log --tier nvme --lane 2
  tierlog ls --dir /srv/log --archive s3://bucket/log --tier object
  tierlog ls --dir /srv/log --marks
  tierlog ls --json | jq -r 'select(.state == \"damaged\") | .name'";

/// Lists what each tier holds: lane, epoch, LSN range, bytes, state
///
/// Works beside the process that appends; writes nothing. States on NVMe: open, sealed, trimmed (below the oldest record,
/// to be used again), dead (of nothing that counts), free, damaged. States in a tail: open, full, drained. With --archive
/// its objects too, a line for each lane in one and a request each: claim, archived (bytes of frames, before they were
/// packed), damaged.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct LsArgs {
    /// One tier only
    #[arg(long, value_name = "TIER", value_parser = ["tail", "nvme", "object"])]
    tier: Option<String>,
    /// One lane only
    #[arg(long, value_name = "L", value_parser = selection::lane)]
    lane: Option<Lane>,
    /// The marks instead, by stamp; reads the whole log
    #[arg(long, conflicts_with_all = ["tier", "lane"])]
    marks: bool,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
}

/// A segment, or what an object holds of a lane.
#[derive(Clone, Serialize)]
pub(super) struct Piece {
    pub(super) tier: &'static str,
    pub(super) name: String,
    pub(super) lane: Option<Lane>,
    pub(super) epoch: Option<Epoch>,
    pub(super) first: Option<Lsn>,
    pub(super) end: Option<Lsn>,
    pub(super) bytes: u64,
    pub(super) state: &'static str,
}

/// Runs `tierlog ls`.
pub(super) fn run(args: &LsArgs, config: &Config) -> Outcome {
    let view = View::open(config)?;
    if args.marks {
        return print_marks(&view.marks()?, args.json);
    }
    let media = view.media();
    if let Some(lane) = args.lane {
        media.check_lane(lane)?;
    }
    let mut found = tail_segments(media);
    found.extend(nvme_segments(media, view.is_live())?);
    if args.tier.as_deref().is_none_or(|tier| tier == "object") {
        found.extend(objects(&config.archive, view.id())?);
    }
    let wanted = |segment: &Piece| {
        args.tier.as_deref().is_none_or(|tier| tier == segment.tier)
            && args.lane.is_none_or(|lane| segment.lane == Some(lane))
    };
    found.retain(wanted);
    if args.json {
        return found.iter().try_for_each(output::print_json).map(|()| Status::Done);
    }
    let mut text = row(["tier", "name", "lane", "epoch", "first", "end", "bytes", "state"].map(String::from));
    for segment in &found {
        text += &segment.line();
    }
    output::print(text.as_bytes())?;
    Ok(Status::Done)
}

fn print_marks(marks: &[Mark], json: bool) -> Outcome {
    for mark in marks {
        match json {
            true => output::print_json(mark)?,
            false => output::say(format_args!("{} {} {}", mark.gsn, moment::print(mark.gsn), mark.name))?,
        }
    }
    Ok(Status::Done)
}

impl Piece {
    fn line(&self) -> String {
        fn or_dash(value: Option<impl ToString>) -> String {
            value.map_or_else(|| "-".into(), |value| value.to_string())
        }
        let lsn = |lsn: Option<Lsn>| or_dash(lsn.map(|lsn| count(lsn.0)));
        row([
            self.tier.into(),
            self.name.clone(),
            or_dash(self.lane),
            or_dash(self.epoch),
            lsn(self.first),
            lsn(self.end),
            count(self.bytes),
            self.state.into(),
        ])
    }
}

fn row([tier, name, lane, epoch, first, end, bytes, state]: [String; 8]) -> String {
    format!("{tier:<5} {name:<24} {lane:>5} {epoch:>6} {first:>16} {end:>16} {bytes:>14}  {state}\n")
}

fn tail_segments(media: &Media) -> Vec<Piece> {
    let board = &media.board;
    let mut found = Vec::new();
    for lane in media.lanes() {
        let (published, drained) = (board.published(lane), board.water(lane, Water::Drained));
        for slot in 0..board.slots() {
            let Some(first) = board.slot_first(lane, slot) else { continue };
            let whole = Lsn(first.0 + media.geometry.slot_bytes());
            let end = whole.min(published).max(first);
            let state = match () {
                () if whole <= drained => "drained",
                () if whole <= published => "full",
                () => "open",
            };
            found.push(Piece {
                tier: "tail",
                name: format!("{lane}/{slot}"),
                lane: Some(lane),
                epoch: Some(media.position(lane, first).epoch),
                first: Some(first),
                end: Some(end),
                bytes: media.geometry.segment_bytes,
                state,
            });
        }
    }
    found
}

fn nvme_segments(media: &Media, live: bool) -> Result<Vec<Piece>, Failure> {
    let found = scan(&*media.nvme, &media.nvme_path, media.log, media.geometry.lanes)?;
    let bytes = |file: u32| -> Result<u64, Error> {
        let path = media.nvme_path.join(FileName::Segment(file).to_string());
        let opened = media.nvme.open(FileName::Segment(file), false);
        Ok(opened.map_err(Error::io(path.display().to_string()))?.len())
    };
    let mut segments = Vec::new();
    for lane in media.lanes() {
        for entry in found.catalogue.of_lane(lane) {
            let (end, state) = place(media, &found.catalogue, entry, live);
            segments.push(Piece {
                tier: "nvme",
                name: FileName::Segment(entry.file).to_string(),
                lane: Some(lane),
                epoch: Some(entry.header.epoch),
                first: Some(entry.header.first),
                end,
                bytes: bytes(entry.file)?,
                state,
            });
        }
    }
    let nameless =
        found.free.iter().map(|file| (file, "free")).chain(found.damaged.iter().map(|f| (f, "damaged")));
    for (file, state) in nameless {
        let (name, bytes) = (FileName::Segment(*file).to_string(), bytes(*file)?);
        segments.push(Piece {
            tier: "nvme",
            name,
            lane: None,
            epoch: None,
            first: None,
            end: None,
            bytes,
            state,
        });
    }
    Ok(segments)
}

/// Where a segment ends, and what it is good for.
fn place(media: &Media, catalogue: &Catalogue, entry: &Entry, live: bool) -> (Option<Lsn>, &'static str) {
    let (lane, header) = (entry.header.lane, &entry.header);
    let ranges = media.ranges(lane);
    let Some(range) = ranges.iter().find(|range| range.epoch == header.epoch && header.first < range.end)
    else {
        return (None, "dead");
    };
    let next = catalogue
        .of_lane(lane)
        .iter()
        .find(|other| other.header.epoch == header.epoch && other.header.sequence > header.sequence);
    let last = live && ranges.last().is_some_and(|last| last.epoch == header.epoch);
    let (end, state) = match next {
        Some(next) => (next.header.first, "sealed"),
        None if last => (media.board.water(lane, Water::Durable).max(header.first), "open"),
        None => (range.end, "sealed"),
    };
    (Some(end), if end <= media.oldest(lane) && state == "sealed" { "trimmed" } else { state })
}
