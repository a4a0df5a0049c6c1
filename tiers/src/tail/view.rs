//! The read-only view of a tail.

use std::path::Path;
use std::sync::atomic::AtomicU64;

use super::map::{Access, Map};
use super::{Fault, MapError, TailRead, file};

/// A read-only view of a tail that another process may own. It takes no lock, and is always guarded.
#[derive(Debug)]
pub struct MappedView {
    map: Map,
    path: String,
}

impl MappedView {
    /// Maps an existing tail for reading.
    ///
    /// # Errors
    /// [`MapError`], never `Held`.
    pub fn open(path: impl AsRef<Path>) -> Result<MappedView, MapError> {
        let path = path.as_ref();
        let (file, region) = file::open_tail(path, false)?;
        let (len, (align, unit)) = (file::length(&file, region, path)?, file::units(region));
        let map = Map::file(&file, len, align, unit, Access::Read, true);
        let map = map.map_err(|e| MapError::new(path, "map", e))?;
        Ok(MappedView { map, path: path.display().to_string() })
    }

    fn fault(&self, at: u64) -> Fault {
        Fault { path: self.path.clone(), at }
    }
}

impl TailRead for MappedView {
    fn len(&self) -> u64 {
        self.map.len() as u64
    }

    fn read(&self, at: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.map.read(at, out).map_err(|at| self.fault(at))
    }

    fn look(&self, at: u64, len: usize, look: &mut dyn FnMut(&[AtomicU64])) -> Result<(), Fault> {
        self.map.look(at, len, look).map_err(|at| self.fault(at))
    }
}
