//! Results as input: they may come from anywhere, so they are bounded, and another schema is refused.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Results, SCHEMA};

/// A file beyond this is none of ours: the fullest run stays below a tenth of it.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Why results cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not there, or not readable.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Longer than any run's.
    #[error("{}: longer than {} MiB: no results of a run", path.display(), FILE_BYTES_MAX >> 20)]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// Of another version, or of something else.
    #[error("{}: its schema is {found:?}; this tierlog reads {SCHEMA:?}: use the version that wrote it", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What it says it is; cut after 40 characters.
        found: String,
    },
    /// Not what the schema says.
    #[error("{}: not the results of a run: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: serde_json::Error,
    },
}

impl Results {
    /// Reads `results.json`.
    ///
    /// # Errors
    /// [`ReadError`]: not readable, too long, of another schema, or malformed.
    pub fn read(path: &Path) -> Result<Results, ReadError> {
        let io = |source| ReadError::Io { path: path.to_owned(), source };
        let mut text = Vec::new();
        File::open(path).map_err(io)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(io)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(ReadError::TooLong { path: path.to_owned() });
        }
        Self::parse(&text, path)
    }

    fn parse(text: &[u8], path: &Path) -> Result<Results, ReadError> {
        /// The one field that every version has.
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let malformed = |source| ReadError::Malformed { path: path.to_owned(), source };
        let Head { schema } = serde_json::from_slice(text).map_err(malformed)?;
        if schema != SCHEMA {
            let found = schema.chars().take(40).collect();
            return Err(ReadError::Schema { path: path.to_owned(), found });
        }
        serde_json::from_slice(text).map_err(malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Results, ReadError> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        Results::read(file.path())
    }

    #[test]
    fn results_are_read_back() {
        let text = r#"{"schema":"tierlog-bench/1","version":"0.1.0","command":["tierlog","bench","quick"],
            "profile":"quick","began_unix_ms":1795267200000,"took_ms":41000,
            "machine":{"host":"a","cpu":"b","cpus":2,"nodes":1,"memory_bytes":1,"kernel":"6","facts":{},"media":[]},
            "noise":{"load":[0.1,0.2],"steal":0.0,"gaps_ns":[7],"drift":0.0,"spread":0.1,"warnings":[]},
            "figures":[{"group":"primitive","what":"persist","by":"clwb","size_bytes":64,"medium":"tail",
                "promise":"nothing","runs":3}],"skipped":[],"verdict":[]}"#;
        let results = read(text).expect("results");
        assert_eq!(results.figures[0].at.size_bytes, Some(64));
    }

    #[test]
    fn what_is_no_results_is_refused() {
        assert!(matches!(Results::read(Path::new("/nonexistent")), Err(ReadError::Io { .. })));
        assert!(matches!(Results::read(Path::new("/dev/zero")), Err(ReadError::TooLong { .. })));
        let error = read(r#"{"schema":"tierlog-bench/2"}"#).expect_err("another version");
        assert!(matches!(&error, ReadError::Schema { found, .. } if found == "tierlog-bench/2"), "{error}");
        let deep = "[".repeat(1 << 20);
        for text in ["", "{}", "[]", "\u{0}", r#"{"schema":"tierlog-bench/1"}"#, &deep] {
            assert!(matches!(read(text), Err(ReadError::Malformed { .. })), "{:.20}", text);
        }
    }
}
