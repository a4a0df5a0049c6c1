//! `tierlog doctor`: what an experienced engineer would check by hand before trusting a machine with a log.
//!
//! Contents: `command` (the flags, the report), `finding` (a line of it), `roots` (sysfs and procfs, wherever they are),
//! and what is looked at: `memory` (the tail's), `disk` (the NVMe tier's), `system` (kernel, clock, processors), `near`
//! (distances between them).

mod command;
mod disk;
mod finding;
mod memory;
mod near;
mod roots;
mod system;
#[cfg(test)]
mod tests;

pub(super) use command::{DoctorArgs, run};
