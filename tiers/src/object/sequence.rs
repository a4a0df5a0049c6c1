//! The numbered sequence over `object_store`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::address::Address;
use super::store::Store;
use super::worker::{NoAnswer, Worker};
use super::{Created, ObjectError, Objects, error};

/// How a [`Sequence`] is opened.
#[derive(Debug, Clone)]
pub struct SequenceOptions {
    /// Let a directory or memory of this machine stand for a store that survives the machine: for those who asked for
    /// it by name. Default `false`.
    pub accept_local: bool,
    /// How long a call waits for its answer, and for the calls before it, until it is `Unavailable`: milliseconds, at
    /// least 1. Default 30,000.
    pub timeout_ms: u64,
}

impl Default for SequenceOptions {
    fn default() -> Self {
        Self { accept_local: false, timeout_ms: 30_000 }
    }
}

/// A numbered sequence in a directory or in memory: object `number` is `seq/` and twenty digits.
///
/// Calls block, one at a time, on a thread of this sequence's own: they may come from any thread, one of an
/// asynchronous runtime included. In a directory a create costs two fsyncs and is durable on return; a creator killed
/// half-way leaves a `seq/*#*` file, which nothing reads.
pub struct Sequence {
    address: Address,
    accept_local: bool,
    wait_max: Duration,
    store: Arc<Store>,
    worker: Worker,
}

impl Sequence {
    /// Opens the sequence at `address`: `file:///abs/dir` or a plain path (made 0700 if missing), or `memory:NAME`, a
    /// store that lives as long as this process.
    ///
    /// # Errors
    /// `Refused` for another kind of address and for a directory that cannot be made or read.
    pub fn open(address: &str, options: &SequenceOptions) -> Result<Self, ObjectError> {
        let address = Address::parse(address)?;
        let shown = address.to_string();
        if options.timeout_ms == 0 {
            return Err(ObjectError::Refused {
                store: shown,
                cause: "timeout_ms must be at least 1".to_owned(),
            });
        }
        let store = Arc::new(Store::open(&address)?);
        let worker = Worker::start().map_err(|cause| error::of_io(&shown, &cause))?;
        let wait_max = Duration::from_millis(options.timeout_ms);
        Ok(Self { address, accept_local: options.accept_local, wait_max, store, worker })
    }

    /// Lets 16 creators race for a fresh name under `probe/`, and removes it: whether exactly one won, that is, whether
    /// this store can fence.
    ///
    /// # Errors
    /// [`ObjectError`], also where the probe's object cannot be removed.
    pub fn probe(&self) -> Result<bool, ObjectError> {
        let fresh = getrandom::u64().map_err(|cause| self.unavailable(format!("no random name: {cause}")))?;
        self.run(move |store| async move { store.probe(fresh).await })
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
                cause: "its thread died of a panic: open it again, and report this".to_owned(),
            }),
        }
    }

    fn unavailable(&self, cause: String) -> ObjectError {
        ObjectError::Unavailable { store: self.address.to_string(), cause }
    }
}

impl Objects for Sequence {
    fn create(&self, number: u64, body: &[u8]) -> Result<Created, ObjectError> {
        let body = Bytes::copy_from_slice(body);
        self.run(move |store| async move { store.create(number, body).await })
    }

    fn read(&self, number: u64) -> Result<Option<Vec<u8>>, ObjectError> {
        self.run(move |store| async move { Ok(store.read(number).await?.map(Vec::from)) })
    }

    fn describe(&self) -> String {
        let survives = match &self.address {
            Address::Directory(_) => "a directory of this machine, fsynced",
            Address::Memory(_) => "memory of this process, survives nothing",
        };
        let accepted = if self.accept_local { "; stands for Machine, as asked for" } else { "" };
        format!("{}: {survives}{accepted}", self.address)
    }

    fn machine_safe(&self) -> bool {
        self.accept_local
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sequence").field(&self.describe()).finish()
    }
}
