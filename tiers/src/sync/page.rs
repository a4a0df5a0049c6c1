//! The page of a model checker: words whose every access it sees, in no file.

use std::path::Path;
use std::sync::atomic::Ordering;

use crate::tail::{Fault, MapError};

/// A word that others can see.
#[cfg(loom)]
pub use crate::sync::word::Word;
/// A word that others can see.
#[cfg(shuttle)]
pub type Word = crate::sync::atomic::AtomicU64;

/// Words of this process alone.
#[derive(Debug)]
pub struct Page(Box<[Word]>);

impl Page {
    /// As [`heap`](Page::heap).
    ///
    /// # Errors
    /// None.
    pub fn create(_: impl AsRef<Path>, words: usize) -> Result<Page, MapError> {
        Page::heap(words)
    }

    /// Words of this process alone.
    ///
    /// # Errors
    /// None.
    pub fn heap(words: usize) -> Result<Page, MapError> {
        Ok(Page((0..words).map(|_| Word::default()).collect()))
    }

    /// The words.
    pub fn words(&self) -> &[Word] {
        &self.0
    }

    /// Memory is not lost here.
    pub fn fault(&self) -> Option<Fault> {
        None
    }
}

/// Another process's page: there is none.
#[derive(Debug)]
pub struct PageView(Page);

impl PageView {
    /// Finds none.
    ///
    /// # Errors
    /// [`MapError::Missing`].
    pub fn open(path: impl AsRef<Path>) -> Result<PageView, MapError> {
        Err(MapError::Missing { path: path.as_ref().display().to_string() })
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.0.words().len()
    }

    /// Never true.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One word.
    pub fn load(&self, word: usize, order: Ordering) -> u64 {
        self.0.words()[word].load(order)
    }

    /// Memory is not lost here.
    pub fn fault(&self) -> Option<Fault> {
        None
    }
}
