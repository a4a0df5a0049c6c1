//! Throughput against threads.

use maud::{Markup, html};

use super::several;
use crate::bench::report::chart::axis::Axis;
use crate::bench::report::chart::line::{Dot, LINES_MAX, Line, LineChart};
use crate::bench::report::compare::{Field, by_key, family, names, without};
use crate::bench::report::medium::tag;
use crate::bench::report::number::{flow, rate, short};
use crate::bench::results::{Figure, Results, Spread};

pub(in super::super) fn section(results: &Results) -> Markup {
    let with =
        results.figures.iter().filter(|figure| figure.at.threads.is_some() && throughput(figure).is_some());
    let buckets = by_key(with, |figure| {
        (family(figure), without(&figure.at, &[Field::Threads]), figure.per_s.is_some())
    });
    let mut charts = Vec::new();
    for ((family, ..), figures) in buckets {
        let scaling = figures.iter().any(|figure| figure.at.threads != figures[0].at.threads);
        let all = by_key(figures.iter().copied(), |figure| &figure.by);
        for lines in all.chunks(LINES_MAX).filter(|_| scaling) {
            let id = format!("n-{}", charts.len());
            charts.push(chart(id, tag(results, family.medium, family.promise), lines).draw());
        }
    }
    html! {
        @if !charts.is_empty() {
            section id="threads" {
                h2 { "Throughput against threads" }
                p { "Median over runs; the bar through a mark spans smallest to largest run." }
                (several("grid", charts))
            }
        }
    }
}

/// Operations, or else bytes.
fn throughput(figure: &Figure) -> Option<&Spread> {
    figure.per_s.as_ref().or(figure.bytes_per_s.as_ref())
}

fn chart(id: String, tag: Markup, contestants: &[(&String, Vec<&Figure>)]) -> LineChart {
    let figures: Vec<&Figure> = contestants.iter().flat_map(|(_, figures)| figures).copied().collect();
    let say = if figures.iter().any(|figure| figure.per_s.is_some()) { rate } else { flow };
    let values: Vec<f64> =
        figures.iter().filter_map(|figure| throughput(figure)).map(|spread| spread.max).collect();
    let threads: Vec<f64> = figures.iter().filter_map(|figure| figure.at.threads).map(f64::from).collect();
    let line = |(style, (by, figures)): (usize, &(&String, Vec<&Figure>))| {
        let mut dots: Vec<Dot> = figures
            .iter()
            .filter_map(|figure| {
                let (x, spread) = (f64::from(figure.at.threads?), throughput(figure)?);
                let mark = Some(format!("{} with {x} threads", say(spread.median)));
                Some(Dot { x, y: spread.median, spread: Some((spread.min, spread.max)), mark })
            })
            .collect();
        dots.sort_by(|a, b| a.x.total_cmp(&b.x));
        let said: Vec<&str> = dots.iter().filter_map(|dot| dot.mark.as_deref()).collect();
        let summary = format!("{by}: {}", said.join(", "));
        Line { name: (*by).clone(), style, dashed: false, dots, thin_from: f64::MAX, summary }
    };
    LineChart {
        id,
        title: names(&figures, &[Field::Threads]).title,
        tag,
        x: Axis::steps(&threads, |threads| threads.to_string()),
        y: Axis::fitting(&values, |value| short(&say(value))),
        x_label: "threads",
        y_label: "throughput".into(),
        lines: contestants.iter().enumerate().map(line).collect(),
    }
}
