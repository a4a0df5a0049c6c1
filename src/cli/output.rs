//! Standard output, in whole records: each write(2) begins and ends with one.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use super::ending::Failure;

/// Collected up to this many bytes before they are written.
const BUFFER_BYTES: usize = 64 << 10;

/// Standard output without a lock or a line buffer of its own.
pub(super) fn stdout() -> Result<File, Failure> {
    let descriptor = io::stdout().as_fd().try_clone_to_owned();
    descriptor.map(File::from).map_err(Failure::io("standard output"))
}

/// Tells a reader that has gone from a full disk.
pub(super) fn failed(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Failure::Failed(format!("standard output: {error}")),
    }
}

/// Writes a whole result at once.
pub(super) fn print(text: &[u8]) -> Result<(), Failure> {
    stdout()?.write_all(text).map_err(failed)
}

/// Writes a line.
pub(super) fn say(line: impl Display) -> Result<(), Failure> {
    print(format!("{line}\n").as_bytes())
}

/// Writes a line to standard error.
pub(super) fn tell(line: impl Display) {
    progress(format_args!("{line}\n"));
}

/// Writes to standard error. Where that cannot be read there is nobody to tell.
pub(super) fn progress(text: impl Display) {
    drop(io::stderr().write_all(text.to_string().as_bytes()));
}

/// Writes a value as one line of JSON.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::Failed(format!("as JSON: {error}")))?;
    say(text)
}

/// Records on their way out.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    buffer: Vec<u8>,
}

impl Output {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Output { file: stdout()?, buffer: Vec::with_capacity(BUFFER_BYTES) })
    }

    /// Adds one record, written by `write`.
    pub(super) fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Failure> {
        write(&mut self.buffer);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        let written = self.file.write_all(&self.buffer).map_err(failed);
        self.buffer.clear();
        written
    }
}
