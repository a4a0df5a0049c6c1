//! Each beside its yardstick: what carries furthest from machine to machine.

use maud::{Markup, html};

use super::several;
use crate::bench::report::chart::axis::Axis;
use crate::bench::report::chart::bars::{Bar, Bars};
use crate::bench::report::compare::{by_key, family};
use crate::bench::report::medium::tag;
use crate::bench::report::number::three;
use crate::bench::results::{Figure, Ratio, Results};

pub(in super::super) fn section(results: &Results) -> Markup {
    let with = results.figures.iter().filter(|figure| figure.ratio.is_some());
    let families =
        by_key(with, |figure| (family(figure), figure.ratio.as_ref().map(|ratio| (&ratio.to, &ratio.of))));
    let charts: Vec<Markup> = families
        .iter()
        .map(|((family, _), figures)| bars(tag(results, family.medium, family.promise), figures))
        .collect();
    html! {
        @if !charts.is_empty() {
            section id="ratios" {
                h2 { "Beside the yardsticks" }
                p { "Time per operation over the yardstick's of the same round: 1 is as fast, above is slower." }
                (several("grid", charts))
            }
        }
    }
}

fn bars(tag: Markup, figures: &[&Figure]) -> Markup {
    let ratios: Vec<(&Figure, &Ratio)> =
        figures.iter().filter_map(|figure| Some((*figure, figure.ratio.as_ref()?))).collect();
    let values: Vec<f64> =
        ratios.iter().flat_map(|(_, ratio)| [ratio.value.min, ratio.value.max, 1.0]).collect();
    let (what, to, of) =
        ratios.first().map_or(("", "", ""), |(figure, ratio)| (&figure.what, &ratio.to, &ratio.of));
    let rows = ratios.iter().map(|(figure, ratio)| {
        let point = figure.at.to_string();
        let name = if point.is_empty() { figure.by.clone() } else { format!("{}, {point}", figure.by) };
        let value = [ratio.value.min, ratio.value.median, ratio.value.max];
        Bar { name, ours: figure.by == "tierlog", value, cells: Vec::new() }
    });
    let bars = Bars {
        title: format!("{what} over {to}, {of}"),
        tag,
        head: vec!["who", "ratio"],
        axis: Axis::fitting(&values, three),
        reference: Some(1.0),
        say: three,
        rows: rows.collect(),
    };
    bars.draw()
}
