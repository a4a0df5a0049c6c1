//! A process that appends, killed in the middle.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::compare::{Ack, LANES, mismatch};
use super::flow::Flow;
use super::steps::Kind;
use crate::cli::ending::Failure;
use crate::number::{Gsn, Lsn};

/// How long the whole of the orders takes where the disk keeps up.
const SECONDS: u64 = 4;
/// Killed after this long where it does not.
const TIME_MAX: Duration = Duration::from_secs(5);

/// A child that does not outlive us.
struct Appending(Child);

impl Drop for Appending {
    fn drop(&mut self) {
        // Fails only where the child has ended, and was waited for, already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs `tierlog append` on `orders` (the flow as a file), kills it with SIGKILL once `acks` were read or it took too long, and returns every
/// acknowledgement that it gave.
///
/// # Errors
/// A child that ended by itself; an acknowledgement that is none.
pub(super) fn killed(
    dir: &Path,
    orders: &Path,
    flow: &Flow,
    kind: Kind,
    acks: u64,
) -> Result<Vec<Ack>, Failure> {
    let errors = dir.with_extension("stderr");
    let program = std::env::current_exe().map_err(Failure::io("this program"))?;
    let mut command = Command::new(program);
    command.args(["append", "--framed", "--acks", "--level", "power"]);
    command.args(["--lanes-used", &LANES.to_string(), "--rate", &flow.count().div_ceil(SECONDS).to_string()]);
    command.arg("--medium").arg(kind.medium());
    command.arg("--accept-volatile").arg("--dir").arg(dir).arg(orders);
    let stderr = File::create_new(&errors).map_err(Failure::io(errors.display()))?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn();
    let mut child = Appending(child.map_err(Failure::io("tierlog append"))?);
    let stdout = child.0.stdout.take().ok_or_else(|| mismatch("a child without an output"))?;
    let read = acks_until_killed(&mut child.0, stdout, acks)?;
    let status = child.0.wait().map_err(Failure::io("tierlog append"))?;
    if status.code().is_some() {
        let said = std::fs::read_to_string(&errors).map_err(Failure::io(errors.display()))?;
        return Err(mismatch(format!("tierlog append ended by itself, {status}: {}", said.trim())));
    }
    Ok(read)
}

fn acks_until_killed(child: &mut Child, stdout: ChildStdout, acks: u64) -> Result<Vec<Ack>, Failure> {
    let (mut read, mut alive, since) = (Vec::new(), true, Instant::now());
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(Failure::io("acknowledgements"))?;
        read.push(parse(&line).ok_or_else(|| mismatch(format!("not an acknowledgement: {line:?}")))?);
        if alive && (read.len() as u64 >= acks || since.elapsed() >= TIME_MAX) {
            alive = false;
            child.kill().map_err(Failure::io("killing tierlog append"))?;
        }
    }
    Ok(read)
}

fn parse(line: &str) -> Option<Ack> {
    let mut fields = line.strip_prefix("ack ")?.split(' ');
    let mut field = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok();
    let (lane, index, end, gsn) = (field("lane")?, field("index")?, field("lsn")?, field("gsn")?);
    Some(Ack { lane, index, end: Lsn(end), gsn: Gsn(gsn) })
}
