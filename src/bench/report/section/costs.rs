//! What was counted, against lanes; against sizes where lanes do not vary.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::several;
use crate::bench::report::chart::axis::Axis;
use crate::bench::report::chart::line::{Dot, LINES_MAX, Line, LineChart};
use crate::bench::report::compare::{Field, by_key, family, names, without};
use crate::bench::report::medium::tag;
use crate::bench::report::number::{plain, short, size};
use crate::bench::results::{Figure, Group, Results};

pub(in super::super) fn section(results: &Results) -> Markup {
    let costs =
        results.figures.iter().filter(|figure| figure.group == Group::Cost && !figure.counted.is_empty());
    let mut charts = Vec::new();
    for (family, figures) in by_key(costs, family) {
        let Some(axis) = [Field::Lanes, Field::Size].into_iter().find(|field| varies(*field, &figures))
        else {
            continue;
        };
        let counters: BTreeSet<&String> = figures.iter().flat_map(|figure| figure.counted.keys()).collect();
        let lines = by_key(figures, |figure| (&figure.by, without(&figure.at, &[axis])));
        for counter in counters {
            for lines in lines.chunks(LINES_MAX) {
                let lines: Vec<&[&Figure]> = lines.iter().map(|(_, figures)| &figures[..]).collect();
                let id = format!("c-{}", charts.len());
                charts.extend(chart(id, tag(results, family.medium, family.promise), axis, counter, &lines));
            }
        }
    }
    html! {
        @if !charts.is_empty() {
            section id="costs" { h2 { "Costs" } (several("grid", charts)) }
        }
    }
}

fn varies(field: Field, figures: &[&Figure]) -> bool {
    let values = || figures.iter().filter_map(|figure| field.of(&figure.at));
    values().any(|value| Some(value) != values().next())
}

fn chart(id: String, tag: Markup, axis: Field, counter: &String, lines: &[&[&Figure]]) -> Option<Markup> {
    let dot = |figure: &Figure| {
        let (x, y) = (axis.of(&figure.at)? as f64, *figure.counted.get(counter)?);
        Some(Dot { x, y, spread: None, mark: Some(plain(y)) })
    };
    let firsts: Vec<&Figure> = lines.iter().filter_map(|figures| figures.first().copied()).collect();
    let names = names(&firsts, &[axis]);
    let lines: Vec<Line> = lines
        .iter()
        .zip(names.each)
        .enumerate()
        .map(|(style, (figures, name))| {
            let mut dots: Vec<Dot> = figures.iter().filter_map(|figure| dot(figure)).collect();
            dots.sort_by(|a, b| a.x.total_cmp(&b.x));
            let said: Vec<String> = dots.iter().map(|dot| format!("{} at {}", plain(dot.y), dot.x)).collect();
            let summary = format!("{name}: {}", said.join(", "));
            Line { name, style, dashed: false, dots, thin_from: f64::MAX, summary }
        })
        .filter(|line| !line.dots.is_empty())
        .collect();
    let dots = || lines.iter().flat_map(|line| &line.dots);
    let (xs, ys): (Vec<f64>, Vec<f64>) = dots().map(|dot| (dot.x, dot.y)).unzip();
    let (x_label, say): (_, fn(f64) -> String) = match axis {
        Field::Size => ("size", |bytes| size(bytes as u64)),
        _ => ("lanes", |lanes| lanes.to_string()),
    };
    let counted = counter.replace('_', " ");
    let chart = LineChart {
        id,
        title: format!("{}: {counted}", names.title),
        tag,
        x: Axis::steps(&xs, say),
        y: Axis::fitting(&ys, |value| short(&plain(value))),
        x_label,
        y_label: counted,
        lines,
    };
    (!xs.is_empty()).then(|| chart.draw())
}
