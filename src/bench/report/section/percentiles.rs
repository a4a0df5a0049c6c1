//! Latency percentiles over nines, as Gil Tene's HdrHistogram draws them.

use maud::{Markup, html};

use super::{GROUPS, several};
use crate::bench::report::chart::axis::Axis;
use crate::bench::report::chart::line::{Dot, LINES_MAX, Line, LineChart};
use crate::bench::report::compare::{Field, by_key, family, names, without};
use crate::bench::report::medium::tag;
use crate::bench::report::number::{short, time};
use crate::bench::results::{Figure, Group, Latency, Results};

/// Lines that may lie close together and still be told apart.
const CLOSE_MAX: usize = 6;
/// Samples beyond a quantile below which it says little.
const BEYOND_MIN: f64 = 10.0;

pub(in super::super) fn section(results: &Results) -> Markup {
    let parts: Vec<(&str, Vec<Markup>)> = GROUPS
        .iter()
        .map(|(group, name)| (*name, charts(results, *group)))
        .filter(|(_, charts)| !charts.is_empty())
        .collect();
    html! {
        @if !parts.is_empty() {
            section id="percentiles" {
                h2 { "Latency percentiles" }
                p {
                    "How long all but the slowest took. A line is thin where fewer than ten samples lie beyond. "
                    "Service time counts from the start of an operation; response time, free of coordinated omission, from when "
                    "it was due."
                }
                @for (name, charts) in parts { h3 { (name) } (several("grid wide", charts)) }
            }
        }
    }
}

fn charts(results: &Results, group: Group) -> Vec<Markup> {
    let drawn = |figure: &&Figure| figure.group == group && curves(figure).next().is_some();
    let mut families = by_key(results.figures.iter().filter(drawn), family);
    // What was asked at a fixed rate says most.
    families.sort_by_key(|(_, figures)| figures.iter().all(|figure| figure.response.is_none()));
    let mut charts = Vec::new();
    for (family, figures) in families {
        for bucket in split(figures) {
            let id = format!("p-{group:?}-{}", charts.len());
            charts.push(chart(id, tag(results, family.medium, family.promise), &bucket).draw());
        }
    }
    charts
}

/// Into charts of as many contestants as can be told apart: split by all but the size if that is enough, else point by
/// point.
fn split(figures: Vec<&Figure>) -> Vec<Vec<&Figure>> {
    let lines = |figures: &Vec<&Figure>| figures.iter().map(|figure| curves(figure).count()).sum::<usize>();
    let fits = |buckets: &[Vec<&Figure>]| buckets.iter().all(|figures| lines(figures) <= CLOSE_MAX);
    let by = |fields: &[Field]| -> Vec<Vec<&Figure>> {
        by_key(figures.iter().copied(), |figure| without(&figure.at, fields))
            .into_iter()
            .map(|(_, all)| all)
            .collect()
    };
    let whole = vec![figures.clone()];
    let candidates = [whole, by(&[Field::Size]), by(&[])];
    let last = candidates[2].clone();
    // Even shares: nine are five and four, not eight and one.
    let share = |count: usize| count.div_ceil(count.div_ceil(LINES_MAX)).max(1);
    candidates.into_iter().find(|buckets| fits(buckets)).unwrap_or_else(|| {
        last.iter().flat_map(|figures| figures.chunks(share(figures.len()))).map(<[_]>::to_vec).collect()
    })
}

/// Service and response, where they exist and have a curve.
fn curves(figure: &Figure) -> impl Iterator<Item = (&'static str, &Latency)> {
    let both = [("service", figure.latency.as_ref()), ("response", figure.response.as_ref())];
    both.into_iter()
        .filter_map(|(kind, latency)| Some((kind, latency?)))
        .filter(|(_, latency)| latency.curve.len() > 1)
}

fn chart(id: String, tag: Markup, figures: &[&Figure]) -> LineChart {
    let names = names(figures, &[]);
    let mut lines = Vec::new();
    for (style, (figure, name)) in figures.iter().zip(&names.each).enumerate() {
        for (kind, latency) in curves(figure) {
            let both = figure.response.is_some();
            let name = if both { format!("{name}, {kind}") } else { name.clone() };
            lines.push(Line { dashed: both && kind == "service", ..line(name, style, latency) });
        }
    }
    let values: Vec<f64> = lines.iter().flat_map(|line| line.dots.iter().map(|dot| dot.y)).collect();
    let last = lines.iter().flat_map(|line| line.dots.iter().map(|dot| dot.x.log10())).fold(1.0, f64::max);
    LineChart {
        id,
        title: names.title,
        tag,
        x: Axis::nines(last),
        y: Axis::log(&values, |ns| short(&time(ns))),
        x_label: "share of operations",
        y_label: "not slower than".into(),
        lines,
    }
}

fn line(name: String, style: usize, latency: &Latency) -> Line {
    let samples = (latency.count as f64).max(1.0);
    // The slowest sample of all is drawn where one in that many is.
    let odds = |share: f64| if share < 1.0 { (1.0 / (1.0 - share)).min(samples) } else { samples };
    // The fastest of all would stretch the scale, and says nothing.
    let sane = latency.curve.iter().filter(|(share, _)| *share > 0.0 && *share <= 1.0);
    let curve = sane.map(|(share, ns)| Dot { x: odds(*share), y: *ns as f64, spread: None, mark: None });
    let known = [
        (0.5, "50%", Some(latency.p50_ns)),
        (0.9, "90%", latency.p90_ns),
        (0.99, "99%", latency.p99_ns),
        (0.999, "99.9%", latency.p99_9_ns),
        (0.9999, "99.99%", latency.p99_99_ns),
    ];
    let marked = known.into_iter().filter_map(|(share, text, ns)| {
        let ns = ns? as f64;
        Some(Dot { x: odds(share), y: ns, spread: None, mark: Some(format!("{text} within {}", time(ns))) })
    });
    let mut dots: Vec<Dot> = curve.chain(marked).collect();
    dots.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    let summary = format!(
        "{name}: median {}, {}largest {} of {} samples",
        time(latency.p50_ns as f64),
        latency.p99_ns.map(|ns| format!("99% within {}, ", time(ns as f64))).unwrap_or_default(),
        time(latency.max_ns as f64),
        latency.count
    );
    Line { name, style, dashed: false, dots, thin_from: samples / BEYOND_MIN, summary }
}
