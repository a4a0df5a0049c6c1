//! Requests and bytes: what a store's bill is made of.

use std::sync::atomic::{AtomicU64, Ordering};

/// Requests to a store, and the bytes that they carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Writing requests: whole objects, and each step of one written in parts.
    pub puts: u64,
    /// Reading requests.
    pub gets: u64,
    /// Listing requests.
    pub lists: u64,
    /// Deleting requests.
    pub deletes: u64,
    /// Bytes of objects sent, again when sent again.
    pub bytes_sent: u64,
    /// Bytes of objects received.
    pub bytes_received: u64,
}

/// Counts as requests are made, on any thread.
#[derive(Debug, Default)]
pub struct Counter {
    puts: AtomicU64,
    gets: AtomicU64,
    lists: AtomicU64,
    deletes: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
}

impl Counter {
    /// A writing request of `bytes`.
    pub fn put(&self, bytes: usize) {
        self.puts.fetch_add(1, Ordering::Relaxed);
        self.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A reading request.
    pub fn get(&self) {
        self.gets.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes that came back.
    pub fn received(&self, bytes: usize) {
        self.bytes_received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A listing request.
    pub fn list(&self) {
        self.lists.fetch_add(1, Ordering::Relaxed);
    }

    /// A deleting request.
    pub fn delete(&self) {
        self.deletes.fetch_add(1, Ordering::Relaxed);
    }

    /// The sums so far.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            puts: read(&self.puts),
            gets: read(&self.gets),
            lists: read(&self.lists),
            deletes: read(&self.deletes),
            bytes_sent: read(&self.bytes_sent),
            bytes_received: read(&self.bytes_received),
        }
    }
}
