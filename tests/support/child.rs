//! This test program again, in a process of its own: to be killed, or to be somebody else.
//!
//! What it runs is a test marked `#[ignore]` that looks for [`task`]; without one it has nothing to do.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

const TASK: &str = "TIERLOG_TEST_TASK";

/// Runs the ignored test `test` with `task`; its standard output is a pipe.
pub fn command(test: &str, task: &str) -> Command {
    // Through /proc, so that it also works for a user who may not enter the directory it lies in.
    let mut command = Command::new("/proc/self/exe");
    command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(TASK, task).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// The same with file sizes limited by signalling nothing: a write beyond a limit then fails with EFBIG.
pub fn command_unsignalled(test: &str, task: &str) -> Command {
    let mut command = Command::new("sh");
    let program = std::env::current_exe().unwrap();
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program);
    command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(TASK, task).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// What the parent asked for.
pub fn task() -> Option<String> {
    std::env::var(TASK).ok()
}

/// Standard output without a buffer: one `say`, one write.
#[derive(Debug)]
pub struct Voice(File);

impl Voice {
    /// The process's own.
    pub fn new() -> Voice {
        Voice(File::from(std::io::stdout().as_fd().try_clone_to_owned().unwrap()))
    }

    /// Writes a line in one piece, marked so that it is told from what the test runner prints.
    pub fn say(&self, line: &str) {
        (&self.0).write_all(format!("\n@{line}\n").as_bytes()).unwrap();
    }
}

/// The lines that were said in `output`; a last one without its end does not count.
pub fn said(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().filter_map(|line| line.strip_prefix('@')).map(str::to_string).collect()
}
