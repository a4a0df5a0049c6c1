//! `tierlog dump`: frames as they lie on media, headers and all.

use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use super::ending::{Failure, Outcome, Status};
use super::format::{Payload, payload};
use super::output::Output;
use super::{moment, selection};
use crate::config::Config;
use crate::frame::{FENCED, FIRST, HEADER_BYTES, Header, Kind, LAST, decode_deps};
use crate::media::Media;
use crate::number::{Epoch, Gsn, Incarnation, Lane, Lsn};
use crate::read::{Group, GroupReader, LaneCursor, Stop};
use crate::view::View;

const EXAMPLES: &str = "\
Examples:
  tierlog dump --dir /srv/log --lane 2 --lsn-from 4096 --limit 20
  tierlog dump --since 2026-11-21T08:30:00Z --until 2026-11-21T08:31:00Z --json
  tierlog dump --kind mark --kind abort --payload none
  tierlog dump --lane 0 --payload hex | less -S";

/// Prints frames with their headers, lane by lane
///
/// Works beside the process that appends; writes nothing. Shows what `cat` leaves out: stamps, flags, checksums, aborted
/// records, dependencies, marks, fillers. A lane that cannot be read is printed up to there; the exit status is then 1.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DumpArgs {
    /// One lane only
    #[arg(long, value_name = "L", value_parser = selection::lane)]
    lane: Option<Lane>,
    /// Frames at or above this LSN
    #[arg(long, value_name = "LSN", value_parser = lsn)]
    lsn_from: Option<Lsn>,
    /// Frames below this LSN
    #[arg(long, value_name = "LSN", value_parser = lsn)]
    lsn_to: Option<Lsn>,
    /// Frames of batches stamped at or above
    #[arg(long, value_name = "GSN", value_parser = selection::gsn, conflicts_with = "since")]
    gsn_from: Option<Gsn>,
    /// Frames of batches stamped at or below
    #[arg(long, value_name = "GSN", value_parser = selection::gsn, conflicts_with = "until")]
    gsn_to: Option<Gsn>,
    /// Frames of batches committed at this moment or later
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    since: Option<Gsn>,
    /// Frames of batches committed up to this moment
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    until: Option<Gsn>,
    /// Frames of this kind only; may be repeated
    #[arg(long, value_name = "KIND", value_parser = ["record", "filler", "deps", "abort", "mark"])]
    kind: Vec<String>,
    /// This many frames at most
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,
    /// How the payload is printed
    #[arg(long, value_name = "HOW", value_parser = ["text", "hex", "none"], default_value = "text")]
    payload: String,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
}

fn lsn(text: &str) -> Result<Lsn, std::num::ParseIntError> {
    text.parse().map(Lsn)
}

/// One frame, as it is printed.
#[derive(Serialize)]
struct Frame<'a> {
    lane: Lane,
    epoch: Epoch,
    incarnation: Incarnation,
    lsn: Lsn,
    kind: &'static str,
    flags: Vec<&'static str>,
    stream: u32,
    len: u32,
    crc32c: String,
    /// The frame's own: 0 but on the last frame of a batch.
    gsn: Gsn,
    /// What the batch goes by.
    batch_gsn: Gsn,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deps: Option<Vec<(Lane, Lsn)>>,
    #[serde(flatten)]
    payload: Option<Payload<'a>>,
}

/// Runs `tierlog dump`.
pub(super) fn run(args: &DumpArgs, config: &Config) -> Outcome {
    let view = View::open(config)?;
    let media = view.media();
    if let Some(lane) = args.lane {
        media.check_lane(lane)?;
    }
    let mut dump = Dump { args, out: Output::new()?, left: args.limit };
    let mut unreadable = Ok(());
    for lane in media.lanes().filter(|lane| args.lane.is_none_or(|wanted| wanted == *lane)) {
        let dumped = dump.lane(media, lane);
        if let Err(error @ Failure::Log(_)) = dumped {
            // The other lanes may be readable.
            super::output::tell(format_args!("tierlog: {error}"));
            unreadable = Err(Failure::Failed("not all of it could be read".into()));
        } else {
            dumped?;
        }
    }
    dump.out.flush()?;
    unreadable.map(|()| Status::Done)
}

struct Dump<'a> {
    args: &'a DumpArgs,
    out: Output,
    left: u64,
}

impl Dump<'_> {
    fn lane(&mut self, media: &Arc<Media>, lane: Lane) -> Result<(), Failure> {
        let limit = media.stable(lane);
        let from = self.args.lsn_from.unwrap_or_default().max(media.oldest(lane)).min(limit);
        let start = crate::read::batch_start(media, lane, from, media.oldest(lane))?;
        let mut reader = GroupReader::new(LaneCursor::new(media.clone(), lane, start));
        let mut group = Group::default();
        while self.left > 0 && self.args.lsn_to.is_none_or(|to| reader.cursor.at < to) {
            let at = reader.cursor.at;
            match reader.next(limit, &mut group) {
                Ok(()) => self.group(&group)?,
                Err(Stop::Limit) => return Ok(()),
                Err(stop) => return Err(stop.into_error(lane, at).into()),
            }
        }
        Ok(())
    }

    fn group(&mut self, group: &Group) -> Result<(), Failure> {
        let args = self.args;
        let (from, to) = (args.gsn_from.or(args.since), args.gsn_to.or(args.until));
        if from.is_some_and(|from| group.gsn < from) || to.is_some_and(|to| group.gsn > to) {
            return Ok(());
        }
        let mut rest = &group.raw[..];
        while let Some(header) = rest.first_chunk().and_then(Header::decode) {
            let (bytes, behind) = rest.split_at(header.media_bytes());
            rest = behind;
            if self.left > 0 && self.wants(&header) {
                self.left -= 1;
                self.print(group, &header, bytes)?;
            }
        }
        Ok(())
    }

    fn wants(&self, header: &Header) -> bool {
        let args = self.args;
        args.lsn_from.is_none_or(|from| header.lsn >= from)
            && args.lsn_to.is_none_or(|to| header.lsn < to)
            && (args.kind.is_empty() || args.kind.iter().any(|kind| kind == name(header.kind)))
    }

    fn print(&mut self, group: &Group, header: &Header, bytes: &[u8]) -> Result<(), Failure> {
        let body = match header.kind {
            Kind::Record | Kind::Mark | Kind::Deps => {
                &bytes[HEADER_BYTES..HEADER_BYTES + header.len as usize]
            }
            _ => &[],
        };
        let shown = matches!(header.kind, Kind::Record | Kind::Mark) && self.args.payload != "none";
        let deps = (header.kind == Kind::Deps).then(|| decode_deps(body).unwrap_or_default());
        let frame = Frame {
            lane: group.lane,
            epoch: group.epoch,
            incarnation: group.incarnation,
            lsn: header.lsn,
            kind: name(header.kind),
            flags: flags(header),
            stream: header.stream,
            len: header.len,
            crc32c: format!("{:08x}", header.crc),
            gsn: header.gsn,
            batch_gsn: group.gsn,
            time: moment::print(group.gsn),
            deps: deps.map(|deps| deps.iter().map(|dep| (dep.lane, dep.end)).collect()),
            payload: shown.then(|| payload(body, self.args.payload == "hex")),
        };
        let json = self.args.json;
        self.out.record(|out| match json {
            true => {
                serde_json::to_writer(&mut *out, &frame).expect("plain fields, written to memory");
                out.push(b'\n');
            }
            false => out.extend_from_slice(frame.line().as_bytes()),
        })
    }
}

impl Frame<'_> {
    fn line(&self) -> String {
        let mut line = format!(
            "lane {} epoch {} lsn {:>12} gsn {} {} {:<6} {:<17} stream {} len {} crc {}",
            self.lane,
            self.epoch,
            self.lsn,
            self.batch_gsn,
            self.time,
            self.kind,
            self.flags.join("+"),
            self.stream,
            self.len,
            self.crc32c
        );
        for (lane, end) in self.deps.iter().flatten() {
            write!(line, " {lane}@{end}").expect("a string takes what it is given");
        }
        match &self.payload {
            Some(Payload::Text(text)) => line + &format!(" {text:?}\n"),
            Some(Payload::Hex(hex)) => line + &format!(" x{hex}\n"),
            None => line + "\n",
        }
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Record => "record",
        Kind::Filler => "filler",
        Kind::Deps => "deps",
        Kind::Abort => "abort",
        Kind::Checkpoint => "checkpoint",
        Kind::Mark => "mark",
        Kind::Pad => "pad",
        Kind::Truncate => "truncate",
    }
}

fn flags(header: &Header) -> Vec<&'static str> {
    [(FIRST, "first"), (LAST, "last"), (FENCED, "fenced")]
        .into_iter()
        .filter(|(flag, _)| header.is(*flag))
        .map(|(_, name)| name)
        .collect()
}
