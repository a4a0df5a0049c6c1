//! The read-only view of a tail.

use std::path::Path;

use super::map::{Access, Map};
use super::options::ALIGN;
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
        let file = file::open(path, false)?;
        let len = file::length(&file, path)?;
        let map = Map::file(&file, len, ALIGN as usize, Access::Read, true);
        let map = map.map_err(|e| MapError::new(path, "map", e))?;
        Ok(MappedView { map, path: path.display().to_string() })
    }
}

impl TailRead for MappedView {
    fn len(&self) -> u64 {
        self.map.len() as u64
    }

    fn read(&self, at: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.map.read(at, out).map_err(|at| Fault { path: self.path.clone(), at })
    }
}
