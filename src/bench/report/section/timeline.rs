//! Latency over time, and the worst stalls.

use maud::{Markup, html};

use super::several;
use crate::bench::report::chart::axis::Axis;
use crate::bench::report::chart::line::{Dot, Line, LineChart};
use crate::bench::report::compare::names;
use crate::bench::report::medium::tag;
use crate::bench::report::number::{short, time};
use crate::bench::results::{Figure, Moment, Results, Stall};

/// Slices that a chart can show; of more, several become one.
const SLICES_MAX: usize = 300;
/// Stalls that are listed.
const STALLS_MAX: usize = 8;

pub(in super::super) fn section(results: &Results) -> Markup {
    let with = results.figures.iter().filter(|figure| figure.timeline.len() > 1 || !figure.stalls.is_empty());
    let parts: Vec<Markup> = with.enumerate().map(|(i, figure)| part(results, i, figure)).collect();
    html! {
        @if !parts.is_empty() {
            section id="time" {
                h2 { "Latency over time" }
                p { "Median and maximum of each slice of time; the worst stalls beside." }
                (several("stack", parts))
            }
        }
    }
}

fn part(results: &Results, i: usize, figure: &Figure) -> Markup {
    let tag = tag(results, &figure.medium, &figure.promise);
    let title = title(figure);
    html! {
        div.pair {
            @if figure.timeline.len() > 1 { (chart(format!("t-{i}"), &title, tag.clone(), figure).draw()) }
            @if !figure.stalls.is_empty() { (stalls(&title, &tag, &figure.stalls)) }
        }
    }
}

fn title(figure: &Figure) -> String {
    let names = names(&[figure], &[]);
    [names.title, names.each.concat()].join(", ")
}

fn chart(id: String, title: &str, tag: Markup, figure: &Figure) -> LineChart {
    let slices = thinned(&figure.timeline);
    let ms = |moment: &Moment| moment.at_ms as f64;
    let values: Vec<f64> =
        slices.iter().flat_map(|slice| [slice.p50_ns as f64, slice.max_ns as f64]).collect();
    let line = |name: &str, style, of: fn(&Moment) -> u64| {
        let dots =
            slices.iter().map(|slice| Dot { x: ms(slice), y: of(slice) as f64, spread: None, mark: None });
        let (low, high) =
            slices.iter().map(of).fold((u64::MAX, 0), |(low, high), ns| (low.min(ns), high.max(ns)));
        let summary = format!("{name} between {} and {}", time(low as f64), time(high as f64));
        Line { name: name.into(), style, dashed: false, dots: dots.collect(), thin_from: f64::MAX, summary }
    };
    LineChart {
        id,
        title: title.into(),
        tag,
        x: Axis::linear(&slices.iter().map(ms).collect::<Vec<_>>(), |ms| short(&time(ms * 1e6))),
        y: Axis::log(&values, |ns| short(&time(ns))),
        x_label: "since the beginning",
        y_label: "latency".into(),
        lines: vec![line("maximum", 1, |slice| slice.max_ns), line("median", 0, |slice| slice.p50_ns)],
    }
}

/// Neighbours become one: the larger median, the larger maximum.
fn thinned(timeline: &[Moment]) -> Vec<Moment> {
    let mut sorted = timeline.to_vec();
    sorted.sort_by_key(|moment| moment.at_ms);
    let every = sorted.len().div_ceil(SLICES_MAX).max(1);
    let one = |slices: &[Moment]| Moment {
        at_ms: slices[0].at_ms,
        p50_ns: slices.iter().map(|slice| slice.p50_ns).max().unwrap_or(0),
        max_ns: slices.iter().map(|slice| slice.max_ns).max().unwrap_or(0),
    };
    sorted.chunks(every).map(one).collect()
}

fn stalls(title: &str, tag: &Markup, stalls: &[Stall]) -> Markup {
    html! {
        div {
            table.stalls {
                caption { h4 { "Worst stalls: " (title) } (tag) }
                thead { tr { th scope="col" { "at" } th scope="col" { "length" } th scope="col" { "cause" } } }
                tbody {
                    @for stall in stalls.iter().take(STALLS_MAX) {
                        tr {
                            td { (time(stall.at_ms * 1e6)) }
                            td { (time(stall.ns as f64)) }
                            td.prose { @if stall.why.is_empty() { "not known" } @else { (stall.why) } }
                        }
                    }
                }
            }
            @if stalls.len() > STALLS_MAX { p.hint { (stalls.len() - STALLS_MAX) " more are in the results file." } }
        }
    }
}
