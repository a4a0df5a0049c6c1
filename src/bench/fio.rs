//! The same measurements for fio (<https://fio.readthedocs.io>), to check ours against: a job for each way to write to the NVMe
//! tier's medium, and for stores to the tail by libpmem.

use std::path::Path;

use super::results::{Figure, Results};

/// Of each job.
const SECONDS: u32 = 2;
const FILE: &str = "size=64m\noverwrite=1\nunlink=1";

/// A job file, or nothing where no figure has an equivalent.
pub fn jobs(results: &Results) -> Option<String> {
    let dir = |medium: &str| {
        let path = &results.machine.media.iter().find(|found| found.name == medium)?.path;
        Some(Path::new(path).parent()?.display().to_string())
    };
    let (nvme, tail) = (dir("nvme"), dir("tail"));
    let mut jobs = String::new();
    for figure in &results.figures {
        let body = match figure.medium.as_str() {
            "nvme" => nvme.as_ref().and_then(|dir| write(figure, dir)),
            "tail" => tail.as_ref().and_then(|dir| store(figure, dir)),
            _ => None,
        };
        if let Some(body) = body {
            let section = format!("{} {} {}", figure.what, figure.by, figure.at).replace(['[', ']', ','], "");
            jobs += &format!("\n[{}]\n{body}\n", section.trim_end());
        }
    }
    let emulated = results.machine.media.iter().any(|medium| medium.emulated);
    let force = if emulated { "PMEM_IS_PMEM_FORCE=1 " } else { "" };
    (!jobs.is_empty()).then(|| {
        format!(
            "; {force}fio FILE [--section='NAME']\n[global]\ntime_based=1\nruntime={SECONDS}\nrw=write\n\
             group_reporting=1\nstonewall\n{jobs}"
        )
    })
}

/// A way to write, by its name.
fn write(figure: &Figure, dir: &str) -> Option<String> {
    let size = figure.at.size_bytes?.next_multiple_of(4096);
    let (depth, threads) = (figure.at.depth.unwrap_or(1), figure.at.threads.unwrap_or(1));
    let by = figure.by.as_str();
    let engine = match by {
        _ if by.starts_with("pwrite") => format!("ioengine=psync\nnumjobs={}", threads * depth),
        _ if by.starts_with("io_uring") => {
            let registered = if by.contains("registered") { "\nfixedbufs=1\nregisterfiles=1" } else { "" };
            let polled = if by.contains("polled") { "\nhipri=1" } else { "" };
            format!("ioengine=io_uring\niodepth={depth}\nnumjobs={threads}{registered}{polled}")
        }
        _ => return None,
    };
    let durable = match by {
        _ if by.contains("DSYNC") => "\nsync=dsync",
        _ if by.contains("fdatasync") => "\nfdatasync=1",
        _ => "",
    };
    Some(format!("directory={dir}\n{FILE}\n{engine}\ndirect=1\nbs={size}{durable}"))
}

/// A raw loop over the tail: libpmem chooses its instructions itself.
fn store(figure: &Figure, dir: &str) -> Option<String> {
    let (size, threads) = (figure.at.size_bytes?, figure.at.threads.unwrap_or(1));
    let raw = figure.by == super::engine::RAW
        && figure.at.batch.is_none_or(|batch| batch == 1)
        && figure.at.rate_per_s.is_none();
    let bytes = super::engine::place::frame_bytes(size);
    raw.then(|| {
        format!("directory={dir}\n{FILE}\nioengine=libpmem\nnumjobs={threads}\niodepth=1\ndirect=1\nsync=1\nbs={bytes}")
    })
}
