//! What a store's errors mean for the caller: come back later, or change something.

use std::error::Error;
use std::io;

use super::ObjectError;
use super::secret::scrub;
use crate::shortage::what_to_allow;

/// An error of `store`, by its kind.
pub(super) fn of_store(store: &str, error: &object_store::Error) -> ObjectError {
    use object_store::Error as E;
    let lasting = match error {
        E::InvalidPath { .. }
        | E::NotSupported { .. }
        | E::NotImplemented { .. }
        | E::PermissionDenied { .. }
        | E::Unauthenticated { .. }
        | E::UnknownConfigurationKey { .. } => true,
        other => io_kind(other).is_some_and(is_lasting),
    };
    sort(lasting, store, error)
}

/// What the system says while a store is set up at `store`, by its kind.
pub(super) fn of_io(store: &str, error: &io::Error) -> ObjectError {
    sort(is_lasting(error.kind()), store, error)
}

fn sort(lasting: bool, store: &str, error: &(dyn Error + 'static)) -> ObjectError {
    let what = what_to_allow(error).map_or_else(String::new, |what| format!(": {what}"));
    let (store, cause) = (store.to_owned(), scrub(&format!("{error}{what}")));
    match lasting {
        true => ObjectError::Refused { store, cause },
        false => ObjectError::Unavailable { store, cause },
    }
}

/// The kind of the file system's error at the bottom of `error`, if there is one: `object_store` hides it in a generic
/// one.
fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let mut chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind)
}

/// Whether trying again is in vain until somebody changes something.
fn is_lasting(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as K;
    matches!(
        kind,
        K::NotFound
            | K::PermissionDenied
            | K::ReadOnlyFilesystem
            | K::NotADirectory
            | K::IsADirectory
            | K::InvalidInput
            | K::InvalidFilename
            | K::Unsupported
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_by_the_kind_at_the_bottom() {
        let sorted = |kind: io::ErrorKind| {
            let source = Box::new(io::Error::from(kind));
            of_store("s", &object_store::Error::Generic { store: "x", source })
        };
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::TimedOut, io::ErrorKind::Interrupted] {
            assert!(matches!(sorted(kind), ObjectError::Unavailable { .. }), "{kind}");
        }
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem] {
            assert!(matches!(sorted(kind), ObjectError::Refused { .. }), "{kind}");
        }
        let denied = object_store::Error::PermissionDenied { path: "p".to_owned(), source: "no".into() };
        assert!(matches!(of_store("s", &denied), ObjectError::Refused { .. }));
    }
}
