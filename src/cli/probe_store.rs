//! `tierlog probe-store`: whether an object store can keep two owners of a log apart.

use super::ending::{Outcome, Status};
use super::output;
use crate::config::Config;

const EXAMPLES: &str = "\
Examples:
  AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... tierlog probe-store s3://bucket/prefix
  tierlog probe-store --endpoint http://127.0.0.1:9000 s3://bucket/prefix";

/// Lets 32 writers race for one name in a store; the exit status is 4 if more than one wins
///
/// A store that fails cannot fence: two owners of one log would both believe in themselves. Nothing is left behind.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ProbeStoreArgs {
    /// The store, as for --archive
    #[arg(value_name = "URL")]
    address: String,
}

/// Runs `tierlog probe-store`.
pub(super) fn run(args: &ProbeStoreArgs, mut config: Config) -> Outcome {
    config.archive.address.clone_from(&args.address);
    let fences = crate::archive::probe_store(&config)?;
    let (address, racers) = (&args.address, crate::archive::RACERS);
    if fences {
        output::print(format!("{address}: one of {racers} writers won: it can fence\n").as_bytes())?;
        return Ok(Status::Done);
    }
    let text = format!("{address}: not one of {racers} writers alone won: it cannot keep two owners apart\n");
    output::print(text.as_bytes())?;
    Ok(Status::NotKept)
}
