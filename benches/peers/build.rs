//! Links the system's libraries, and tells their versions to the code.

fn main() {
    for (library, variable) in [("libpmemlog", "LIBPMEMLOG_VERSION"), ("rocksdb", "ROCKSDB_VERSION")] {
        let found = pkg_config::probe_library(library).unwrap_or_else(|error| {
            panic!("{library} (Debian: libpmemlog-dev, librocksdb-dev; scripts/peers installs them): {error}")
        });
        println!("cargo:rustc-env={variable}={}", found.version);
    }
}
