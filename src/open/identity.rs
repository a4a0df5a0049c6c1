//! Who and where we are: random identities, the boot, the owner as other processes see it.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::host::Env;

/// Random bytes for identities.
pub(crate) fn random<const N: usize>(env: &(impl Env + ?Sized)) -> [u8; N] {
    let mut bytes = [0; N];
    env.random(&mut bytes);
    bytes
}

/// The kernel's boot id: a tail that is not power-safe does not survive a change of it.
pub(crate) fn boot_id() -> Result<[u8; 16]> {
    let path = "/proc/sys/kernel/random/boot_id";
    let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let number = u128::from_str_radix(&digits, 16);
    number.map(u128::to_be_bytes).map_err(|_| Error::Config(format!("{path} holds no boot id: {text:?}")))
}

/// Writes the file `owner`: who it is, and what the NVMe tier is to it.
pub(crate) fn sign_owner(path: &Path, nvme: &str) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let name =
        std::env::current_exe().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let (process, name) = (std::process::id(), name.as_deref().unwrap_or("unknown"));
    let text = format!("process {process} ({name})\n{nvme}\n");
    File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// The lines of the file `owner`, if there is one.
pub(crate) fn owner_lines(config: &Config) -> Option<(String, String)> {
    let text = std::fs::read_to_string(config.dir.join("owner")).ok()?;
    let (owner, nvme) = text.split_once('\n').unwrap_or((&text, ""));
    Some((owner.trim().to_string(), nvme.trim().to_string()))
}

/// Who signed last, in words.
pub(crate) fn owner_of(config: &Config) -> String {
    owner_lines(config).map_or_else(|| "a process, or its forked child".into(), |(owner, _)| owner)
}
