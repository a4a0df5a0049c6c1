//! The flags, and the way from the input to the summary.

use std::fs::File;
use std::io::IsTerminal;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Instant;

use super::deal::{CHUNKS_WAITING_MAX, Chunk, Dealer, Pace};
use super::lane::{LaneDone, LaneWork};
use super::summary::Summary;
use crate::cli::ending::{Failure, Outcome, Status};
use crate::cli::input::{Framing, Input};
use crate::cli::output;
use crate::cli::settings::named;
use crate::config::Config;
use crate::durability::Durability;
use crate::log::Log;

const EXAMPLES: &str = "\
Examples:
  tierlog append orders.csv.gz                            a record per line, each durable on its own
  producer | tierlog append --batch 100                   a hundred lines a commit, all or none
  tierlog append --framed --lanes-used 4 records.bin      four threads, each with a lane
  tierlog append --rate 1000 --acks orders.csv            a thousand a second, and a line for each
  tierlog append --emulated --level power orders.csv      figures for persistent memory, EMULATED";

/// Appends records from a file or standard input
///
/// The input is dealt to lanes round robin, a batch at a time: with N lanes and batches of B, batch number k (records
/// k*B to k*B+B-1, counted from 0) goes to the (k mod N)th lane. So each lane has its records in the order of the input.
/// If the input turns out to be wrong somewhere, what came before is appended.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct AppendArgs {
    /// The input; none or - is standard input. Compressed with gzip is understood
    #[arg(value_hint = clap::ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// Each record stands behind its length, 32 bits little-endian; otherwise a record is a line without its newline
    #[arg(long)]
    framed: bool,
    /// Takes the input as it is, also if it begins as gzip does
    #[arg(long)]
    plain: bool,
    /// Threads, each with a lane of its own
    #[arg(long, value_name = "N", default_value = "1")]
    lanes_used: NonZeroU32,
    /// The stream that every record is tagged with
    #[arg(long, value_name = "S", default_value_t = 0)]
    stream: u32,
    /// What an acknowledged record survives: nothing yet (buffered), kill -9 of this process, loss of power, loss of this
    /// machine
    #[arg(long, default_value = "power", value_parser = named::<Durability>(&["buffered", "process", "power", "machine"]))]
    level: Durability,
    /// Records in a commit
    #[arg(long, value_name = "N", default_value = "1")]
    batch: NonZeroU64,
    /// Records per second at most, in all; after a stall it catches up
    #[arg(long, value_name = "R", value_parser = positive)]
    rate: Option<f64>,
    /// A line on standard output as each commit returns: `ack lane=L index=I lsn=X gsn=G`, where I is the place in the
    /// input, counted from 0, of the batch's last record, and X the batch's end. The summary goes to standard error
    #[arg(long)]
    acks: bool,
    /// The summary as JSON
    #[arg(long)]
    json: bool,
}

impl AppendArgs {
    fn framing(&self) -> Framing {
        if self.framed { Framing::Lengths } else { Framing::Lines }
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_string())?;
    if rate.is_finite() && rate > 0.0 { Ok(rate) } else { Err("above 0".into()) }
}

/// Runs `tierlog append`.
pub(in crate::cli) fn run(args: &AppendArgs, config: Config) -> Outcome {
    let input = Input::open(args.file.as_deref(), args.framing(), args.plain)?;
    let acks = if args.acks { Some(Arc::new(output::stdout()?)) } else { None };
    let (log, _) = Log::open(config)?;
    let appended = can_be_kept(&log, args.level).and_then(|()| append(args, &log, input, acks));
    let media = log.media();
    let closed = log.close();
    let (done, failure) = appended?;
    let summary = Summary::new(&done, args.level, &media);
    let text = if args.json { summary.json()? } else { summary.text() };
    if args.acks {
        output::tell(text.trim_end())
    } else {
        output::print(text.as_bytes())?
    }
    failure.map_or(Ok(()), Err)?;
    closed?;
    Ok(Status::Done)
}

/// Whether the level can be had here, asked before anything is appended.
fn can_be_kept(log: &Log, level: Durability) -> Result<(), Failure> {
    Ok(log.writer()?.commit(level).map(|_| ())?)
}

/// What was done by all lanes, and how long it took.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) lanes: Vec<LaneDone>,
    pub(super) seconds: f64,
}

/// Deals the input to the lanes' threads and waits for them. The first failure in the order of the input counts.
fn append(
    args: &AppendArgs,
    log: &Log,
    input: Input,
    acks: Option<Arc<File>>,
) -> Result<(Done, Option<Failure>), Failure> {
    let name = input.name().to_string();
    let pace = Pace::new(args.rate);
    let progress = std::io::stderr().is_terminal();
    std::thread::scope(|scope| {
        let mut lanes = Vec::new();
        let mut senders = Vec::new();
        for place in 0..args.lanes_used.get() {
            let work = LaneWork {
                place: u64::from(place),
                places: u64::from(args.lanes_used.get()),
                batch: args.batch.get(),
                level: args.level,
                stream: args.stream,
                acks: acks.clone(),
                name: name.clone(),
                framing: args.framing(),
            };
            let (sender, lane) = start(scope, log, work)?;
            senders.push(sender);
            lanes.push(lane);
        }
        let started = Instant::now();
        let dealt = Dealer::new(input, senders, args.batch.get(), pace, progress).deal();
        let lanes: Vec<LaneDone> =
            lanes.into_iter().map(|lane| lane.join().map_err(panicked)).collect::<Result<_, _>>()?;
        let mut done = Done { lanes, seconds: started.elapsed().as_secs_f64() };
        let failed =
            done.lanes.iter_mut().filter_map(|lane| lane.failure.take()).min_by_key(|(index, _)| *index);
        Ok((done, failed.map(|(_, failure)| failure).or(dealt.err())))
    })
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Failure {
    Failure::Failed("a lane's thread panicked".into())
}

type Started<'scope> = (SyncSender<Chunk>, ScopedJoinHandle<'scope, LaneDone>);

/// Starts one lane's thread and waits until it has its lane, so that lanes are taken in order.
fn start<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    log: &'env Log,
    work: LaneWork,
) -> Result<Started<'scope>, Failure> {
    let (sender, chunks) = sync_channel(CHUNKS_WAITING_MAX);
    let (ready, has_lane) = sync_channel(1);
    let body = move || match log.writer() {
        Ok(mut writer) => {
            // The receiver waits for this very answer.
            drop(ready.send(Ok(())));
            work.run(&mut writer, &chunks)
        }
        Err(error) => {
            drop(ready.send(Err(error)));
            LaneDone::default()
        }
    };
    let thread = std::thread::Builder::new().name("append".into()).spawn_scoped(scope, body);
    let thread = thread.map_err(Failure::io("a thread"))?;
    has_lane.recv().map_err(|_| Failure::Failed("a lane's thread ended before it had a lane".into()))??;
    Ok((sender, thread))
}
