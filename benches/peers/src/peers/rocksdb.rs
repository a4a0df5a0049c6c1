//! RocksDB's log, through the C interface of the system's library: a key a record, the write durable when it returns.

use std::ffi::{CStr, CString, c_char, c_uchar, c_void};
use std::os::unix::ffi::OsStrExt;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

use super::BOTH;
use crate::peer::{Kind, Outcome, Peer, Place, When, Writer};

pub const KIND: Kind = Kind {
    name: "rocksdb",
    about: || format!("{}, sync=true, pipelined writes", env!("ROCKSDB_VERSION")),
    on: BOTH,
    when: When::Always,
    by_file: true,
    open: |place| Ok(Box::new(open(place)?)),
    read: Some(read),
};

unsafe extern "C" {
    fn rocksdb_options_create() -> *mut c_void;
    fn rocksdb_options_destroy(options: *mut c_void);
    fn rocksdb_options_set_create_if_missing(options: *mut c_void, on: c_uchar);
    fn rocksdb_options_set_enable_pipelined_write(options: *mut c_void, on: c_uchar);
    fn rocksdb_open(options: *const c_void, name: *const c_char, error: *mut *mut c_char) -> *mut c_void;
    fn rocksdb_close(db: *mut c_void);
    fn rocksdb_free(memory: *mut c_void);
    fn rocksdb_writeoptions_create() -> *mut c_void;
    fn rocksdb_writeoptions_destroy(options: *mut c_void);
    fn rocksdb_writeoptions_set_sync(options: *mut c_void, on: c_uchar);
    fn rocksdb_writebatch_create() -> *mut c_void;
    fn rocksdb_writebatch_destroy(batch: *mut c_void);
    fn rocksdb_writebatch_clear(batch: *mut c_void);
    fn rocksdb_writebatch_put(b: *mut c_void, key: *const u8, key_len: usize, value: *const u8, len: usize);
    fn rocksdb_write(db: *mut c_void, options: *const c_void, batch: *mut c_void, error: *mut *mut c_char);
    fn rocksdb_readoptions_create() -> *mut c_void;
    fn rocksdb_readoptions_destroy(options: *mut c_void);
    fn rocksdb_create_iterator(db: *mut c_void, options: *const c_void) -> *mut c_void;
    fn rocksdb_iter_destroy(iterator: *mut c_void);
    fn rocksdb_iter_seek_to_first(iterator: *mut c_void);
    fn rocksdb_iter_valid(iterator: *const c_void) -> c_uchar;
    fn rocksdb_iter_next(iterator: *mut c_void);
    fn rocksdb_iter_value(iterator: *const c_void, len: *mut usize) -> *const u8;
}

/// An open database; not null.
struct Db {
    db: *mut c_void,
    next: AtomicU64,
}

// SAFETY: a database may be used from any thread, several at a time.
unsafe impl Send for Db {}
// SAFETY: as above.
unsafe impl Sync for Db {}

/// What a thread writes with.
struct Turn<'a> {
    db: &'a Db,
    options: *mut c_void,
    batch: *mut c_void,
}

fn open(place: &Place) -> Outcome<Db> {
    let name = CString::new(place.dir.as_os_str().as_bytes())?;
    let mut error = null_mut();
    // SAFETY: the options live until they are destroyed, the name ends with a zero byte and outlives the call.
    let db = unsafe {
        let options = rocksdb_options_create();
        rocksdb_options_set_create_if_missing(options, 1);
        rocksdb_options_set_enable_pipelined_write(options, 1);
        let db = rocksdb_open(options, name.as_ptr(), &mut error);
        rocksdb_options_destroy(options);
        db
    };
    check(error)?;
    Ok(Db { db, next: AtomicU64::new(0) })
}

fn check(error: *mut c_char) -> Outcome<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: a string that the library made and leaves to us.
    let text = unsafe { CStr::from_ptr(error) }.to_string_lossy().into_owned();
    // SAFETY: as above; the text is a copy.
    unsafe { rocksdb_free(error.cast()) };
    Err(text.into())
}

fn read(place: &Place) -> Outcome<Vec<u8>> {
    let (db, mut all) = (open(place)?, Vec::new());
    // SAFETY: database, options and iterator live until they are destroyed; a value lives until the iterator moves.
    unsafe {
        let options = rocksdb_readoptions_create();
        let iterator = rocksdb_create_iterator(db.db, options);
        rocksdb_iter_seek_to_first(iterator);
        while rocksdb_iter_valid(iterator) != 0 {
            let mut len = 0;
            let value = rocksdb_iter_value(iterator, &mut len);
            all.extend_from_slice(std::slice::from_raw_parts(value, len));
            rocksdb_iter_next(iterator);
        }
        rocksdb_iter_destroy(iterator);
        rocksdb_readoptions_destroy(options);
    }
    Ok(all)
}

impl Drop for Db {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody has it any more.
        unsafe { rocksdb_close(self.db) };
    }
}

impl Peer for Db {
    fn writer(&self, _: usize) -> Outcome<Box<dyn Writer + '_>> {
        // SAFETY: both are destroyed with the writer, and used by it alone.
        unsafe {
            let options = rocksdb_writeoptions_create();
            rocksdb_writeoptions_set_sync(options, 1);
            Ok(Box::new(Turn { db: self, options, batch: rocksdb_writebatch_create() }))
        }
    }
}

impl Writer for Turn<'_> {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        // SAFETY: the batch is ours.
        unsafe { rocksdb_writebatch_clear(self.batch) };
        for record in records {
            let key = self.db.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            // SAFETY: the batch is ours, and copies what it is given.
            unsafe {
                rocksdb_writebatch_put(self.batch, key.as_ptr(), key.len(), record.as_ptr(), record.len());
            }
        }
        let mut error = null_mut();
        // SAFETY: all three are open, and outlive the call.
        unsafe { rocksdb_write(self.db.db, self.options, self.batch, &mut error) };
        check(error)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // SAFETY: made with the writer, used by nobody any more.
        unsafe {
            rocksdb_writebatch_destroy(self.batch);
            rocksdb_writeoptions_destroy(self.options);
        }
    }
}
