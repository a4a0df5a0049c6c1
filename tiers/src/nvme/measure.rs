//! What an open of a directory finds out by trying: direct I/O, and the cheapest way to a durable write.

use std::fs::File;
use std::io;

use super::calibrate::calibrate;
use super::{BLOCK_BYTES, Directory, DirectoryError, DirectoryOptions, DurableWay, FileName, syscall};

impl Directory {
    /// Fills in what the medium's `direct`, `way` and `calibration` are.
    pub(super) fn measure(&mut self, options: &DirectoryOptions) -> Result<(), DirectoryError> {
        if options.read_only {
            return self.measure_direct(None);
        }
        let forced = options.durable_way;
        if forced.is_some_and(DurableWay::rings) && self.medium.uring_refused.is_some() {
            return Err(self.failed("writing by io_uring, as asked,", io::ErrorKind::Unsupported.into()));
        }
        let scratch = self.scratch().map_err(|error| self.failed("opening for writing", error))?;
        self.measure_direct(scratch.as_ref())?;
        self.medium.way = Some(forced.unwrap_or(DurableWay::Fdatasync));
        match scratch {
            Some(scratch) => self.choose(&scratch, forced),
            None => Ok(()),
        }
    }

    /// A file to try things on; none where the system cannot make one without a name, or is full.
    fn scratch(&self) -> io::Result<Option<File>> {
        let error = match syscall::open_nameless(&self.dir) {
            Ok(scratch) => return Ok(Some(scratch)),
            Err(error) => error,
        };
        let unable = matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL));
        if unable || is_full(&error) { Ok(None) } else { Err(error) }
    }

    /// Tries direct I/O on `scratch`, or else on the superblock, if there is one.
    fn measure_direct(&mut self, scratch: Option<&File>) -> Result<(), DirectoryError> {
        let superblock;
        let sample = match scratch {
            Some(scratch) => scratch,
            None => match syscall::open_at(&self.dir, FileName::Superblock, libc::O_RDONLY, 0) {
                Ok(file) => {
                    superblock = file;
                    &superblock
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(self.failed("opening the superblock", error)),
            },
        };
        self.medium.direct = self.set_direct(sample, true)?;
        Ok(())
    }

    /// Measures the ways, or only the forced one, and takes the cheapest.
    fn choose(&mut self, scratch: &File, forced: Option<DurableWay>) -> Result<(), DirectoryError> {
        let (direct, rings) = (self.medium.direct, self.medium.uring_refused.is_none());
        let ways: Vec<DurableWay> = match forced {
            Some(way) => vec![way],
            // Nothing else forces what is in the page cache.
            None if !direct => vec![DurableWay::Fdatasync],
            None => DurableWay::ALL.into_iter().filter(|way| rings || !way.rings()).collect(),
        };
        match calibrate(scratch, &ways, &self.rings) {
            Ok(Some((way, calibration))) => {
                self.medium.way = Some(way);
                self.medium.calibration = Some(calibration);
                Ok(())
            }
            Ok(None) => Err(self.failed("writing durably", io::ErrorKind::Unsupported.into())),
            Err(error) if is_full(&error) => Ok(()),
            // The ring or the disk: without the ring it shows which.
            Err(error) if ways.len() > 1 && ways.iter().any(|way| way.rings()) => {
                self.medium.uring_refused = Some(error.to_string());
                self.choose(scratch, forced)
            }
            Err(error) => Err(self.failed("measuring durable writes", error)),
        }
    }

    /// Turns on direct I/O if `wanted` and possible; an alignment above [`BLOCK_BYTES`] is refused.
    pub(super) fn set_direct(&self, file: &File, wanted: bool) -> Result<bool, DirectoryError> {
        let failed = |error| self.failed("direct I/O", error);
        let (memory, offset) = match syscall::facts(file).map_err(failed)?.direct_align {
            Some((0, _) | (_, 0)) => return syscall::set_direct(file, false).map_err(failed),
            Some(align) => align,
            None => (1, 1), // the system does not tell: a refusal comes with the first read or write
        };
        if wanted && memory.max(offset) > BLOCK_BYTES as u32 {
            let what = format!("needs blocks of {} bytes, more than {BLOCK_BYTES}", memory.max(offset));
            return Err(failed(io::Error::new(io::ErrorKind::Unsupported, what)));
        }
        syscall::set_direct(file, wanted).map_err(failed)
    }

    fn failed(&self, doing: &'static str, error: io::Error) -> DirectoryError {
        DirectoryError::new(&self.medium.path, doing, error)
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}
