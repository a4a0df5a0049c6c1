//! The table that fills while a run goes on.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use crate::bench::results::{Figure, Latency, Skipped};
use crate::bench::run::Audience;
use crate::cli::ending::Failure;
use crate::cli::figures;
use crate::cli::output;

/// Between two changes of the line that tells progress.
const REFRESH: Duration = Duration::from_millis(200);

/// Rows on standard output; progress on standard error, in place on a terminal, a line for each probe elsewhere.
#[derive(Debug)]
pub(super) struct Table {
    terminal: bool,
    line: String,
    shown: Option<Instant>,
    /// Standard output takes no more.
    pub(super) failure: Option<Failure>,
}

impl Table {
    pub(super) fn new() -> Table {
        let mut table = Table {
            terminal: std::io::stderr().is_terminal(),
            line: String::new(),
            shown: None,
            failure: None,
        };
        table.row(&format!(
            "{:<48}{:<26}{:>9}{:>9}{:>9}{:>9}{:>12}{:>12}{:>8}",
            "", "", "p50", "p99", "p99.9", "max", "", "", "ratio"
        ));
        table
    }

    fn row(&mut self, row: &str) {
        self.clear();
        if let Err(failure) = output::say(row.trim_end()) {
            self.failure.get_or_insert(failure);
        }
    }

    /// Takes the line of progress away, before something else is said.
    pub(super) fn clear(&mut self) {
        if self.terminal && self.shown.take().is_some() {
            output::progress("\r\x1b[K");
        }
    }

    fn show(&mut self, done: f64) {
        if self.terminal && self.shown.is_none_or(|shown| shown.elapsed() >= REFRESH) {
            output::progress(format_args!("\r{} {:3.0}%\x1b[K", self.line, done * 100.0));
            self.shown = Some(Instant::now());
        }
    }
}

impl Audience for Table {
    fn begins(&mut self, nth: usize, of: usize, title: &str, left: Duration) {
        self.line = format!("[{}/{of}] {title}, {} left", nth + 1, time(left));
        if self.terminal {
            self.clear();
            self.show(0.0);
        } else {
            output::tell(&self.line);
        }
    }

    fn progress(&mut self, done: f64) {
        self.show(done);
    }

    fn measured(&mut self, figures: &[Figure]) {
        figures.iter().for_each(|figure| self.row(&row(figure)));
    }

    fn skipped(&mut self, skipped: &Skipped) {
        self.row(&format!("{:<48}not measured: {}", skipped.what, skipped.why));
    }
}

fn row(figure: &Figure) -> String {
    let point = figure.at.to_string();
    let name = if point.is_empty() { figure.what.clone() } else { format!("{}, {point}", figure.what) };
    // What one waits for is what counts, where it is known.
    let latency = figure.response.as_ref().or(figure.latency.as_ref());
    let known = |ns: Option<u64>| ns.map_or(String::new(), figures::duration);
    let at = |of: fn(&Latency) -> Option<u64>| known(latency.and_then(of));
    let per_s = figure.per_s.map_or(String::new(), |speed| format!("{}/s", short(speed.median, "")));
    let bytes = figure.bytes_per_s.map_or(String::new(), |speed| format!("{}/s", short(speed.median, "B")));
    let ratio = figure.ratio.as_ref().map_or(String::new(), |ratio| format!("{:.2}", ratio.value.median));
    format!(
        "{name:<48}{:<26}{:>9}{:>9}{:>9}{:>9}{per_s:>12}{bytes:>12}{ratio:>8}",
        figure.by,
        at(|latency| Some(latency.p50_ns)),
        at(|latency| latency.p99_ns),
        at(|latency| latency.p99_9_ns),
        at(|latency| Some(latency.max_ns)),
    )
}

/// `7.31 M`, `1.20 GB`.
fn short(value: f64, unit: &str) -> String {
    match value {
        _ if value >= 1e9 => format!("{:.2} G{unit}", value / 1e9),
        _ if value >= 1e6 => format!("{:.2} M{unit}", value / 1e6),
        _ if value >= 1e3 => format!("{:.2} k{unit}", value / 1e3),
        _ => format!("{value:.1} {unit}"),
    }
}

/// `1 min 20 s`.
pub(super) fn time(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{} s", time.as_secs_f64().ceil()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}
