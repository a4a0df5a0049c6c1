//! What objects are called: names are generated and never taken from outside.

use std::fmt;

/// An object's name below the archive's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// `base`: where the sequence begins by now.
    Base,
    /// `seq/` and twenty digits: one of the sequence, created only if the number is free.
    Number(u64),
    /// A data object, which one of the sequence names.
    Data(DataName),
}

/// `data/EPOCH-INCARNATION/NUMBER-INDEX`: unique, since an open has its incarnation and writes a number once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataName {
    /// Of the open that wrote it.
    pub epoch: u32,
    /// Of that open.
    pub incarnation: u64,
    /// The object of the sequence that names it.
    pub number: u64,
    /// Its place there.
    pub index: u32,
}

impl DataName {
    /// The folder of an open's data objects.
    #[cfg(feature = "object")]
    pub(super) fn folder(epoch: u32, incarnation: u64) -> String {
        format!("data/{epoch:010}-{incarnation:016x}")
    }

    /// The name of a data object in that folder by its last part; `None` for anything else that lies there.
    #[cfg(feature = "object")]
    pub(super) fn in_folder(epoch: u32, incarnation: u64, last: &str) -> Option<Self> {
        let (number, index) = last.split_once('-')?;
        let name = DataName { epoch, incarnation, number: number.parse().ok()?, index: index.parse().ok()? };
        name.to_string().ends_with(last).then_some(name)
    }
}

impl fmt::Display for DataName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DataName { epoch, incarnation, number, index } = self;
        write!(f, "data/{epoch:010}-{incarnation:016x}/{number:020}-{index:06}")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Base => write!(f, "base"),
            Name::Number(number) => write!(f, "seq/{number:020}"),
            Name::Data(data) => data.fmt(f),
        }
    }
}
