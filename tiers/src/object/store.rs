//! One store behind an address: creating, settling, reading and removing objects by name.
//!
//! What a create or a put answers is durable. A directory keeps a name only after its fsync, and an fsync that failed
//! cannot be made good by another: after such a failure nothing more is created ([`Store::suspect`]).

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{
    Error, GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion,
    WriteMultipart,
};
use tokio::task::spawn_blocking;

use super::address::{Address, Provider};
use super::{
    Counter, Created, DataName, Name, OBJECT_BYTES_MAX, ObjectError, SequenceOptions, directory, error,
};

/// A larger object is sent in parts of this many bytes, two at a time.
const PART_BYTES: usize = 16 << 20;

/// A store, opened.
#[derive(Debug)]
pub(super) struct Store {
    /// Its address, as shown in errors.
    pub(super) address: String,
    pub(super) objects: Arc<dyn ObjectStore>,
    /// Where a local store lies.
    root: Option<PathBuf>,
    /// Whether an object of ours may be there and not durable.
    suspect: AtomicBool,
    pub(super) counter: Counter,
}

impl Store {
    /// Opens what `address` names. For those who write, a directory is made if need be, and what its sequence holds made
    /// durable.
    pub(super) fn open(address: &Address, options: &SequenceOptions) -> Result<Self, ObjectError> {
        let shown = address.to_string();
        let elsewhere = matches!(address, Address::Bucket(bucket) if bucket.provider != Provider::Google);
        if let Some(endpoint) = options.endpoint.as_ref().filter(|_| !elsewhere) {
            let cause = super::secret::scrub(&format!(
                "only s3:// and az:// stores can answer at {endpoint}: leave the endpoint out"
            ));
            return Err(ObjectError::Refused { store: shown, cause });
        }
        let (objects, root): (Arc<dyn ObjectStore>, _) = match address {
            Address::Directory(root) => {
                let there = if options.create { private(root) } else { has_sequence(root) };
                there.map_err(|cause| error::of_io(&shown, &cause))?;
                let local = LocalFileSystem::new_with_prefix(root)
                    .map_err(|cause| error::of_store(&shown, &cause))?;
                (Arc::new(local.with_fsync(true)), Some(root.clone()))
            }
            Address::Memory(name) => (memory(name), None),
            Address::Bucket(bucket) => (network(bucket, options, &shown)?, None),
        };
        let (suspect, counter) = (AtomicBool::new(false), Counter::default());
        Ok(Self { address: shown, objects, root, suspect, counter })
    }

    /// As [`super::Objects::create`].
    pub(super) async fn create(&self, name: Name, body: Bytes) -> Result<Created, ObjectError> {
        self.check(&body)?;
        match self.put_as(name, &body, PutMode::Create).await {
            Ok(()) => Ok(Created::Ours),
            // Some stores say so of a condition that did not hold, and of a race that nobody won yet.
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => self.settle(name, &body).await,
            Err(cause) => Err(self.failed(name, &body, &cause).await),
        }
    }

    /// As [`super::Objects::put`].
    pub(super) async fn put(&self, name: Name, body: Bytes) -> Result<(), ObjectError> {
        self.check(&body)?;
        let done = match self.root {
            None if body.len() > PART_BYTES => self.put_parts(name, &body).await,
            _ => self.put_as(name, &body, PutMode::Overwrite).await,
        };
        match done {
            Ok(()) => Ok(()),
            Err(cause) => Err(self.failed(name, &body, &cause).await),
        }
    }

    /// As [`super::Objects::replace`].
    pub(super) async fn replace(
        &self,
        name: Name,
        old: Option<Bytes>,
        new: Bytes,
    ) -> Result<bool, ObjectError> {
        self.check(&new)?;
        let Some(old) = old else { return Ok(self.create(name, new).await? == Created::Ours) };
        if let Some(root) = self.root.clone() {
            let swap = move || directory::replace(&root, &name.to_string(), &old, &new);
            return self.blocking(swap).await;
        }
        let Some(found) = self.get(name, None).await? else { return Ok(false) };
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        if self.bytes(found).await? != old {
            return Ok(false);
        }
        match self.put_as(name, &new, PutMode::Update(version)).await {
            Ok(()) => Ok(true),
            Err(Error::Precondition { .. } | Error::AlreadyExists { .. } | Error::NotFound { .. }) => {
                Ok(false)
            }
            Err(cause) => Err(self.error(&cause)),
        }
    }

    /// As [`super::Objects::read`].
    pub(super) async fn read(
        &self,
        name: Name,
        bytes_max: Option<usize>,
    ) -> Result<Option<Bytes>, ObjectError> {
        let range = bytes_max.map(|max| GetRange::Bounded(0..max as u64));
        let Some(found) = self.get(name, range).await? else { return Ok(None) };
        if bytes_max.is_none() && found.meta.size > OBJECT_BYTES_MAX as u64 {
            let size = found.meta.size;
            return Err(self.refused(format!(
                "{name} has {size} bytes, above {OBJECT_BYTES_MAX}: not written by this log; move it away"
            )));
        }
        self.bytes(found).await.map(Some)
    }

    /// As [`super::Objects::delete`].
    pub(super) async fn delete(&self, name: Name) -> Result<(), ObjectError> {
        self.counter.delete();
        match self.objects.delete(&key(name)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(cause) => Err(self.error(&cause)),
        }
    }

    /// As [`super::Objects::list`].
    pub(super) async fn list(
        &self,
        epoch: u32,
        incarnation: u64,
        from: u64,
    ) -> Result<Vec<DataName>, ObjectError> {
        let folder = Key::from(DataName::folder(epoch, incarnation));
        let start = Key::from(format!("{folder}/{from:020}"));
        self.counter.list();
        let listed = self.objects.list_with_offset(Some(&folder), &start).try_collect::<Vec<_>>().await;
        let listed = listed.map_err(|cause| self.error(&cause))?;
        // The first thousand came with the first request.
        (0..listed.len().saturating_sub(1) / 1000).for_each(|_| self.counter.list());
        let name = |key: &Key| DataName::in_folder(epoch, incarnation, key.filename()?);
        Ok(listed.iter().filter_map(|found| name(&found.location)).collect())
    }

    async fn put_as(&self, name: Name, body: &Bytes, mode: PutMode) -> Result<(), Error> {
        self.counter.put(body.len());
        let options: PutOptions = mode.into();
        self.objects.put_opts(&key(name), body.clone().into(), options).await?;
        if let Some(root) = self.root.clone() {
            // The crate leaves files to the umask.
            let path = root.join(name.to_string());
            let private = spawn_blocking(move || directory::make_private(&path)).await?;
            private.map_err(|source| Error::Generic { store: "directory", source: Box::new(source) })?;
        }
        Ok(())
    }

    /// In parts; what was sent of an object that cannot be completed is given up again.
    async fn put_parts(&self, name: Name, body: &Bytes) -> Result<(), Error> {
        self.counter.put(0);
        let upload = self.objects.put_multipart(&key(name)).await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        for at in (0..body.len()).step_by(PART_BYTES) {
            let part = body.slice(at..body.len().min(at + PART_BYTES));
            self.counter.put(part.len());
            upload.wait_for_capacity(2).await?;
            upload.put(part);
        }
        self.counter.put(0);
        // Aborts where it fails.
        upload.finish().await.map(drop)
    }

    async fn get(&self, name: Name, range: Option<GetRange>) -> Result<Option<GetResult>, ObjectError> {
        self.counter.get();
        let options = GetOptions { range, ..GetOptions::default() };
        match self.objects.get_opts(&key(name), options).await {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(cause) => Err(self.error(&cause)),
        }
    }

    async fn bytes(&self, found: GetResult) -> Result<Bytes, ObjectError> {
        let bytes = found.bytes().await.map_err(|cause| self.error(&cause))?;
        self.counter.received(bytes.len());
        Ok(bytes)
    }

    /// The name is taken: by our own bytes, whose answer was lost, or by somebody else's.
    async fn settle(&self, name: Name, body: &Bytes) -> Result<Created, ObjectError> {
        let Some(there) = self.read(name, None).await? else {
            return Err(ObjectError::Unavailable {
                store: self.address.clone(),
                cause: format!("{name} exists and does not: it is being written or deleted"),
            });
        };
        // Whoever created it may have died before the fsync of its name.
        self.sync().await?;
        Ok(if there == body { Created::Ours } else { Created::Taken(there.into()) })
    }

    /// What a failed write means. Where our bytes are in a directory all the same, it may be the fsync of their name
    /// that failed; on a network the next try finds out.
    async fn failed(&self, name: Name, body: &Bytes, cause: &Error) -> ObjectError {
        if let Error::NotFound { .. } = cause {
            return self.refused(format!("there is no such bucket: {cause}"));
        }
        if self.root.is_none() {
            return self.error(cause);
        }
        match self.read(name, None).await {
            Ok(Some(there)) if there == body => {
                self.suspect.store(true, Relaxed);
                self.refused(format!(
                    "{name} is written, but not known to be durable: {cause}; open again to go on"
                ))
            }
            // Read or not, the first cause tells more than the second.
            _ => self.error(cause),
        }
    }

    async fn sync(&self) -> Result<(), ObjectError> {
        let Some(root) = self.root.clone() else { return Ok(()) };
        self.blocking(move || directory::sync(&root.join("seq"))).await
    }

    /// Work on a local store, after whose failure nothing is known to be durable.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, ObjectError> {
        let done = spawn_blocking(work).await;
        done.map_err(std::io::Error::from).flatten().map_err(|cause| {
            self.suspect.store(true, Relaxed);
            error::of_io(&self.address, &cause)
        })
    }

    fn check(&self, body: &Bytes) -> Result<(), ObjectError> {
        if body.len() > OBJECT_BYTES_MAX {
            let len = body.len();
            return Err(self.refused(format!("an object of {len} bytes is above {OBJECT_BYTES_MAX}")));
        }
        if self.suspect.load(Relaxed) {
            return Err(self.refused(
                "an earlier write could not be made durable: check the file system, then open again"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    pub(super) fn error(&self, cause: &Error) -> ObjectError {
        error::of_store(&self.address, cause)
    }

    fn refused(&self, cause: String) -> ObjectError {
        ObjectError::Refused { store: self.address.clone(), cause: super::secret::scrub(&cause) }
    }
}

fn key(name: Name) -> Key {
    Key::from(name.to_string())
}

#[cfg(feature = "cloud")]
fn network(
    bucket: &super::address::Bucket,
    options: &SequenceOptions,
    shown: &str,
) -> Result<Arc<dyn ObjectStore>, ObjectError> {
    let answer_max = std::time::Duration::from_millis(options.timeout_ms);
    let store = super::cloud::open(bucket, options.endpoint.as_deref(), answer_max)
        .map_err(|cause| error::of_store(shown, &cause))?;
    Ok(Arc::new(object_store::prefix::PrefixStore::new(store, bucket.prefix.as_str())))
}

#[cfg(not(feature = "cloud"))]
fn network(
    bucket: &super::address::Bucket,
    _: &SequenceOptions,
    shown: &str,
) -> Result<Arc<dyn ObjectStore>, ObjectError> {
    let cause = format!("this build knows no {}:// stores (feature `cloud`)", bucket.provider.scheme());
    Err(ObjectError::Refused { store: shown.to_owned(), cause })
}

/// Makes the directories of a local store, 0700, and the names its sequence holds durable: their creator may have died
/// before that, and what is read is built on.
fn private(root: &Path) -> std::io::Result<()> {
    let names = root.join("seq");
    directory::create(&names)?;
    directory::create(&root.join("data"))?;
    directory::create(&root.join("probe"))?;
    directory::sync(&names)
}

/// Whether somebody archives into `root`: an address that was mistyped is no empty archive.
fn has_sequence(root: &Path) -> std::io::Result<()> {
    let missing = |kind| std::io::Error::new(kind, "there is no archive in this directory");
    match std::fs::metadata(root.join("seq")) {
        Ok(names) if names.is_dir() => Ok(()),
        Ok(_) => Err(missing(ErrorKind::NotADirectory)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(missing(error.kind()))
        }
        Err(error) => Err(error),
    }
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
        let open =
            || Store::open(&Address::Directory(dir.path().to_owned()), &SequenceOptions::default()).unwrap();
        let mut store = open();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let create = |store: &Store, number| {
            runtime.block_on(store.create(Name::Number(number), Bytes::from_static(b"x")))
        };
        assert_eq!(create(&store, 1).unwrap(), Created::Ours);
        store.root = Some(dir.path().join("gone"));
        assert!(create(&store, 1).unwrap_err().to_string().contains("No such file"));
        assert!(create(&store, 2).unwrap_err().to_string().contains("an earlier write"));
        let again = open();
        assert_eq!(create(&again, 1).unwrap(), Created::Ours);
        assert_eq!(create(&again, 2).unwrap(), Created::Ours);
    }
}
