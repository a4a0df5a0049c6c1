//! Words shared between processes: a small mapped file of `AtomicU64`.
//!
//! A [`Page`] is written by its creator; a [`PageView`] of it, in another process, can only load. What the words mean
//! is the caller's, who also stamps them so that a view knows a page of an earlier time. Neither survives power loss.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::tail::map::{Access, Map};
use crate::tail::{Fault, MapError, file};

/// Most words a page can have: 1 GiB of them.
pub const WORDS_MAX: usize = 1 << 27;

/// A word that others can see.
pub type Word = AtomicU64;

/// Words that others can see.
///
/// Stores and loads are plain moves. If somebody truncates the file the words stay usable by this process, views no
/// longer see them, and [`fault`](Page::fault) says so.
#[derive(Debug)]
pub struct Page {
    map: Map,
    path: String,
}

impl Page {
    /// Creates the file, or takes over what lies there, with mode 0600 and every word 0.
    ///
    /// It takes no lock: whoever owns the log owns the page. A view that is open sees the zeros. The mapping is guarded
    /// against SIGBUS.
    ///
    /// # Errors
    /// [`MapError`].
    ///
    /// # Panics
    /// If `words` is 0 or more than [`WORDS_MAX`].
    pub fn create(path: impl AsRef<Path>, words: usize) -> Result<Page, MapError> {
        let (path, len) = (path.as_ref(), bytes(words));
        let file = match file::create(path) {
            Err(MapError::Exists { .. }) => file::open(path, true)?,
            created => created?,
        };
        file::make_private(&file, path)?;
        // Not truncated to nothing first: that would take the memory from under open views.
        let sized = file.set_len(len as u64).and_then(|()| file::zero(&file, len as u64));
        sized.map_err(|e| MapError::new(path, "write zeros to", e))?;
        let map =
            Map::file(&file, len, 1, 1, Access::Write, true).map_err(|e| MapError::new(path, "map", e))?;
        Ok(Page { map, path: path.display().to_string() })
    }

    /// Words of this process alone, without a file.
    ///
    /// # Errors
    /// [`MapError::Full`] without memory.
    ///
    /// # Panics
    /// As for [`create`](Page::create).
    pub fn heap(words: usize) -> Result<Page, MapError> {
        let name = "memory";
        let map = Map::heap(bytes(words)).map_err(|e| MapError::new(Path::new(name), "allocate", e))?;
        Ok(Page { map, path: name.into() })
    }

    /// The words: index 8n starts a cache line.
    #[inline]
    pub fn words(&self) -> &[Word] {
        self.map.words()
    }

    /// Whether some word has lost its memory: what was stored since may be seen by nobody else.
    #[inline]
    pub fn fault(&self) -> Option<Fault> {
        self.map.faults().first().map(|at| Fault { path: self.path.clone(), at })
    }
}

/// The words of another process's [`Page`], to be loaded only.
#[derive(Debug)]
pub struct PageView {
    map: Map,
    path: String,
}

impl PageView {
    /// Maps the page as long as it is now. Guarded against SIGBUS.
    ///
    /// # Errors
    /// [`MapError`]; `Foreign` for what is no file of whole words.
    pub fn open(path: impl AsRef<Path>) -> Result<PageView, MapError> {
        let path = path.as_ref();
        let file = file::open(path, false)?;
        let len = file.metadata().map_err(|e| MapError::new(path, "stat", e))?.len();
        if len == 0 || !len.is_multiple_of(8) || len > bytes(WORDS_MAX) as u64 {
            return Err(MapError::foreign(path, "not a page of whole words"));
        }
        let map = Map::file(&file, len as usize, 1, 1, Access::Read, true);
        let map = map.map_err(|e| MapError::new(path, "map", e))?;
        Ok(PageView { map, path: path.display().to_string() })
    }

    /// How many words there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.map.len() / 8
    }

    /// Never true: an empty page is refused.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One word.
    ///
    /// # Panics
    /// If there is no such word, or `order` is none for loads.
    #[inline]
    pub fn load(&self, word: usize, order: Ordering) -> u64 {
        self.map.words()[word].load(order)
    }

    /// Whether some word has lost its memory: what was loaded since means nothing.
    #[inline]
    pub fn fault(&self) -> Option<Fault> {
        self.map.faults().first().map(|at| Fault { path: self.path.clone(), at })
    }
}

/// Length in bytes of so many words.
fn bytes(words: usize) -> usize {
    assert!((1..=WORDS_MAX).contains(&words), "a page of {words} words");
    words * 8
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

    use super::*;

    fn path(dir: &tempfile::TempDir) -> std::path::PathBuf {
        dir.path().join("page")
    }

    #[test]
    fn a_view_sees_the_words() {
        for dir in [tempfile::tempdir_in("/dev/shm").unwrap(), tempfile::tempdir().unwrap()] {
            let page = Page::create(path(&dir), 1000).unwrap();
            let view = PageView::open(path(&dir)).unwrap();
            assert_eq!((page.words().len(), view.len()), (1000, 1000));
            page.words()[999].store(7, Release);
            assert_eq!((view.load(999, Acquire), view.load(0, Relaxed)), (7, 0));
            assert!(page.words().as_ptr().addr().is_multiple_of(64));
            let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(path(&dir)).unwrap());
            assert_eq!(mode & 0o7777, 0o600);

            let longer = Page::create(path(&dir), 2000).unwrap();
            assert_eq!(view.load(999, Acquire), 0, "zeroed under the view, not taken away");
            longer.words()[5].store(1, Release);
            assert_eq!(view.load(5, Acquire), 1);
            assert_eq!((page.fault(), view.fault()), (None, None));
            assert_eq!(PageView::open(path(&dir)).unwrap().len(), 2000);
        }
    }

    #[test]
    fn without_a_file() {
        let page = Page::heap(3).unwrap();
        page.words()[2].store(1, Relaxed);
        assert_eq!((page.words().len(), page.words()[0].load(Relaxed)), (3, 0));
        assert!(page.words().as_ptr().addr().is_multiple_of(64));
    }

    #[test]
    fn truncation_kills_nobody() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let page = Page::create(path(&dir), 2048).unwrap();
        let view = PageView::open(path(&dir)).unwrap();
        std::fs::File::options().write(true).open(path(&dir)).unwrap().set_len(4096).unwrap();
        page.words()[600].store(9, Release);
        assert_eq!(page.words()[600].load(Acquire), 9, "usable here");
        assert_eq!(page.fault().map(|f| f.at), Some(4096));
        assert_eq!(view.load(0, Acquire), 0);
        assert_eq!(view.fault(), None);
        assert_eq!(view.load(1024, Acquire), 0);
        assert_eq!(view.fault().map(|f| f.at), Some(8192));
    }

    #[test]
    fn what_is_no_page_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(PageView::open(path(&dir)), Err(MapError::Missing { .. })));
        for bytes in [0, 12] {
            std::fs::write(path(&dir), vec![0; bytes]).unwrap();
            assert!(matches!(PageView::open(path(&dir)), Err(MapError::Foreign { .. })), "{bytes}");
        }
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(path(&dir), &link).unwrap();
        assert!(matches!(Page::create(&link, 8), Err(MapError::Foreign { .. })));
        assert!(matches!(PageView::open(&link), Err(MapError::Foreign { .. })));
        assert!(matches!(Page::create(dir.path(), 8), Err(MapError::Foreign { .. })));
    }
}
