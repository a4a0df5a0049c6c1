//! `tierlog completions`: for shells.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Cli;
use super::ending::{Outcome, Status};
use super::output;

const EXAMPLES: &str = "\
Examples:
  tierlog completions bash > ~/.local/share/bash-completion/completions/tierlog
  tierlog completions zsh > ~/.zfunc/_tierlog
  tierlog completions fish > ~/.config/fish/completions/tierlog.fish";

/// Prints completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Runs `tierlog completions`.
pub(super) fn run(args: &CompletionsArgs) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tierlog", &mut text);
    output::print(&text)?;
    Ok(Status::Done)
}
