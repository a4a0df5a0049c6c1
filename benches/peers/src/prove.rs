//! Whether a log keeps its promise where that can be seen: a process commits and is killed, and another open must find it all.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::peer::{Kind, Outcome, Place};
use crate::peers::KINDS;

const COMMITS: usize = 100;
const SAID: &str = "committed";

/// The nth record: each has its own length and bytes.
fn record(nth: usize) -> Vec<u8> {
    (0..40 + nth * 3).map(|at| (nth * 31 + at) as u8).collect()
}

/// Commits in another process, kills it, and reads what is left.
///
/// # Errors
/// What was lost, or why it could not be tried.
pub fn prove(nth: usize, place: &Place) -> Outcome<()> {
    let Some(read) = KINDS[nth].read else { return Ok(()) };
    let mut writer = Command::new(std::env::current_exe()?)
        .arg("commit")
        .args([nth.to_string(), serde_json::to_string(place)?])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    let out = writer.stdout.take().ok_or("no pipe")?;
    BufReader::new(out).read_line(&mut said)?;
    writer.kill()?;
    let ended = writer.wait()?;
    if said.trim() != SAID {
        return Err(format!("could not commit {COMMITS} records: {ended}: {said}").into());
    }
    let (found, expected) = (read(place)?, (0..COMMITS).flat_map(record).collect::<Vec<u8>>());
    if found == expected {
        return Ok(());
    }
    let same = found.iter().zip(&expected).take_while(|(found, expected)| found == expected).count();
    let (found, expected) = (found.len(), expected.len());
    Err(format!(
        "does not keep what it acknowledged: of {expected} bytes in {COMMITS} commits, a new open after a kill found \
         {found}, the first {same} of them right"
    )
    .into())
}

/// The other process: commits, says so, and waits to be killed.
///
/// # Errors
/// The log's.
pub fn commit(kind: &Kind, place: &Place) -> Outcome<()> {
    let peer = (kind.open)(place)?;
    let mut writer = peer.writer(0)?;
    for nth in 0..COMMITS {
        writer.commit(&[&record(nth)])?;
    }
    println!("{SAID}");
    std::io::stdout().flush()?;
    // Ends by itself only where whoever started it went away.
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}
