//! Profiles and job files: which kinds of measurement, at which points, for how long. One format for both: the profiles are
//! job files that come with the program.

use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::bench::kinds::{self, GROUPS};
use crate::bench::probe::Pace;
use crate::bench::results::Group;
use crate::bench::sweep::{Sweep, one_or_more};

/// Names of the profiles, and the job files behind them.
pub const PROFILES: [(&str, &str); 3] = [
    ("quick", include_str!("quick.toml")),
    ("standard", include_str!("standard.toml")),
    ("full", include_str!("full.toml")),
];

/// One `[[job]]`.
#[derive(Debug, Clone)]
pub struct Job {
    /// Part of the suite.
    pub group: Group,
    /// What of it is measured.
    pub whats: Vec<&'static str>,
    /// How long.
    pub pace: Pace,
    /// At which points.
    pub sweep: Sweep,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    time: Option<Spanned<String>>,
    runs: Option<u32>,
    #[serde(default)]
    job: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    group: Spanned<String>,
    what: Option<Spanned<Names>>,
    time: Option<Spanned<String>>,
    runs: Option<u32>,
    #[serde(default)]
    sweep: Sweep,
}

#[derive(Debug, Deserialize)]
struct Names(#[serde(deserialize_with = "one_or_more")] Vec<String>);

/// Reads a job file.
///
/// # Errors
/// A sentence with line and column.
pub fn parse(text: &str) -> Result<Vec<Job>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_string())?;
    let time = file.time.as_ref().map(|time| duration(text, time)).transpose()?;
    let jobs =
        file.job.iter().map(|entry| entry.job(text, time, file.runs)).collect::<Result<Vec<_>, _>>()?;
    if jobs.is_empty() { Err("no [[job]] in it".into()) } else { Ok(jobs) }
}

impl Entry {
    fn job(&self, text: &str, time: Option<Duration>, runs: Option<u32>) -> Result<Job, String> {
        let names: Vec<&str> = GROUPS.iter().map(|(_, name)| *name).collect();
        let group = GROUPS.iter().find(|(_, name)| name == self.group.get_ref()).map(|(group, _)| *group);
        let group = group.ok_or_else(|| unknown(text, &self.group, self.group.get_ref(), "group", &names))?;
        let known = kinds::kinds(group);
        let all: Vec<&'static str> = known.iter().map(|kind| kind.what).collect();
        let mut whats = Vec::new();
        for asked in self.what.iter() {
            for name in &asked.get_ref().0 {
                let kind = known.iter().find(|kind| kind.what == name);
                whats.push(kind.ok_or_else(|| unknown(text, asked, name, "measurement", &all))?.what);
            }
        }
        let own = self.time.as_ref().map(|time| duration(text, time)).transpose()?;
        let pace = Pace {
            time: own.or(time).unwrap_or(Duration::from_secs(1)),
            runs: self.runs.or(runs).unwrap_or(5).max(1),
        };
        let whats = if whats.is_empty() { all } else { whats };
        Ok(Job { group, whats, pace, sweep: self.sweep.clone() })
    }
}

fn unknown<T>(text: &str, at: &Spanned<T>, name: &str, what: &str, known: &[&str]) -> String {
    format!("{}: {name:?} is no {what}: {}", place(text, at), known.join(", "))
}

fn place<T>(text: &str, value: &Spanned<T>) -> String {
    let before = text.get(..value.span().start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}

fn duration(text: &str, value: &Spanned<String>) -> Result<Duration, String> {
    parse_duration(value.get_ref()).map_err(|why| format!("{}: {why}", place(text, value)))
}

/// `250ms`, `1.5s`, `2min`.
///
/// # Errors
/// A sentence.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: write 250ms, 1.5s or 2min");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "ms" => 1e-3,
        "s" => 1.0,
        "min" => 60.0,
        _ => return Err(wrong()),
    };
    let seconds = digits.parse::<f64>().map_err(|_| wrong())? * factor;
    if !(0.001..=86_400.0).contains(&seconds) {
        return Err(format!("{text:?}: a time between 1ms and a day"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profiles_are_job_files() {
        for (name, text) in PROFILES {
            let jobs = parse(text).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert!(jobs.iter().all(|job| !job.whats.is_empty()), "{name}");
        }
    }

    #[test]
    fn a_job_file_may_say_one_or_many() {
        let text = "time = \"250ms\"\nruns = 3\n[[job]]\ngroup = \"engine\"\nwhat = \"commit\"\nruns = 9\n\
                    sweep = { size_bytes = 64, level = [\"power\", \"process\"] }\n";
        let jobs = parse(text).unwrap();
        let Job { whats, pace, sweep, .. } = &jobs[0];
        assert_eq!(
            (whats.as_slice(), pace.time, pace.runs),
            (&["commit"][..], Duration::from_millis(250), 9)
        );
        assert_eq!((sweep.size_bytes.as_slice(), sweep.level.len()), (&[64][..], 2));
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_column() {
        for (text, says) in [
            ("[[job]]\ngroup = \"engin\"\n", "line 2, column 9: \"engin\" is no group: "),
            (
                "[[job]]\ngroup = \"engine\"\nwhat = [\"comit\"]\n",
                "line 3, column 8: \"comit\" is no measurement",
            ),
            ("time = \"5\"\n[[job]]\ngroup = \"engine\"\n", "line 1, column 8: \"5\" is no time"),
            ("[[job]]\ngroup = \"engine\"\nsize = 64\n", "line 3, column 1"),
            ("[[job]]\ngroup = \"engine\"\n[job.sweep]\nsize_bytes = [64, -1]\n", "line 4, column 19"),
            ("[[job]]\ngroup = \"engine\"\nsweep.threads = \"two\"\n", "line 3, column 17"),
            ("time = \"1s\"\n", "no [[job]]"),
            ("[[job]\n", "line 1"),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.contains(says), "{text:?}: {why}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("2min"), Ok(Duration::from_secs(120)));
        for text in ["", "s", "5", "0ms", "-1s", "nans", "1e9min", "1h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
