//! `bench`, as small as it gets.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::tierlog::{Place, Ran, run, tierlog};

/// Two kinds at one point each, for a moment.
const JOB: &str = "\
time = \"20ms\"
runs = 2

[[job]]
group = \"engine\"
what = [\"commit\", \"recover\", \"memory\"]
sweep.size_bytes = 64
sweep.total_bytes = 1048576
";

fn bench(place: &Place, args: &[&str]) -> Ran {
    run(command(place).args(args), b"")
}

fn command(place: &Place) -> Command {
    let mut command = tierlog();
    std::fs::write(place.path("job.toml"), JOB).unwrap();
    command.arg("bench").current_dir(place.path(""));
    command
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_run_is_kept_and_is_the_same_as_itself() {
    let place = Place::new();
    let here = ["--tail", ".", "--nvme", "."];
    let text = bench(&place, &[&["job.toml", "--out", "kept"], &here[..]].concat()).text();
    assert!(
        text.contains("EMULATED") && text.contains("commit, 64 B") && text.contains("raw loop"),
        "{text}"
    );
    let kept = place.path("kept");
    let results = json(&kept.join("results.json"));
    assert_eq!(results["schema"], "tierlog-bench/1");
    assert!(results["skipped"].as_array().unwrap().is_empty(), "{results:#}");
    let figures = results["figures"].as_array().unwrap();
    let ours = figures.iter().find(|figure| figure["by"] == "tierlog").unwrap();
    assert_eq!(
        (&ours["what"], &ours["size_bytes"], &ours["runs"]),
        (&"commit".into(), &64.into(), &2.into())
    );
    assert!(ours["latency"]["p50_ns"].as_u64() > Some(0) && ours["ratio"]["to"] == "raw loop", "{ours:#}");
    assert!(figures.iter().any(|figure| figure["by"] == "tierlog, scan"), "{results:#}");
    let memory = figures.iter().find(|figure| figure["what"] == "memory").unwrap();
    assert!(memory["counted"]["peak_bytes"].as_f64() > memory["counted"]["own_bytes"].as_f64(), "{memory:#}");
    let verdict = results["verdict"].as_array().unwrap();
    assert!(verdict.iter().any(|said| said.as_str().unwrap().contains("times the raw loop")), "{verdict:?}");
    let csv = std::fs::read_to_string(kept.join("results.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + figures.len());
    let page = std::fs::read_to_string(kept.join("report.html")).unwrap();
    assert!(page.contains("EMULATED") && page == bench(&place, &["report", "kept"]).text());
    let fio = std::fs::read_to_string(kept.join("equivalent.fio")).unwrap();
    assert!(fio.contains("\n[commit raw loop 64 B]\n") && fio.contains("ioengine=libpmem"), "{fio}");
    // What was made on the media is gone.
    let left = std::fs::read_dir(place.path("")).unwrap().flatten();
    assert!(
        !left.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with("tierlog-bench-"))
    );
    // Nothing is overwritten.
    bench(&place, &[&["job.toml", "--out", "kept"], &here[..]].concat()).refused(1, "kept");

    let same = bench(&place, &["compare", "kept", "kept/results.json"]).text();
    assert!(same.contains("0 better, 0 worse"), "{same}");
    let mut slower = results.clone();
    for figure in slower["figures"].as_array_mut().unwrap() {
        for of in ["min", "median", "max"] {
            if let Some(value) = figure.pointer_mut(&format!("/ratio/value/{of}")) {
                *value = (value.as_f64().unwrap() * 100.0).into();
            }
        }
    }
    slower["machine"]["host"] = "another".into();
    std::fs::write(place.path("slower.json"), slower.to_string()).unwrap();
    let compared = bench(&place, &["compare", "kept", "slower.json"]);
    assert_eq!(compared.code, Some(3));
    let text = String::from_utf8(compared.out).unwrap();
    assert!(text.contains("WORSE") && text.contains("WARNING: the host differs"), "{text}");
}

#[test]
fn a_dry_run_says_what_it_takes_and_does_nothing() {
    let place = Place::new();
    let text = bench(&place, &["full", "--dry-run", "--tail", ".", "--nvme", "."]).text();
    assert!(text.contains("measurements, about") && text.contains("MiB to the tail's medium"), "{text}");
    assert!(!place.path("bench-results").exists());
    let listed = bench(&place, &["--list"]).text();
    assert!(listed.contains("engine/commit") && listed.contains("engine/recover"), "{listed}");
    let job = bench(&place, &["--print-job", "quick"]).text();
    std::fs::write(place.path("quick.toml"), job).unwrap();
    bench(&place, &["quick.toml", "--dry-run"]).done();
}

#[test]
fn a_wrong_job_file_is_told_with_its_place() {
    let place = Place::new();
    std::fs::write(place.path("wrong.toml"), "[[job]]\ngroup = \"engine\"\nwhat = \"comit\"\n").unwrap();
    bench(&place, &["wrong.toml"]).refused(2, "line 3, column 8: \"comit\" is no measurement");
    bench(&place, &["quick", "--only", "engine/nothing"]).refused(2, "--list");
    bench(&place, &["quickly"]).refused(2, "neither quick");
    // A character device, as a region of device DAX is.
    bench(&place, &["quick", "--dry-run", "--tail", "/dev/null"]).refused(1, "ndctl");
    bench(&place, &["compare", "job.toml", "job.toml"]).refused(1, "job.toml");
}
