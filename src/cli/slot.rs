//! `tierlog slot`: what consumers hold back.

use clap::Subcommand;

use super::cut_at::CutAt;
use super::ending::{Outcome, Status};
use super::figures::{count, parse_bytes};
use super::{moment, output};
use crate::config::Config;
use crate::log::Log;
use crate::slot::{SlotInfo, SlotLimit};
use crate::view::View;

const EXAMPLES: &str = "\
Examples:
  tierlog slot --dir /srv/log list
  tierlog slot --dir /srv/log create billing --bytes-max 10G --ms-max 86400000
  tierlog slot --dir /srv/log advance billing --at-mark invoiced
  tierlog slot --dir /srv/log drop billing";

const LIST_EXAMPLES: &str = "\
Examples:
  tierlog slot list --dir /srv/log
  tierlog slot list --json | jq -r 'select(.broken != null) | .name'";

const CREATE_EXAMPLES: &str = "\
Examples:
  tierlog slot create billing --dir /srv/log                        holds back whatever it has not read
  tierlog slot create billing --bytes-max 10G --ms-max 86400000     10 GiB at most, and a day standing still";

const ADVANCE_EXAMPLES: &str = "\
Examples:
  tierlog slot advance billing --dir /srv/log --at-mark invoiced
  tierlog slot advance billing --at 0:1@4096,1:1@128";

const DROP_EXAMPLES: &str = "\
Examples:
  tierlog slot drop billing --dir /srv/log";

/// Lists, makes, advances and drops slots: names under which consumers hold trimming back
///
/// A slot keeps what its consumer has not read yet, over restarts, until it is advanced (Slot::advance), dropped, or broken
/// by its limit, so that the disk does not fill. `list` works beside the process that appends; the others open the log,
/// and beside that process are refused: it does it by itself (Log::create_slot, Slot::advance, Log::drop_slot).
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SlotArgs {
    #[command(subcommand)]
    command: SlotCommand,
}

#[derive(Debug, Subcommand)]
enum SlotCommand {
    /// Every slot, where it stands, what it holds back, and whether it is broken
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// A JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Makes a slot that stands at the oldest record
    #[command(after_help = CREATE_EXAMPLES)]
    Create {
        /// Its name, 1 to 64 bytes
        name: String,
        /// What it may hold back before it is broken [default: anything]
        #[arg(long, value_name = "BYTES", value_parser = parse_bytes, default_value = "0", hide_default_value = true)]
        bytes_max: u64,
        /// How long it may stand still, while records wait, before it is broken [default: for ever]
        #[arg(long, value_name = "MS", default_value_t = 0, hide_default_value = true)]
        ms_max: u64,
    },
    /// Moves a slot up: what lies before has been read. Never back
    #[command(after_help = ADVANCE_EXAMPLES)]
    Advance {
        /// Its name
        name: String,
        #[command(flatten)]
        at: CutAt,
    },
    /// Takes a slot away
    #[command(after_help = DROP_EXAMPLES)]
    Drop {
        /// Its name
        name: String,
    },
}

/// Runs `tierlog slot`.
pub(super) fn run(args: &SlotArgs, mut config: Config) -> Outcome {
    config.create = false;
    match &args.command {
        SlotCommand::List { json } => list(&config, *json),
        SlotCommand::Create { name, bytes_max, ms_max } => {
            let (log, _) = Log::open(config)?;
            let limit = SlotLimit { bytes_max: *bytes_max, ms_max: *ms_max };
            let made = log.create_slot(name, limit).map(drop);
            log.close()?;
            made.map_err(Into::into).map(|()| Status::Done)
        }
        SlotCommand::Advance { name, at } => {
            let (log, _) = Log::open(config)?;
            let advanced = at.find(&log).and_then(|cut| {
                let slot = log.slot(name)?;
                slot.advance(&cut)?;
                Ok(slot.position()?)
            });
            log.close()?;
            output::say(format_args!("{name} stands at {}", advanced?))?;
            Ok(Status::Done)
        }
        SlotCommand::Drop { name } => {
            let (log, _) = Log::open(config)?;
            let dropped = log.drop_slot(name);
            log.close()?;
            dropped.map_err(Into::into).map(|()| Status::Done)
        }
    }
}

fn list(config: &Config, json: bool) -> Outcome {
    for slot in View::open(config)?.slots() {
        match json {
            true => output::print_json(&slot)?,
            false => output::print(line(&slot).as_bytes())?,
        }
    }
    Ok(Status::Done)
}

/// A slot for people.
pub(super) fn line(slot: &SlotInfo) -> String {
    let limit = |number: u64, unit: &str| match number {
        0 => String::new(),
        _ => format!(" of at most {} {unit}", count(number)),
    };
    let state = match &slot.broken {
        Some(why) => format!("BROKEN: {why}"),
        None => format!("holds {} bytes{}", count(slot.held_bytes), limit(slot.bytes_max, "bytes")),
    };
    let still = limit(slot.ms_max, "ms standing still");
    format!("{}: {state}{still}; advanced {}; at {}\n", slot.name, moment::print(slot.advanced), slot.at)
}
