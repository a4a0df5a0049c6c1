//! The heap's free memory, given back to the kernel.

/// Gives back what the allocator keeps of freed memory, so that what a process then takes can be seen from outside.
/// Does nothing but on glibc. Up to milliseconds; for measurements.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim takes an integer and touches free memory only, under the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
