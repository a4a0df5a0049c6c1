//! The NVMe tier on an NVMe drive.

use tierlog::{Durability, Log, Medium};
use tierlog_hw_tests::{payloads, require, small, write_and_commit};

#[test]
fn power_is_kept_on_the_drive_and_runs_go_by_io_uring() {
    let dir = require!(nvme).fresh();
    let mut config = small(&dir);
    config.tail.medium = Medium::File;
    let (log, _) = Log::open(config.clone()).unwrap();
    let media = log.media();
    assert!(media.nvme.starts_with("Power by ") && media.nvme.contains("on /dev/nvme"), "{media:?}");
    assert!(media.nvme.ends_with("runs by io_uring"), "{media:?}");
    assert!(media.power.ends_with(&media.nvme), "{media:?}");
    let mut writer = log.writer().unwrap();
    for i in 0..100_u32 {
        write_and_commit(&mut writer, &i.to_le_bytes(), Durability::Power);
    }
    let lane = writer.lane().0 as usize;
    let durable = log.watermarks()[lane].durable;
    assert_eq!(durable, log.watermarks()[lane].published);
    drop(writer);
    log.close().unwrap();
    let (log, _) = Log::open(config).unwrap();
    assert_eq!(payloads(&log).len(), 100);
}
