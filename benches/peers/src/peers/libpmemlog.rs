//! libpmemlog of PMDK, through the system's library. A pool is begun again when it is full: it has nowhere to drain to.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::ffi::OsStrExt;

use super::BOTH;
use crate::peer::{Kind, Outcome, Peer, Place, Split, When, Writer};

const POOL_BYTES: usize = 64 << 20;

pub const SHARED: Kind = Kind {
    name: "libpmemlog",
    about: || format!("{}, one pool of 64 MiB", env!("LIBPMEMLOG_VERSION")),
    on: BOTH,
    when: When::Always,
    by_file: false,
    open,
    read: Some(read),
};

pub const SPLIT: Kind = Kind {
    name: "libpmemlog, a pool each",
    about: || format!("{}, a pool of 64 MiB a thread", env!("LIBPMEMLOG_VERSION")),
    when: When::Threads,
    open: |place| Split::open(place, open),
    read: Some(read_split),
    ..SHARED
};

unsafe extern "C" {
    fn pmemlog_create(path: *const c_char, bytes: usize, mode: c_uint) -> *mut c_void;
    fn pmemlog_open(path: *const c_char) -> *mut c_void;
    fn pmemlog_close(pool: *mut c_void);
    fn pmemlog_append(pool: *mut c_void, from: *const c_void, len: usize) -> c_int;
    fn pmemlog_appendv(pool: *mut c_void, parts: *const c_void, count: c_int) -> c_int;
    fn pmemlog_rewind(pool: *mut c_void);
    fn pmemlog_walk(
        pool: *mut c_void,
        chunk: usize,
        each: extern "C" fn(*const c_void, usize, *mut c_void) -> c_int,
        with: *mut c_void,
    );
    fn pmemlog_errormsg() -> *const c_char;
}

/// An open pool; not null.
struct Pool(*mut c_void);

// SAFETY: the library's calls on a pool may be made from any thread, several at a time (libpmemlog(7)).
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody has it any more.
        unsafe { pmemlog_close(self.0) };
    }
}

fn pool(place: &Place) -> Outcome<Pool> {
    let path = place.dir.join("pool");
    let name = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the name ends with a zero byte and outlives the call.
    let pool = unsafe {
        if path.exists() {
            pmemlog_open(name.as_ptr())
        } else {
            pmemlog_create(name.as_ptr(), POOL_BYTES, 0o600)
        }
    };
    if pool.is_null() { Err(failed().into()) } else { Ok(Pool(pool)) }
}

fn open(place: &Place) -> Outcome<Box<dyn Peer>> {
    Ok(Box::new(pool(place)?))
}

/// What the library says of the calling thread's last failure.
fn failed() -> String {
    // SAFETY: a string that lives until the thread's next call into the library.
    unsafe { CStr::from_ptr(pmemlog_errormsg()) }.to_string_lossy().into_owned()
}

extern "C" fn take(from: *const c_void, len: usize, into: *mut c_void) -> c_int {
    // SAFETY: `into` is the vector of the call below; the library says where its bytes are.
    unsafe { (*into.cast::<Vec<u8>>()).extend_from_slice(std::slice::from_raw_parts(from.cast(), len)) };
    0
}

fn read(place: &Place) -> Outcome<Vec<u8>> {
    let (pool, mut all) = (pool(place)?, Vec::new());
    // SAFETY: the pool is open; the vector outlives the call, and nobody else uses it meanwhile.
    unsafe { pmemlog_walk(pool.0, 0, take, (&raw mut all).cast()) };
    Ok(all)
}

fn read_split(place: &Place) -> Outcome<Vec<u8>> {
    read(&Place { dir: place.dir.join("0"), ..place.clone() })
}

impl Peer for Pool {
    fn writer(&self, _: usize) -> Outcome<Box<dyn Writer + '_>> {
        Ok(Box::new(self))
    }
}

impl Writer for &Pool {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        loop {
            let appended = match records {
                // SAFETY: the pool is open, the record is what it is said to be.
                [one] => unsafe { pmemlog_append(self.0, one.as_ptr().cast(), one.len()) },
                several => {
                    let parts: Vec<IoSlice<'_>> = several.iter().map(|record| IoSlice::new(record)).collect();
                    // SAFETY: as above; an IoSlice is an iovec.
                    unsafe { pmemlog_appendv(self.0, parts.as_ptr().cast(), parts.len() as c_int) }
                }
            };
            if appended == 0 {
                return Ok(());
            }
            if io::Error::last_os_error().kind() != ErrorKind::StorageFull {
                return Err(failed().into());
            }
            // SAFETY: the pool is open.
            unsafe { pmemlog_rewind(self.0) };
        }
    }
}
