//! Where a sequence lives, as the user writes it.

use std::fmt;
use std::path::PathBuf;

use super::ObjectError;

/// What an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// `file:///abs/dir`, or a plain path: a directory of this machine.
    Directory(PathBuf),
    /// `memory:NAME`: a store of this process, gone with it.
    Memory(String),
    /// `s3://`, `az://`, `gs://`: a bucket on a network, and what names begin with there.
    Bucket(Bucket),
}

/// A bucket of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) provider: Provider,
    pub(super) name: String,
    /// Without slashes at its ends; perhaps empty.
    pub(super) prefix: String,
}

/// Whose store it is, or whose protocol it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    S3,
    Azure,
    Google,
}

/// What can be written, for those who wrote something else.
const KNOWN: &str = "known are s3://bucket/prefix, az://container/prefix, gs://bucket/prefix, file:///abs/dir, \
                     a plain path and memory:NAME";

impl Address {
    /// Reads an address. Only the scheme of an unknown one is ever shown: the rest may hold secrets.
    pub(super) fn parse(text: &str) -> Result<Self, ObjectError> {
        match scheme(text) {
            None if text.is_empty() => Err(refused("an empty address", KNOWN)),
            None => std::path::absolute(text)
                .map(Self::Directory)
                .map_err(|error| refused(text, &error.to_string())),
            Some("file") => directory(text),
            Some("memory") => match &text["memory:".len()..] {
                "" => Err(refused(text, "a memory store has a name, as in memory:NAME")),
                name => Ok(Self::Memory(name.to_owned())),
            },
            Some("s3") => bucket(Provider::S3, text),
            Some("az") => bucket(Provider::Azure, text),
            Some("gs") => bucket(Provider::Google, text),
            Some(scheme) => Err(refused(scheme, &format!("no such kind of store; {KNOWN}"))),
        }
    }
}

/// The part before the colon, where it reads as a scheme (RFC 3986, 3.1).
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let ours = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    (scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(ours))
        .then_some(scheme)
}

fn directory(text: &str) -> Result<Address, ObjectError> {
    match text.strip_prefix("file://") {
        Some(path) if path.contains(['%', '?', '#']) => {
            Err(refused(text, "%, ? and # are not read in a file:// address; write a plain path"))
        }
        Some(path) if path.starts_with('/') => Ok(Address::Directory(path.into())),
        _ => Err(refused(text, "a file address is absolute and of this machine, as in file:///abs/dir")),
    }
}

/// A bucket, and a prefix of plain characters: what stands there may be a secret that ended up in the wrong place, so an
/// address that is not understood is not shown.
fn bucket(provider: Provider, text: &str) -> Result<Address, ObjectError> {
    let scheme = provider.scheme();
    let wrong =
        || refused(scheme, &format!("write {scheme}://bucket/prefix, of letters, digits and - _ . /"));
    let rest = text.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")).ok_or_else(wrong)?;
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let parts = || prefix.split('/');
    let good = prefix.is_empty()
        || parts().all(|part| !part.is_empty() && part != "." && part != ".." && plain(part));
    if name.is_empty() || !plain(name) || !good {
        return Err(wrong());
    }
    Ok(Address::Bucket(Bucket { provider, name: name.to_owned(), prefix: prefix.to_owned() }))
}

impl Provider {
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Provider::S3 => "s3",
            Provider::Azure => "az",
            Provider::Google => "gs",
        }
    }
}

fn refused(store: &str, cause: &str) -> ObjectError {
    ObjectError::Refused { store: store.to_owned(), cause: cause.to_owned() }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Memory(name) => write!(f, "memory:{name}"),
            Self::Bucket(Bucket { provider, name, prefix }) if prefix.is_empty() => {
                write!(f, "{}://{name}", provider.scheme())
            }
            Self::Bucket(Bucket { provider, name, prefix }) => {
                write!(f, "{}://{name}/{prefix}", provider.scheme())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_known() {
        let directory = |path: &str| Address::Directory(path.into());
        for (text, want) in [
            ("file:///a/b c", directory("/a/b c")),
            ("/a/b%20#c", directory("/a/b%20#c")),
            ("/a:b", directory("/a:b")),
            ("memory:x:y", Address::Memory("x:y".to_owned())),
        ] {
            assert_eq!(Address::parse(text).unwrap(), want, "{text}");
        }
        let at = |provider, name: &str, prefix: &str| {
            Address::Bucket(Bucket { provider, name: name.to_owned(), prefix: prefix.to_owned() })
        };
        for (text, want) in [
            ("s3://b", at(Provider::S3, "b", "")),
            ("s3://b.c-d/", at(Provider::S3, "b.c-d", "")),
            ("az://c/x/y_1/", at(Provider::Azure, "c", "x/y_1")),
            ("gs://b/p", at(Provider::Google, "b", "p")),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address, want, "{text}");
            assert_eq!(Address::parse(&address.to_string()).unwrap(), want);
        }
        let here = std::env::current_dir().unwrap();
        assert_eq!(Address::parse("sub/dir").unwrap(), Address::Directory(here.join("sub/dir")));
    }

    #[test]
    fn refuses_the_rest_without_telling_secrets() {
        for text in [
            "",
            "file:",
            "file:/a",
            "file://host/a",
            "file://a",
            "file:///a%20b",
            "memory:",
            "s3://key:PW@b",
            "s3://b/a//PW",
            "s3://b/../PW",
            "az://b/?sig=PW",
            "s3:b/PW",
            "s3://",
            "swift://PW",
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(matches!(error, ObjectError::Refused { .. }), "{text}: {error}");
            assert!(!error.to_string().contains("PW"), "{error}");
        }
        let error = Address::parse("ftp://host").unwrap_err().to_string();
        assert!(error.starts_with("ftp: no such kind of store; known are s3:"), "{error}");
    }
}
