//! The page as a whole.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::medium::banner;
use super::section::{costs, ending, figures, machine, maps, peers, percentiles, ratios, threads, timeline};
use crate::bench::results::Results;
use crate::cli::moment;
use crate::number::Gsn;

/// Nothing is loaded and nothing runs, whatever the results hold.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// A run as one HTML file that needs nothing else: no network, no script.
pub fn html(results: &Results) -> String {
    let date = date(results.began_unix_ms);
    let parts: Vec<(&str, &str, Markup)> =
        parts(results).into_iter().filter(|(.., part)| !part.0.is_empty()).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "tierlog bench: " (results.machine.host) ", " (date) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                header {
                    h1 { "tierlog bench: " (results.machine.host) }
                    p {
                        (date) " · " (results.machine.cpu) " · " (results.machine.cpus) " processors · profile "
                        (results.profile) " · tierlog " (results.version)
                    }
                    @if !results.noise.warnings.is_empty() {
                        p.warning { b { "Noisy run." } " Tails and small differences are not to be believed: " a href="#machine" { "why" } "." }
                    }
                    (banner(results))
                    nav aria-label="Parts" { ul { @for (id, name, _) in &parts { li { a href=(format!("#{id}")) { (name) } } } } }
                }
                main { @for (.., part) in &parts { (part) } }
            }
        }
    };
    page.into_string()
}

/// Anchor, name and content, in the order of the page.
fn parts(results: &Results) -> Vec<(&'static str, &'static str, Markup)> {
    vec![
        ("verdict", "Verdict", verdict(results)),
        ("machine", "Machine", machine::section(results)),
        ("ratios", "Yardsticks", ratios::section(results)),
        ("percentiles", "Percentiles", percentiles::section(results)),
        ("time", "Over time", timeline::section(results)),
        ("threads", "Threads", threads::section(results)),
        ("instructions", "Instructions", maps::instructions(results)),
        ("device", "Device", maps::ways(results)),
        ("nodes", "Nodes", maps::nodes(results)),
        ("peers", "Peers", peers::section(results)),
        ("costs", "Costs", costs::section(results)),
        ("figures", "All figures", figures::section(results)),
        ("skipped", "Not measured", ending::skipped(results)),
        ("repeat", "Repeat it", ending::repeat(results)),
    ]
}

fn verdict(results: &Results) -> Markup {
    html! {
        @if results.figures.is_empty() || !results.verdict.is_empty() {
            section id="verdict" {
                h2 { "Verdict" }
                @if results.figures.is_empty() { p { "Nothing was measured." } }
                ul.verdict { @for sentence in &results.verdict { li { (sentence) } } }
            }
        }
    }
}

/// `2026-11-21 08:30 UTC`.
fn date(unix_ms: u64) -> String {
    let stamp = moment::print(Gsn(unix_ms.saturating_mul(1_000_000)));
    format!("{} UTC", stamp.chars().take(16).collect::<String>().replace('T', " "))
}
