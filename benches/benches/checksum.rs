//! The frames' checksum against the crate that it falls back on.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tierlog_tiers::checksum::Crc32c;

fn sizes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("crc32c");
    for size in [32, 64, 128, 256, 512, 1024, 4096, 65536] {
        let bytes = vec![0x5a_u8; size];
        let seed = Crc32c::new();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("tierlog", size), |bencher| {
            bencher.iter(|| seed.bytes(black_box(&bytes)).finish());
        });
        group.bench_function(BenchmarkId::new("crate crc32c", size), |bencher| {
            bencher.iter(|| crc32c::crc32c(black_box(&bytes)));
        });
    }
    group.finish();
}

criterion_group!(benches, sizes);
criterion_main!(benches);
