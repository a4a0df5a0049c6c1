//! The sizes that a configuration asks for.

use crate::config::Config;
use crate::error::Result;

/// Bytes of all rings of a log with these sizes.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) where there can be none.
pub fn ring_bytes(config: &Config) -> Result<u64> {
    let geometry = config.geometry()?;
    config.agrees(&geometry)?;
    Ok(geometry.ring_bytes() * u64::from(geometry.lanes))
}
