//! A place in every lane, as the commands that move something there take it.

use super::ending::Failure;
use super::selection;
use crate::log::Log;
use crate::number::Gsn;
use crate::read::Cut;

/// One of the ways to name it.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct CutAt {
    /// The cut: `lane:epoch@lsn`, separated by commas; lanes that are not named stay as they are
    #[arg(long, value_name = "CUT")]
    at: Option<Cut>,
    /// The cut that a mark stands for, the newest of that name
    #[arg(long, value_name = "NAME")]
    at_mark: Option<String>,
    /// Behind every batch stamped at or below
    #[arg(long, value_name = "GSN", value_parser = selection::gsn)]
    at_gsn: Option<Gsn>,
}

impl CutAt {
    pub(super) fn find(&self, log: &Log) -> Result<Cut, Failure> {
        if let Some(gsn) = self.at_gsn {
            return Ok(log.seek(gsn)?);
        }
        let Some(name) = &self.at_mark else { return Ok(self.at.clone().unwrap_or_default()) };
        let mark = log.marks()?.into_iter().rfind(|mark| mark.name == *name);
        let mark =
            mark.ok_or_else(|| Failure::Usage(format!("there is no mark {name:?}: see ls --marks")))?;
        Ok(log.seek(mark.gsn)?)
    }
}
