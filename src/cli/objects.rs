//! What the archive holds, for `tierlog ls`.

use std::sync::Arc;

use tierlog_tiers::object::Name;

use super::ls::Piece;
use crate::archive::{Archive, Body, Object};
use crate::config::ArchiveConfig;
use crate::error::{Error, Result};
use crate::host::Machine;
use crate::number::LogId;

/// Every object of the sequence up to the first number that is free, and of each cut every run; nothing without an archive.
pub(super) fn objects(config: &ArchiveConfig, log: LogId) -> Result<Vec<Piece>> {
    let Some(archive) = Archive::view(&Arc::new(Machine::detect()), config)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for number in archive.base(Some(log))?.number.. {
        match archive.head(Some(log), number) {
            Ok(Some(object)) => found.extend(pieces(&object)),
            Ok(None) => break,
            Err(Error::Refused(_)) => found.push(plain(number, "damaged")),
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn plain(number: u64, state: &'static str) -> Piece {
    let name = Name::Number(number).to_string();
    Piece { tier: "object", name, lane: None, epoch: None, first: None, end: None, bytes: 0, state }
}

fn pieces(object: &Object) -> Vec<Piece> {
    let one = plain(object.number, "claim");
    let Body::Cut(cut) = &object.body else {
        return vec![Piece { epoch: Some(object.author.epoch), ..one }];
    };
    let run = |run: &crate::archive::Run| Piece {
        lane: Some(run.lane),
        epoch: Some(run.epoch),
        first: Some(run.first),
        end: Some(run.end),
        bytes: run.bytes,
        state: "archived",
        ..one.clone()
    };
    cut.runs.iter().map(run).collect()
}
