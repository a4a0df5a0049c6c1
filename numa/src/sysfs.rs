//! Nodes as the kernel shows them under `devices/system`. Everything read is checked: a tree may be a
//! container's.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::{Cpu, Node, NodeInfo, attribute, idlist};

/// A sysfs that does not describe a machine.
#[derive(Debug, thiserror::Error)]
pub enum SysfsError {
    /// A file is missing or cannot be read: mount sysfs, or allow reading it.
    #[error("{}: {source}; is sysfs mounted and readable?", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not say what the kernel would: not a sysfs, or nodes came or went meanwhile; read it once
    /// more.
    #[error("{}: {found:?} is not {wanted}; if nodes just came or went, read again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The beginning of what it says.
        found: String,
        /// What should stand there.
        wanted: &'static str,
    },
}

/// The online nodes below `root`, ascending; at least one.
pub(crate) fn nodes(root: &Path) -> Result<Vec<NodeInfo>, SysfsError> {
    let system = root.join("devices/system");
    let online = system.join("node/online");
    let Some(text) = text(&online)? else {
        let cpus = cpus(&system.join("cpu/online"))?;
        return Ok(vec![NodeInfo { id: Node(0), cpus, memory_bytes: 0, distances: Vec::new() }]);
    };
    let ids = idlist::parse(&text).filter(|ids| !ids.is_empty());
    let ids: Vec<Node> =
        ids.ok_or_else(|| malformed(&online, &text, "a list of nodes"))?.into_iter().map(Node).collect();
    ids.iter().map(|id| node(&system.join(format!("node/{id}")), *id, &ids)).collect()
}

fn node(dir: &Path, id: Node, online: &[Node]) -> Result<NodeInfo, SysfsError> {
    Ok(NodeInfo {
        id,
        cpus: cpus(&dir.join("cpulist"))?,
        memory_bytes: memory_bytes(&dir.join("meminfo"))?,
        distances: distances(&dir.join("distance"), id, online)?,
    })
}

fn cpus(path: &Path) -> Result<Vec<Cpu>, SysfsError> {
    let missing = || SysfsError::Unreadable { path: path.to_owned(), source: ErrorKind::NotFound.into() };
    let text = text(path)?.ok_or_else(missing)?;
    let ids = idlist::parse(&text).ok_or_else(|| malformed(path, &text, "a list of CPUs"))?;
    Ok(ids.into_iter().map(Cpu).collect())
}

/// From a line like `Node 0 MemTotal:  6121676 kB`; 0 where the file is absent.
fn memory_bytes(path: &Path) -> Result<u64, SysfsError> {
    let Some(text) = text(path)? else { return Ok(0) };
    let total = text.lines().find_map(|line| line.split_once("MemTotal:")?.1.trim().strip_suffix(" kB"));
    total
        .and_then(|kib| kib.trim().parse::<u64>().ok()?.checked_mul(1024))
        .ok_or_else(|| malformed(path, &text, "a meminfo with MemTotal in kB"))
}

/// One number for each online node, in the order of their ids; none where the file is absent.
fn distances(path: &Path, from: Node, online: &[Node]) -> Result<Vec<(Node, u32)>, SysfsError> {
    let Some(text) = text(path)? else { return Ok(Vec::new()) };
    let row: Option<Vec<u32>> = text.split_ascii_whitespace().map(|number| number.parse().ok()).collect();
    let row = row.filter(|row| row.len() == online.len());
    let row = row.ok_or_else(|| malformed(path, &text, "one distance for each online node"))?;
    Ok(online.iter().copied().zip(row).filter(|(to, _)| *to != from).collect())
}

fn text(path: &Path) -> Result<Option<String>, SysfsError> {
    attribute::read(path).map_err(|source| SysfsError::Unreadable { path: path.to_owned(), source })
}

fn malformed(path: &Path, text: &str, wanted: &'static str) -> SysfsError {
    SysfsError::Malformed { path: path.to_owned(), found: text.chars().take(80).collect(), wanted }
}
