//! libFuzzer over the target that `FUZZ_TARGET` names; its first inputs are put into `FUZZ_CORPUS` (`scripts/fuzz`).

#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tierlog_fuzz::{TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

fn begin() -> Target {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    let target = TARGETS.into_iter().find(|target| target.name == name).expect("there is such a target");
    if let Some(corpus) = std::env::var_os("FUZZ_CORPUS") {
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(Path::new(&corpus).join(format!("seed-{number}")), seed)
                .expect("a corpus to write to");
        }
    }
    target
}

fuzz_target!(init: { TARGET.get_or_init(begin); }, |data: &[u8]| {
    (TARGET.get_or_init(begin).run)(data);
});
