//! A cut: one position per lane, from which to read on.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::number::{Epoch, Lane, Lsn, Position};

/// One position per lane. A lane that is not named is read from its oldest record.
///
/// As text: `lane:epoch@lsn`, separated by commas (`0:1@4096,3:2@64`); empty for everything there is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<Position>", from = "Vec<Position>")]
pub struct Cut {
    lanes: BTreeMap<Lane, Position>,
}

impl Cut {
    /// Everything there is.
    pub fn start() -> Self {
        Cut::default()
    }

    /// Sets one lane's position.
    pub fn set(&mut self, position: Position) {
        self.lanes.insert(position.lane, position);
    }

    /// One lane's position, if it was set.
    pub fn lane(&self, lane: Lane) -> Option<Position> {
        self.lanes.get(&lane).copied()
    }

    /// The positions, by lane.
    pub fn iter(&self) -> impl Iterator<Item = Position> + '_ {
        self.lanes.values().copied()
    }
}

impl From<Vec<Position>> for Cut {
    fn from(positions: Vec<Position>) -> Self {
        Cut { lanes: positions.into_iter().map(|position| (position.lane, position)).collect() }
    }
}

impl From<Cut> for Vec<Position> {
    fn from(cut: Cut) -> Self {
        cut.lanes.into_values().collect()
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, position) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{}:{}@{}", position.lane, position.epoch, position.lsn)?;
        }
        Ok(())
    }
}

impl FromStr for Cut {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let position = |part: &str| {
            let (lane, rest) = part.split_once(':')?;
            let (epoch, lsn) = rest.split_once('@')?;
            Some(Position {
                lane: Lane(lane.trim().parse().ok()?),
                epoch: Epoch(epoch.parse().ok()?),
                lsn: Lsn(lsn.trim().parse().ok()?),
            })
        };
        let bad = |part: &str| Error::Config(format!("{part:?} is not a position: write lane:epoch@lsn"));
        text.split(',')
            .filter(|part| !part.trim().is_empty())
            .map(|part| position(part).ok_or_else(|| bad(part)))
            .collect::<Result<Vec<_>, _>>()
            .map(Cut::from)
    }
}
