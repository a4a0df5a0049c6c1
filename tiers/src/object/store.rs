//! One store behind an address: creating, settling and reading numbered objects.
//!
//! What a create answers is durable. A directory keeps a name only after its fsync, and an fsync that failed cannot be
//! made good by another: after such a failure nothing more is created ([`Store::suspect`]).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Name;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode};
use tokio::task::{JoinSet, spawn_blocking};

use super::address::Address;
use super::{Created, OBJECT_BYTES_MAX, ObjectError, directory, error};

/// Objects raced for in a probe.
const PROBE_RACERS: u8 = 16;

/// A store, opened.
#[derive(Debug)]
pub(super) struct Store {
    /// Its address, as shown in errors.
    address: String,
    objects: Arc<dyn ObjectStore>,
    /// Where the names of a local store's sequence lie.
    names: Option<PathBuf>,
    /// Whether an object of ours may be there and not durable.
    suspect: AtomicBool,
}

impl Store {
    /// Opens what `address` names; a directory is made if need be, and what its sequence holds made durable.
    pub(super) fn open(address: &Address) -> Result<Self, ObjectError> {
        let shown = address.to_string();
        let (objects, names): (Arc<dyn ObjectStore>, _) = match address {
            Address::Directory(root) => {
                let names = private(root).map_err(|cause| error::of_io(&shown, &cause))?;
                let local = LocalFileSystem::new_with_prefix(root)
                    .map_err(|cause| error::of_store(&shown, &cause))?;
                (Arc::new(local.with_fsync(true)), Some(names))
            }
            Address::Memory(name) => (memory(name), None),
        };
        Ok(Self { address: shown, objects, names, suspect: AtomicBool::new(false) })
    }

    /// As [`super::Objects::create`].
    pub(super) async fn create(&self, number: u64, body: Bytes) -> Result<Created, ObjectError> {
        if body.len() > OBJECT_BYTES_MAX {
            return Err(
                self.refused(format!("an object of {} bytes is above {OBJECT_BYTES_MAX}", body.len()))
            );
        }
        if self.suspect.load(Relaxed) {
            return Err(self.refused(
                "an earlier write could not be made durable: check the file system, then open again"
                    .to_owned(),
            ));
        }
        match self.objects.put_opts(&name(number), body.clone().into(), PutMode::Create.into()).await {
            Ok(_) => Ok(Created::Ours),
            Err(Error::AlreadyExists { .. }) => self.settle(number, &body).await,
            Err(cause) => Err(self.failed(number, &body, &cause).await),
        }
    }

    /// The number is taken: by our own bytes, whose answer was lost, or by somebody else's.
    async fn settle(&self, number: u64, body: &Bytes) -> Result<Created, ObjectError> {
        let Some(there) = self.read(number).await? else {
            return Err(ObjectError::Unavailable {
                store: self.address.clone(),
                cause: format!("{} exists and does not: it is being deleted", name(number)),
            });
        };
        // Whoever created it may have died before the fsync of its name.
        self.sync().await?;
        Ok(if there == body { Created::Ours } else { Created::Taken(there.into()) })
    }

    /// What a failed create means. Where our bytes are there all the same, it may be the fsync of their name that failed.
    async fn failed(&self, number: u64, body: &Bytes, cause: &Error) -> ObjectError {
        match self.read(number).await {
            Ok(Some(there)) if there == body => {
                self.suspect.store(true, Relaxed);
                self.refused(format!(
                    "{} is written, but not known to be durable: {cause}; open again to go on",
                    name(number)
                ))
            }
            // Read or not, the first cause tells more than the second.
            _ => error::of_store(&self.address, cause),
        }
    }

    async fn sync(&self) -> Result<(), ObjectError> {
        let Some(names) = self.names.clone() else { return Ok(()) };
        let synced = spawn_blocking(move || directory::sync(&names)).await;
        synced.map_err(std::io::Error::from).flatten().map_err(|cause| {
            self.suspect.store(true, Relaxed);
            error::of_io(&self.address, &cause)
        })
    }

    /// As [`super::Objects::read`].
    pub(super) async fn read(&self, number: u64) -> Result<Option<Bytes>, ObjectError> {
        self.read_named(&name(number)).await
    }

    async fn read_named(&self, name: &Name) -> Result<Option<Bytes>, ObjectError> {
        let found = match self.objects.get(name).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(cause) => return Err(error::of_store(&self.address, &cause)),
        };
        if found.meta.size > OBJECT_BYTES_MAX as u64 {
            return Err(self.refused(format!(
                "{name} has {} bytes, above {OBJECT_BYTES_MAX}: not written by this log; move it away",
                found.meta.size
            )));
        }
        found.bytes().await.map(Some).map_err(|cause| error::of_store(&self.address, &cause))
    }

    /// Lets 16 creators race for one fresh name: whether exactly one won, and the object is the winner's.
    pub(super) async fn probe(&self, fresh: u64) -> Result<bool, ObjectError> {
        let name = Name::from(format!("probe/{fresh:016x}"));
        let outcome = self.race(&name).await;
        let cleaned = self.objects.delete(&name).await;
        let fences = outcome?;
        match cleaned {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(fences),
            Err(cause) => Err(error::of_store(&self.address, &cause)),
        }
    }

    async fn race(&self, name: &Name) -> Result<bool, ObjectError> {
        let mut racers = JoinSet::new();
        for racer in 0..PROBE_RACERS {
            let (objects, name) = (self.objects.clone(), name.clone());
            racers.spawn(async move {
                let body = Bytes::copy_from_slice(&[racer]);
                (racer, objects.put_opts(&name, body.into(), PutMode::Create.into()).await)
            });
        }
        let mut winners = Vec::new();
        for (racer, outcome) in racers.join_all().await {
            match outcome {
                Ok(_) => winners.push(racer),
                Err(Error::AlreadyExists { .. }) => {}
                Err(cause) => return Err(error::of_store(&self.address, &cause)),
            }
        }
        let there = self.read_named(name).await?;
        Ok(winners.len() == 1 && there.is_some_and(|there| *there == *winners))
    }

    fn refused(&self, cause: String) -> ObjectError {
        ObjectError::Refused { store: self.address.clone(), cause }
    }
}

/// Twenty digits: names in the order of numbers.
fn name(number: u64) -> Name {
    Name::from(format!("seq/{number:020}"))
}

/// Makes the directories of a local store, 0700, and the names its sequence holds durable: their creator may have died
/// before that, and what is read is built on. `object_store` leaves files to the umask; nobody else gets at them in
/// there.
fn private(root: &Path) -> std::io::Result<PathBuf> {
    let names = root.join("seq");
    directory::create(&names)?;
    directory::create(&root.join("probe"))?;
    directory::sync(&names)?;
    Ok(names)
}

/// The store of this process by that name: made at its first use, and kept until the process ends.
fn memory(name: &str) -> Arc<InMemory> {
    static STORES: OnceLock<Mutex<HashMap<String, Arc<InMemory>>>> = OnceLock::new();
    let mut stores = STORES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    stores.entry(name.to_owned()).or_default().clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_cannot_be_made_durable_ends_creating() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(&Address::Directory(dir.path().to_owned())).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let create = |store: &Store, number| runtime.block_on(store.create(number, Bytes::from_static(b"x")));
        assert_eq!(create(&store, 1).unwrap(), Created::Ours);
        store.names = Some(dir.path().join("gone"));
        assert!(create(&store, 1).unwrap_err().to_string().contains("No such file"));
        assert!(create(&store, 2).unwrap_err().to_string().contains("an earlier write"));
        let again = Store::open(&Address::Directory(dir.path().to_owned())).unwrap();
        assert_eq!(create(&again, 1).unwrap(), Created::Ours);
        assert_eq!(create(&again, 2).unwrap(), Created::Ours);
    }
}
