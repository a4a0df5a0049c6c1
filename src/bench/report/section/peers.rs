//! Logs side by side, at the same promise on the same medium.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::several;
use crate::bench::report::chart::axis::Axis;
use crate::bench::report::chart::bars::{Bar, Bars};
use crate::bench::report::compare::{by_key, family};
use crate::bench::report::medium::tag;
use crate::bench::report::number::{flow, rate, three, time};
use crate::bench::results::{Figure, Group, Results, Spread};

pub(in super::super) fn section(results: &Results) -> Markup {
    let peers =
        results.figures.iter().filter(|figure| figure.group == Group::Peers && throughput(figure).is_some());
    let buckets = by_key(peers, |figure| (family(figure), &figure.at, figure.per_s.is_some()));
    let charts: Vec<Markup> = buckets
        .into_iter()
        .map(|((family, at, _), figures)| {
            let notes = notes(&figures);
            let bars =
                bars(family.what, &at.to_string(), tag(results, family.medium, family.promise), figures);
            html! { div { (bars) (notes) } }
        })
        .collect();
    html! {
        @if !charts.is_empty() {
            section id="peers" {
                h2 { "Peers side by side" }
                p { "Each at its own best settings, in turns with the others, at the same promise on the same medium; best first. "
                    "The ratio is time per operation over the raw loop's of the same round." }
                (several("grid wide", charts))
            }
        }
    }
}

/// Each note once, with all that it is of.
fn notes(figures: &[&Figure]) -> Markup {
    let mut notes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for figure in figures {
        if let Some(note) = &figure.note {
            notes.entry(note).or_default().push(&figure.by);
        }
    }
    html! { @for (note, whose) in notes { p.hint { (note) ": " (whose.join("; ")) } } }
}

/// Operations, or else bytes.
fn throughput(figure: &Figure) -> Option<Spread> {
    figure.per_s.or(figure.bytes_per_s)
}

fn bars(what: &str, point: &str, tag: Markup, mut figures: Vec<&Figure>) -> Markup {
    let median = |figure: &Figure| throughput(figure).map_or(0.0, |spread| spread.median);
    figures.sort_by(|a, b| median(b).total_cmp(&median(a)));
    let say: fn(f64) -> String =
        if figures.iter().any(|figure| figure.per_s.is_some()) { rate } else { flow };
    let spreads = || figures.iter().filter_map(|figure| Some((*figure, throughput(figure)?)));
    let values: Vec<f64> = spreads().flat_map(|(_, spread)| [spread.min, spread.max]).collect();
    let quantile = |ns: Option<u64>| ns.map_or("–".into(), |ns| time(ns as f64));
    let row = |(figure, spread): (&Figure, Spread)| Bar {
        name: figure.by.clone(),
        ours: figure.by.starts_with("tierlog"),
        value: [spread.min, spread.median, spread.max],
        cells: vec![
            quantile(figure.latency.as_ref().map(|latency| latency.p50_ns)),
            quantile(figure.latency.as_ref().and_then(|latency| latency.p99_ns)),
            figure.ratio.as_ref().map_or("–".into(), |ratio| three(ratio.value.median)),
        ],
    };
    let bars = Bars {
        title: [what, point].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "),
        tag,
        head: ["who", "median", "p50", "p99", "ratio"].map(String::from).into(),
        axis: Axis::fitting(&values, |_| String::new()),
        reference: None,
        say,
        rows: spreads().map(row).collect(),
    };
    bars.draw()
}
