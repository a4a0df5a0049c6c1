//! Reading back: every frame is copied out of the tail and its checksum verified. One pass over 16 MiB of frames.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tierlog::{Cut, Durability, Log};
use tierlog_benches::emulated;

const RING_BYTES: u64 = 64 << 20;
const FRAME_BYTES: u64 = 16 << 20;

fn passes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read and verify");
    group.sample_size(10);
    for size in [32_usize, 64, 256, 1024, 4096] {
        let dir = tempfile::tempdir_in("/dev/shm").expect("a directory in /dev/shm");
        let (log, _) = Log::open(emulated::config(&dir.path().join("log"), RING_BYTES)).expect("a new log");
        let mut writer = log.writer().expect("the only writer");
        let frame = (32 + size).next_multiple_of(64) as u64;
        let records = FRAME_BYTES / frame;
        for _ in 0..records {
            writer.append(7, &vec![0x5a; size]).expect("room");
            writer.commit(Durability::Power).expect("a commit");
        }
        let lane = writer.lane();
        group.throughput(Throughput::Bytes(records * frame));
        group.bench_function(BenchmarkId::new("one lane", size), |bencher| {
            bencher.iter(|| {
                let mut reader = log.lane(lane, None).expect("a reader");
                let mut seen = 0;
                while reader.next().expect("a record").is_some() {
                    seen += 1;
                }
                assert_eq!(seen, records);
            });
        });
        group.bench_function(BenchmarkId::new("merged", size), |bencher| {
            bencher.iter(|| {
                let mut reader = log.reader(&Cut::start()).expect("a reader");
                let mut seen = 0;
                while reader.next().expect("a record").is_some() {
                    seen += 1;
                }
                assert_eq!(seen, records);
            });
        });
        drop(writer);
        log.close().expect("a clean end");
    }
    group.finish();
}

criterion_group!(benches, passes);
criterion_main!(benches);
