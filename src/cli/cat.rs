//! `tierlog cat`: the records that are there now.

use super::ending::{Failure, Outcome, Status};
use super::format::Format;
use super::output::{self, Output};
use super::selection::{Reader, Selection};
use crate::config::Config;
use crate::read::{Cut, Record};
use crate::report::LaneWatermarks;
use crate::view::View;

const EXAMPLES: &str = "\
Examples:
  tierlog cat --dir /srv/log                          every record, in the order of all lanes
  tierlog cat --lane 2 --positions --limit 10         ten of lane 2, and where to go on
  tierlog cat --from 0:1@4096,1:1@128 --json          from a cut on, as JSON lines
  tierlog cat --framed | tierlog append --dir copy --framed";

/// Prints the records, in the order of all lanes
///
/// Works beside the process that appends, and without one: then it prints what an open would recover. It ends with what
/// was there when it began.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CatArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    format: Format,
}

/// Runs `tierlog cat`.
pub(super) fn run(args: &CatArgs, config: &Config) -> Outcome {
    let view = View::open(config)?;
    let mut reader = args.selection.reader(&view)?;
    let mut out = Output::new()?;
    let mut left = args.selection.limit.unwrap_or(u64::MAX);
    let printed = if left == 0 {
        Ok(())
    } else {
        each(&mut reader, &view.watermarks(), |record| {
            out.record(|buffer| args.format.write(record, buffer))?;
            left -= 1;
            Ok(left > 0)
        })
    };
    // What was good before an error is printed as well.
    out.flush()?;
    printed?;
    if args.format.positions {
        output::tell(format_args!("--from {}", reader.position()));
    }
    Ok(Status::Done)
}

/// Hands on the records below `ends` until `take` says that it has enough. Beside an owner that goes on appending a
/// reader has no end of its own.
pub(super) fn each(
    reader: &mut Reader,
    ends: &[LaneWatermarks],
    mut take: impl FnMut(&Record<'_>) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    loop {
        match reader.next()? {
            None => return Ok(()),
            Some(record)
                if ends.get(record.lane.0 as usize).is_some_and(|end| record.lsn >= end.published) => {}
            Some(record) if take(&record)? => continue,
            Some(_) => return Ok(()),
        }
        if has_reached(&reader.position(), ends) {
            return Ok(());
        }
    }
}

fn has_reached(position: &Cut, ends: &[LaneWatermarks]) -> bool {
    position.iter().all(|at| ends.get(at.lane.0 as usize).is_none_or(|end| at.lsn >= end.published))
}
