//! Flags, configuration, help, completions and manual.

use crate::tierlog::{Place, run, tierlog};

const COMMANDS: [&str; 18] = [
    "append",
    "cat",
    "follow",
    "info",
    "ls",
    "dump",
    "verify",
    "mark",
    "slot",
    "checkpoint",
    "repair",
    "restore",
    "probe-store",
    "bench",
    "demo",
    "doctor",
    "completions",
    "man",
];

const SUBCOMMANDS: [[&str; 2]; 6] = [
    ["bench", "compare"],
    ["bench", "report"],
    ["slot", "list"],
    ["slot", "create"],
    ["slot", "advance"],
    ["slot", "drop"],
];

#[test]
fn a_wrong_configuration_names_file_and_line() {
    let place = Place::new();
    let file = place.path("log.toml");
    let refused = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let ran = run(tierlog().args(["info", "--config"]).arg(&file), b"");
        ran.refused(2, "log.toml: ");
        ran
    };
    let unknown = refused("dir = \"here\"\n[tail]\nlanes = 4\nlane = 5\n");
    unknown.refused(2, "line 4");
    unknown.refused(2, "unknown field `lane`");
    refused("lead_ms_max = \"soon\"\n").refused(2, "line 1");
    refused("[tail\n").refused(2, "line 1");
    run(tierlog().args(["info", "--config", "no such file"]), b"").refused(2, "no such file: ");
}

#[test]
fn flags_win_over_the_file_and_the_environment_names_the_directory() {
    let place = Place::new();
    place.append(&["--lanes", "2", "--segments", "5"], b"one\n").done();
    let info = run(tierlog().args(["info", "--json"]).env("TIERLOG_DIR", place.path("log")), b"").json();
    assert_eq!((info["lanes"].as_array().unwrap().len(), &info["tail_segments_per_lane"]), (2, &5.into()));
    // Fixed since the log was made; the file says 4 segments.
    place.append(&["--lanes", "2"], b"two\n").refused(2, "tail.segments is 5 since the log was made");
    place.append(&["--segment-bytes", "3000"], b"").refused(2, "tail.segment");
}

#[test]
fn what_reads_makes_no_log() {
    let place = Place::new();
    for command in ["cat", "follow", "info", "verify"] {
        place.run(&[command]).refused(2, "there is no log here");
        assert!(!place.path("log").exists(), "{command}");
    }
}

#[test]
fn a_wrong_command_line_is_status_2() {
    for args in [
        &[][..],
        &["eat"],
        &["cat", "--no-such-flag"],
        &["append", "--batch", "0"],
        &["completions", "abacus"],
    ] {
        assert_eq!(run(tierlog().args(args), b"").code, Some(2), "{args:?}");
    }
    run(tierlog().args(["man", "eat"]), b"").refused(2, "no command \"eat\"");
    run(tierlog().args(["info", "--emulated", "--medium", "file"]), b"").refused(2, "cannot be used with");
}

#[test]
fn help_has_examples_and_the_manual_every_command() {
    let help = run(tierlog().arg("--help"), b"").text();
    assert!(help.contains("Examples:") && help.contains("Exit status: 0 done"), "{help}");
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
        let help = run(tierlog().args([command, "--help"]), b"").text();
        assert!(help.contains("Examples:") && help.contains(&format!("  tierlog {command}")), "{help}");
        let page = run(tierlog().args(["man", command]), b"").text();
        assert!(page.contains(&format!(".TH tierlog-{command} 1")) && page.contains("Examples:"), "{page}");
    }
    for [command, subcommand] in SUBCOMMANDS {
        let help = run(tierlog().args([command, subcommand, "--help"]), b"").text();
        let example = format!("  tierlog {command} {subcommand}");
        assert!(help.contains("Examples:") && help.contains(&example), "{help}");
    }
    let page = run(tierlog().arg("man"), b"").text();
    assert!(page.contains(".TH tierlog 1") && page.contains("tierlog\\-append(1)"), "{page}");
}

#[test]
fn completions_know_commands_and_flags() {
    for (shell, says) in
        [("bash", "complete -F _tierlog"), ("zsh", "#compdef tierlog"), ("fish", "complete -c tierlog")]
    {
        let script = run(tierlog().args(["completions", shell]), b"").text();
        assert!(script.contains(says), "{shell}");
        for word in COMMANDS.iter().chain(&["lanes-used", "accept-loss", "emulated"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn verbose_tells_on_standard_error_only() {
    let place = Place::new();
    let ran = place.append(&["-v", "--json"], b"one\n");
    assert!(ran.err.contains("log opened"), "{}", ran.err);
    assert_eq!(ran.json()["records"], 1);
    assert_eq!(place.append(&[], b"two\n").err, "");
}
