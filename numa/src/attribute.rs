//! One attribute of sysfs: a small text file.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// No attribute read here is longer; the list of 8192 CPUs with gaps takes 40 KiB.
const BYTES_MAX: u64 = 64 * 1024;

/// The text of an attribute, trimmed; `None` where the file is not there.
///
/// # Errors
/// The file's own; `InvalidData` for more than 64 KiB or for other than UTF-8.
pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(io::Error::new(ErrorKind::InvalidData, "longer than any sysfs attribute"));
    }
    Ok(Some(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_file_is_none_and_an_endless_one_an_error() {
        assert_eq!(read(Path::new("/sys/no such attribute")).unwrap(), None);
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(read(Path::new("/sys")).unwrap_err().kind(), ErrorKind::IsADirectory);
    }
}
