//! The `tierlog` command; what it does is in `tierlog::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tierlog::cli::run(std::env::args_os())
}
