//! What an archive is opened with.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::codec::Compression;
use crate::error::{Error, Result};
use crate::runs::Retention;

/// The object tier. A number that is 0 stands for its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArchiveConfig {
    /// `s3://bucket/prefix`, `az://container/prefix` or `gs://bucket/prefix` (feature `cloud`), `file:///dir`, a directory,
    /// or `memory:NAME` (lives as long as the process); empty for none. Credentials come from the environment (`AWS_*`,
    /// `AZURE_*`, `GOOGLE_*`).
    pub address: String,
    /// Where an S3 or Azure store answers, for MinIO and its like; empty: as `AWS_ENDPOINT_URL` or
    /// `AZURE_STORAGE_ENDPOINT` says, or the provider's own. With any other store it is refused.
    pub endpoint: String,
    /// Lets a local directory or memory serve `Machine`, which it cannot keep: reports are marked.
    pub accept_local: bool,
    /// Goes on with a store that failed the race for a name: two owners of one log may then both believe in themselves.
    pub accept_unfenced: bool,
    /// How objects are compressed; default zstd. May be changed from open to open.
    pub compression: Compression,
    /// How long records may wait to be archived, in milliseconds; default 1,000.
    pub linger_ms_max: u64,
    /// How long a commit at `Machine` waits for company before the cut is made, in milliseconds; default 2. Those who come
    /// while an object is under way share the next one in any case.
    pub gather_ms: u64,
    /// How long a commit at `Machine`, or its ticket, waits for its acknowledgement before [`Error::Archive`], in
    /// milliseconds; default: as long as it takes. The record is durable at `Power` then, and archived later.
    pub machine_wait_ms_max: u64,
    /// Frames in a data object before they are packed, 64 KiB to 128 MiB; default 8 MiB. As soon as so much is there it is
    /// archived; less than 1 MiB goes into the object of the sequence itself.
    pub object_bytes_max: u64,
    /// Frames that one object of the sequence stands for while the archive is behind, in data objects: `object_bytes_max` at
    /// least, and a quarter of `quota_bytes` at most. Default 64 MiB, as far as these allow.
    pub cut_bytes_max: u64,
    /// Data objects sent at a time, 1 to 32; default 4. The archiver holds `uploads_max * object_bytes_max` and a chunk being
    /// packed at most.
    pub uploads_max: u32,
    /// Bytes sent per second at most; default: any.
    pub bytes_per_second_max: u64,
    /// How long objects are kept that no checkpoint and no slot needs any more: `bytes_max` counts frames before they are
    /// packed. Default: all are, until `Log::trim_archive`.
    pub retain: Option<Retention>,
    /// Frames that the archive may hold, in bytes before they are packed; 0, the default: as many as there are. Beyond it
    /// nothing is archived until something is given up: see `retain` and `Log::trim_archive`. Meanwhile commits at `Machine`
    /// do as `tail.when_full` says, and NVMe keeps what is not archived.
    pub quota_bytes: u64,
    /// How fast the scrubber reads the archive, in bytes of frames, to find damage before it is needed; 0, the default, for
    /// not at all: reading may cost money. As often as that of NVMe.
    pub scrub_bytes_per_second: u64,
    /// How long a request may take before it counts as unanswered, in milliseconds; default 30,000.
    pub answer_ms_max: u64,
}

impl ArchiveConfig {
    pub(crate) fn linger_ms(&self) -> u64 {
        or(self.linger_ms_max, 1_000)
    }

    pub(crate) fn gather(&self) -> Duration {
        Duration::from_millis(or(self.gather_ms, 2))
    }

    pub(crate) fn object_bytes(&self) -> usize {
        or(self.object_bytes_max, 8 << 20) as usize
    }

    pub(crate) fn cut_bytes(&self) -> u64 {
        let most = or(self.cut_bytes_max, 64 << 20).max(self.object_bytes() as u64);
        // What the quota can never take is not put together.
        if self.quota_bytes == 0 { most } else { most.min(self.quota_bytes / 4) }
    }

    /// Whether what was asked for is within its range.
    ///
    /// # Errors
    /// [`Error::Config`] naming the field that is not, and the range.
    pub(crate) fn check(&self) -> Result<()> {
        let cut_most = if self.quota_bytes == 0 { u64::MAX } else { self.quota_bytes / 4 };
        let cut_least = cut_most.min(self.object_bytes() as u64);
        let asked = [
            ("object_bytes_max", self.object_bytes_max, (64 << 10)..=(128 << 20), ""),
            ("uploads_max", self.uploads_max.into(), 1..=32, ""),
            (
                "cut_bytes_max",
                self.cut_bytes_max,
                cut_least..=cut_most,
                " (a quarter of archive.quota_bytes)",
            ),
        ];
        for (name, asked, range, why) in asked {
            if asked == 0 || range.contains(&asked) {
                continue;
            }
            let range = match *range.end() {
                u64::MAX => format!("{} at least", range.start()),
                most => format!("{} to {most}{why}", range.start()),
            };
            return Err(Error::Config(format!(
                "archive.{name} is {asked}: it is {range}, or 0 for the default"
            )));
        }
        Ok(())
    }

    pub(crate) fn uploads(&self) -> usize {
        or(self.uploads_max.into(), 4) as usize
    }

    #[cfg(feature = "object")]
    pub(crate) fn answer_ms(&self) -> u64 {
        or(self.answer_ms_max, 30_000)
    }
}

fn or(asked: u64, default: u64) -> u64 {
    if asked == 0 { default } else { asked }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archive_settings_out_of_range_are_refused_and_named() {
        type Change<'a> = &'a dyn Fn(&mut ArchiveConfig);
        let check = |change: Change<'_>| {
            let mut config = ArchiveConfig::default();
            change(&mut config);
            config.check().map_err(|error| error.to_string())
        };
        let wrong: [(Change<'_>, &str); 6] = [
            (&|config| config.uploads_max = 33, "uploads_max is 33: it is 1 to 32, or 0"),
            (
                &|config| config.object_bytes_max = 65_535,
                "object_bytes_max is 65535: it is 65536 to 134217728,",
            ),
            (
                &|config| config.object_bytes_max = (128 << 20) + 1,
                "object_bytes_max is 134217729: it is 65536",
            ),
            (&|config| config.cut_bytes_max = 1 << 20, "cut_bytes_max is 1048576: it is 8388608 at least,"),
            (
                &|config| (config.cut_bytes_max, config.quota_bytes) = (32 << 20, 100 << 20),
                "cut_bytes_max is 33554432: it is 8388608 to 26214400 (a quarter of archive.quota_bytes)",
            ),
            (
                &|config| (config.cut_bytes_max, config.quota_bytes) = (1 << 20, 1 << 20),
                "cut_bytes_max is 1048576: it is 262144 to 262144",
            ),
        ];
        for (change, said) in wrong {
            let error = check(change).unwrap_err();
            assert!(error.contains(&format!("archive.{said}")), "{error}");
        }
        check(&|config| config.quota_bytes = 1 << 20).unwrap();
        check(&|config| (config.uploads_max, config.object_bytes_max) = (32, 64 << 10)).unwrap();
        check(&|config| (config.cut_bytes_max, config.quota_bytes) = (25 << 20, 100 << 20)).unwrap();
    }
}
