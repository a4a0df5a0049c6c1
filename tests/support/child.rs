//! This test program again, in a process of its own: to be killed, or to be somebody else.
//!
//! What it runs is a test marked `#[ignore]` that looks for [`task`]; without one it has nothing to do.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

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

/// Starts `command`, lets it be for `time` from the time it says `word`, kills it, and tells all it said.
pub fn kill_after(command: &mut Command, word: &str, time: std::time::Duration) -> Vec<String> {
    end_after(command, word, time, |child| {
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert!(signal == Some(9), "it ended by itself: {status}");
    })
}

/// The same, but `end` ends it.
pub fn end_after(
    command: &mut Command,
    word: &str,
    time: std::time::Duration,
    end: impl FnOnce(&mut Child),
) -> Vec<String> {
    use std::io::Read;
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdout.take().unwrap();
    let (unsaid, begun) = std::sync::mpsc::channel::<()>();
    let word = word.to_string();
    let listener = std::thread::spawn(move || {
        let (mut output, mut piece, mut unsaid) = (Vec::new(), vec![0; 64 << 10], Some(unsaid));
        loop {
            let n = pipe.read(&mut piece).unwrap();
            output.extend_from_slice(&piece[..n]);
            if unsaid.is_some() && said(&output).contains(&word) {
                unsaid.take();
            }
            if n == 0 {
                return output;
            }
        }
    });
    // Nothing is ever sent: the other end goes at the word.
    let answer = begun.recv_timeout(std::time::Duration::from_secs(60));
    assert_eq!(answer, Err(std::sync::mpsc::RecvTimeoutError::Disconnected), "not said within a minute");
    std::thread::sleep(time);
    end(&mut child);
    said(&listener.join().unwrap())
}
