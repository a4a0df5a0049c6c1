//! The seam over `object_store`: calls that block, on a runtime of their own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::address::Address;
use super::store::Store;
use super::worker::{NoAnswer, Worker};
use super::{Counts, Created, DataName, Name, ObjectError, Objects, error};

/// How a [`Sequence`] is opened.
#[derive(Debug, Clone)]
pub struct SequenceOptions {
    /// Let a directory or memory of this machine stand for a store that survives the machine: for those who asked for
    /// it by name. Default `false`.
    pub accept_local: bool,
    /// How long a call waits for its answer until it is `Unavailable`: milliseconds, at least 1. Default 30,000.
    pub timeout_ms: u64,
    /// Where an S3 or Azure store answers, for MinIO and its like; default: as the environment says
    /// (`AWS_ENDPOINT_URL`, `AZURE_STORAGE_ENDPOINT`), or the provider's own. `http://` is taken as it stands.
    /// `Refused` for any other store.
    pub endpoint: Option<String>,
    /// Makes what is missing of a store in a directory, and what it holds durable; `false` for those who only read, to whom
    /// a directory without a sequence is `Refused`. Default `true`.
    pub create: bool,
}

impl Default for SequenceOptions {
    fn default() -> Self {
        Self { accept_local: false, timeout_ms: 30_000, endpoint: None, create: true }
    }
}

/// Objects in a directory, in memory, or in a bucket.
///
/// Calls block, up to 32 at a time, on a thread of this sequence's own: they may come from any thread, one of an
/// asynchronous runtime included. In a directory a create costs two fsyncs and is durable on return; a creator killed
/// half-way leaves a `*#*` file, which nothing reads. Credentials come from the environment (`AWS_*`, `AZURE_*`,
/// `GOOGLE_*`), and are never shown.
pub struct Sequence {
    address: Address,
    accept_local: bool,
    wait_max: Duration,
    store: Arc<Store>,
    worker: Worker,
}

impl Sequence {
    /// Opens the store at `address`: `s3://bucket/prefix`, `az://container/prefix`, `gs://bucket/prefix` (feature
    /// `cloud`; nobody is asked yet), `file:///abs/dir` or a plain path (made 0700 if missing, where `create` says so), or
    /// `memory:NAME`, a store that lives as long as this process.
    ///
    /// # Errors
    /// `Refused` for another kind of address, for credentials that make no sense, and for a directory that cannot be made
    /// or read, or is not there.
    pub fn open(address: &str, options: &SequenceOptions) -> Result<Self, ObjectError> {
        let address = Address::parse(address)?;
        let shown = address.to_string();
        if options.timeout_ms == 0 {
            return Err(ObjectError::Refused {
                store: shown,
                cause: "timeout_ms must be at least 1".to_owned(),
            });
        }
        let store = Arc::new(Store::open(&address, options)?);
        let worker = Worker::start().map_err(|cause| error::of_io(&shown, &cause))?;
        let wait_max = Duration::from_millis(options.timeout_ms);
        Ok(Self { address, accept_local: options.accept_local, wait_max, store, worker })
    }

    fn run<T, F>(&self, request: impl FnOnce(Arc<Store>) -> F) -> Result<T, ObjectError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ObjectError>> + Send + 'static,
    {
        let waited_ms = self.wait_max.as_millis();
        match self.worker.run(self.wait_max, request(self.store.clone())) {
            Ok(answer) => answer,
            Err(NoAnswer::Late) => Err(self.unavailable(format!("no answer within {waited_ms} ms"))),
            Err(NoAnswer::Busy) => {
                Err(self.unavailable("it hangs, and too many calls wait for it".to_owned()))
            }
            Err(NoAnswer::Dead) => Err(ObjectError::Refused {
                store: self.address.to_string(),
                cause: "a request died of a panic: report this".to_owned(),
            }),
        }
    }

    fn unavailable(&self, cause: String) -> ObjectError {
        ObjectError::Unavailable { store: self.address.to_string(), cause }
    }
}

impl Objects for Sequence {
    fn create(&self, name: Name, body: &[u8]) -> Result<Created, ObjectError> {
        let body = Bytes::copy_from_slice(body);
        self.run(move |store| async move { store.create(name, body).await })
    }

    fn put(&self, name: Name, body: Arc<[u8]>) -> Result<(), ObjectError> {
        self.run(move |store| async move { store.put(name, Bytes::from_owner(body)).await })
    }

    fn replace(&self, name: Name, old: Option<&[u8]>, new: &[u8]) -> Result<bool, ObjectError> {
        let (old, new) = (old.map(Bytes::copy_from_slice), Bytes::copy_from_slice(new));
        self.run(move |store| async move { store.replace(name, old, new).await })
    }

    fn read(&self, name: Name, bytes_max: Option<usize>) -> Result<Option<Vec<u8>>, ObjectError> {
        self.run(move |store| async move { Ok(store.read(name, bytes_max).await?.map(Vec::from)) })
    }

    fn delete(&self, name: Name) -> Result<(), ObjectError> {
        self.run(move |store| async move { store.delete(name).await })
    }

    fn list(&self, epoch: u32, incarnation: u64, from: u64) -> Result<Vec<DataName>, ObjectError> {
        self.run(move |store| async move { store.list(epoch, incarnation, from).await })
    }

    fn probe(&self, racers: u32) -> Result<bool, ObjectError> {
        let fresh = getrandom::u64().map_err(|cause| self.unavailable(format!("no random name: {cause}")))?;
        self.run(move |store| async move { store.probe(fresh, racers).await })
    }

    fn counts(&self) -> Counts {
        self.store.counter.counts()
    }

    fn describe(&self) -> String {
        let survives = match &self.address {
            Address::Directory(_) => "a directory of this machine, fsynced",
            Address::Memory(_) => "memory of this process, survives nothing",
            Address::Bucket(_) => return format!("{}: objects on a network", self.address),
        };
        let accepted = if self.accept_local { "; stands for Machine, as asked for" } else { "" };
        format!("{}: {survives}{accepted}", self.address)
    }

    fn machine_safe(&self) -> bool {
        self.accept_local || matches!(self.address, Address::Bucket(_))
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sequence").field(&self.describe()).finish()
    }
}
