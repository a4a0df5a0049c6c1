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
    /// Medium, promise and runs of the rows above.
    heading: String,
    /// Standard output takes no more.
    pub(super) failure: Option<Failure>,
}

impl Table {
    pub(super) fn new() -> Table {
        let terminal = std::io::stderr().is_terminal();
        let mut table =
            Table { terminal, line: String::new(), shown: None, heading: String::new(), failure: None };
        table.row(&columns(
            "",
            "",
            ["p50", "p99", "p99.9", "max"].map(String::from),
            ["", "spread", "ratio"].map(String::from),
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
        for figure in figures {
            let heading = format!("{}: {}; runs: {}", figure.medium, figure.promise, figure.runs);
            if heading != self.heading {
                self.row(&heading);
                self.heading = heading;
            }
            self.row(&row(figure));
        }
    }

    fn skipped(&mut self, skipped: &Skipped) {
        self.row(&format!("  {}: not measured: {}", skipped.what, skipped.why));
    }
}

fn row(figure: &Figure) -> String {
    let point = figure.at.to_string();
    let name = if point.is_empty() { figure.what.clone() } else { format!("{}, {point}", figure.what) };
    // What one waits for is what counts, where it is known.
    let latency = figure.response.as_ref().or(figure.latency.as_ref());
    let at = |of: fn(&Latency) -> Option<u64>| latency.and_then(of).map_or(String::new(), figures::duration);
    let times = [
        at(|latency| Some(latency.p50_ns)),
        at(|latency| latency.p99_ns),
        at(|latency| latency.p99_9_ns),
        at(|latency| Some(latency.max_ns)),
    ];
    let per_s = figure.per_s.map(|speed| (speed, ""));
    let speed = per_s.or(figure.bytes_per_s.map(|speed| (speed, "B")));
    let (shown, spread) = speed.map_or_else(Default::default, |(speed, unit)| {
        let apart = (speed.max - speed.min) / speed.median.max(f64::MIN_POSITIVE) * 50.0;
        (format!("{}/s", short(speed.median, unit)), format!("±{apart:.0}%"))
    });
    if latency.is_none() && speed.is_none() {
        let counted: Vec<String> =
            figure.counted.iter().map(|(name, value)| format!("{name} {}", short(*value, ""))).collect();
        return format!("  {name:<40} {:<38} {}", figure.by, counted.join(", "));
    }
    let ratio = figure.ratio.as_ref().map_or(String::new(), |ratio| format!("{:.2}", ratio.value.median));
    columns(&name, &figure.by, times, [shown, spread, ratio])
}

fn columns(name: &str, by: &str, times: [String; 4], speed: [String; 3]) -> String {
    let times: String = times.iter().map(|time| format!("{time:>9}")).collect();
    let [shown, spread, ratio] = speed;
    format!("  {name:<40} {by:<38}{times}{shown:>12}{spread:>7}{ratio:>8}")
}

/// `7.31 M`, `1.20 GB`.
fn short(value: f64, unit: &str) -> String {
    match value {
        _ if value >= 1e9 => format!("{:.2} G{unit}", value / 1e9),
        _ if value >= 1e6 => format!("{:.2} M{unit}", value / 1e6),
        _ if value >= 1e3 => format!("{:.2} k{unit}", value / 1e3),
        _ => format!("{value:.1} {unit}").trim_end().to_string(),
    }
}

/// `1 min 20 s`.
pub(super) fn time(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{} s", time.as_secs_f64().ceil()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}
