//! Whether a store can fence: creators race for one name, and exactly one may win.

use bytes::Bytes;
use object_store::path::Path as Key;
use object_store::{Error, ObjectStoreExt, PutMode};
use tokio::task::JoinSet;

use super::ObjectError;
use super::store::Store;

impl Store {
    /// As [`super::Objects::probe`], under a fresh name.
    pub(super) async fn probe(&self, fresh: u64, racers: u32) -> Result<bool, ObjectError> {
        let name = Key::from(format!("probe/{fresh:016x}"));
        let outcome = self.race(&name, racers).await;
        self.counter.delete();
        let cleaned = self.objects.delete(&name).await;
        let fences = outcome?;
        match cleaned {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(fences),
            Err(cause) => Err(self.error(&cause)),
        }
    }

    async fn race(&self, name: &Key, racers: u32) -> Result<bool, ObjectError> {
        let mut running = JoinSet::new();
        for racer in 0..racers {
            let (objects, name) = (self.objects.clone(), name.clone());
            self.counter.put(4);
            running.spawn(async move {
                let body = Bytes::copy_from_slice(&racer.to_le_bytes());
                (racer, objects.put_opts(&name, body.into(), PutMode::Create.into()).await)
            });
        }
        let mut winners = Vec::new();
        for (racer, outcome) in running.join_all().await {
            match outcome {
                Ok(_) => winners.push(racer),
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {}
                Err(cause) => return Err(self.error(&cause)),
            }
        }
        self.counter.get();
        let there = match self.objects.get(name).await {
            Ok(found) => found.bytes().await.map_err(|cause| self.error(&cause))?,
            Err(cause) => return Err(self.error(&cause)),
        };
        Ok(matches!(&winners[..], [winner] if *there == winner.to_le_bytes()))
    }
}
