//! Append + commit by size, on an emulated tail: the library's own cost beside the write-back.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tierlog::{Durability, Log};
use tierlog_benches::emulated;

const RING_BYTES: u64 = 64 << 20;

fn sizes(criterion: &mut Criterion) {
    println!("{}", emulated::SURVIVES);
    let mut group = criterion.benchmark_group("emulated");
    for size in [0, 32, 64, 256, 1024, 4096, 16384] {
        let dir = tempfile::tempdir_in("/dev/shm").expect("a directory in /dev/shm");
        let (log, _) = Log::open(emulated::config(&dir.path().join("log"), RING_BYTES)).expect("a new log");
        let mut writer = log.writer().expect("the only writer");
        let payload = vec![0x5a; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("append", size), |bencher| {
            // Batches of 64, so that the commit is a small part.
            let mut open = 0;
            bencher.iter(|| {
                writer.append(7, &payload).expect("room");
                open += 1;
                if open % 64 == 0 {
                    writer.commit(Durability::Power).expect("a commit");
                }
            });
            writer.commit(Durability::Power).expect("a commit");
        });
        group.bench_function(BenchmarkId::new("append + commit", size), |bencher| {
            bencher.iter(|| {
                writer.append(7, &payload).expect("room");
                writer.commit(Durability::Power).expect("a commit")
            });
        });
        drop(writer);
        log.close().expect("a clean end");
    }
    group.finish();
}

criterion_group!(benches, sizes);
criterion_main!(benches);
