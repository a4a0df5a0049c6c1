//! Each beside its yardstick: what carries furthest from machine to machine.

use maud::{Markup, html};

use super::{GROUPS, several};
use crate::bench::report::chart::axis::Axis;
use crate::bench::report::chart::bars::{Bar, Bars};
use crate::bench::report::compare::{by_key, family, names};
use crate::bench::report::medium::tag;
use crate::bench::report::number::three;
use crate::bench::results::{Figure, Group, Ratio, Results};

/// Bars that one chart holds; of more, each point has a chart.
const BARS_MAX: usize = 8;

pub(in super::super) fn section(results: &Results) -> Markup {
    // Peers have theirs where they stand side by side.
    let groups = GROUPS.iter().map(|(group, _)| *group).filter(|group| *group != Group::Peers);
    let charts: Vec<Markup> = groups.flat_map(|group| charts(results, group)).collect();
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

fn charts(results: &Results, group: Group) -> Vec<Markup> {
    let ratios = results.figures.iter().filter(|figure| figure.group == group && figure.ratio.is_some());
    let yardstick =
        |figure: &'_ Figure| figure.ratio.as_ref().map(|ratio| (ratio.to.clone(), ratio.of.clone()));
    let mut charts = Vec::new();
    for ((family, _), figures) in by_key(ratios, |figure| (family(figure), yardstick(figure))) {
        let tag = tag(results, family.medium, family.promise);
        if figures.len() <= BARS_MAX {
            charts.push(bars(tag, &figures));
        } else {
            let points = by_key(figures, |figure| &figure.at);
            charts.extend(points.iter().map(|(_, figures)| bars(tag.clone(), figures)));
        }
    }
    charts
}

fn bars(tag: Markup, figures: &[&Figure]) -> Markup {
    let names = names(figures, &[]);
    let mut ratios: Vec<(&Figure, &Ratio, String)> = figures
        .iter()
        .zip(names.each)
        .filter_map(|(figure, name)| Some((*figure, figure.ratio.as_ref()?, name)))
        .collect();
    if ratios.iter().all(|(figure, ..)| figure.at == figures[0].at) {
        ratios.sort_by(|(_, a, _), (_, b, _)| a.value.median.total_cmp(&b.value.median));
    }
    let values: Vec<f64> =
        ratios.iter().flat_map(|(_, ratio, _)| [ratio.value.min, ratio.value.max, 1.0]).collect();
    let head =
        ratios.first().map(|(_, ratio, _)| format!("{} to {}", ratio.of, ratio.to)).unwrap_or_default();
    let rows = ratios.into_iter().map(|(figure, ratio, name)| Bar {
        name,
        ours: figure.by.starts_with("tierlog"),
        value: [ratio.value.min, ratio.value.median, ratio.value.max],
        cells: Vec::new(),
    });
    let bars = Bars {
        title: names.title,
        tag,
        head: vec!["who".into(), head],
        axis: Axis::fitting(&values, three),
        reference: Some(1.0),
        say: three,
        rows: rows.collect(),
    };
    bars.draw()
}
