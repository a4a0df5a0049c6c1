//! `tierlog follow`: the records that are there, and then those that come.

use std::time::{Duration, Instant};

use super::ending::{Failure, Outcome, Status};
use super::format::Format;
use super::output::{self, Output};
use super::selection::{Reader, Selection};
use crate::config::Config;
use crate::read::Record;
use crate::view::View;

/// A view belongs to one open of the log: when nothing comes for this long, it is asked whether there is another.
const LOOK_AROUND_EVERY: Duration = Duration::from_millis(500);
/// So many times in a row a new view may fail, as while an owner recovers.
const TROUBLES_MAX: u32 = 20;

const EXAMPLES: &str = "\
Examples:
  tierlog follow --dir /srv/log --json                beside the process that appends, as JSON lines
  tierlog follow --idle-ms 2000 > records             until nothing came for two seconds
  tierlog follow --from 0:1@4096 --stream 7           from a cut on, one stream";

/// Prints the records and goes on with those that come
///
/// Goes on past the end of the process that appends, and with the next one. Ends on SIGINT or SIGTERM, after --limit
/// records, or when nothing came for --idle-ms; what was printed then are whole records.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct FollowArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    format: Format,
    /// Ends when nothing came for this long, in milliseconds
    #[arg(long, value_name = "MS")]
    idle_ms: Option<u64>,
}

/// Runs `tierlog follow`.
pub(super) fn run(args: &FollowArgs, config: &Config) -> Outcome {
    let view = View::open(config)?;
    let reader = args.selection.reader(&view)?;
    let left = args.selection.limit.unwrap_or(u64::MAX);
    let mut follower = Follower { args, config, reader, view, out: Output::new()?, left, troubles: 0 };
    let followed = follower.follow();
    follower.out.flush()?;
    followed?;
    if args.format.positions {
        output::tell(format_args!("--from {}", follower.reader.position()));
    }
    Ok(Status::Done)
}

struct Follower<'a> {
    args: &'a FollowArgs,
    config: &'a Config,
    view: View,
    reader: Reader,
    out: Output,
    left: u64,
    troubles: u32,
}

impl Follower<'_> {
    fn follow(&mut self) -> Result<(), Failure> {
        let idle_max = self.args.idle_ms.map_or(Duration::MAX, Duration::from_millis);
        let mut last = Instant::now();
        while self.left > 0 {
            if self.all_there_is()? > 0 {
                last = Instant::now();
            }
            if last.elapsed() >= idle_max || self.left == 0 {
                return Ok(());
            }
            let wait = LOOK_AROUND_EVERY.min(idle_max - last.elapsed().min(idle_max));
            match self.reader.follow(wait)? {
                Some(record) => {
                    print(&self.args.format, &record, &mut self.out)?;
                    self.left -= 1;
                    last = Instant::now();
                }
                None if last.elapsed() < idle_max => self.look_around()?,
                None => {}
            }
        }
        Ok(())
    }

    /// Prints what is there; nothing waits in a buffer when it returns.
    fn all_there_is(&mut self) -> Result<u64, Failure> {
        let before = self.left;
        while self.left > 0 {
            let Some(record) = self.reader.next()? else { break };
            print(&self.args.format, &record, &mut self.out)?;
            self.left -= 1;
        }
        self.out.flush()?;
        Ok(before - self.left)
    }

    /// Goes on with another open's view, where this one's has ended.
    fn look_around(&mut self) -> Result<(), Failure> {
        match View::open(self.config) {
            Ok(view) => {
                self.reader = self.args.selection.reader_from(&view, &self.reader.position())?;
                self.view = view;
                self.troubles = 0;
                Ok(())
            }
            Err(error) if self.troubles < TROUBLES_MAX => {
                tracing::info!(%error, "no view now, trying again");
                self.troubles += 1;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn print(format: &Format, record: &Record<'_>, out: &mut Output) -> Result<(), Failure> {
    out.record(|buffer| format.write(record, buffer))
}
