//! Heat maps: instructions by size, ways to the device by size and depth, nodes by nodes.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::several;
use crate::bench::report::chart::heat::{Heat, Hot};
use crate::bench::report::compare::{Field, by_key, family, names, only, without};
use crate::bench::report::medium::tag;
use crate::bench::report::number::{flow, rate, time};
use crate::bench::results::{Figure, Group, Point, Results};

/// What is shown in a cell, how it is written, and what a strong colour means.
type Measure = (&'static str, fn(&Figure) -> Option<f64>, fn(f64) -> String, Hot);

/// Columns that fit beside each other without a long way to scroll.
const COLUMNS_WIDE: usize = 12;

const MEASURES: [Measure; 3] = [
    ("median time", |figure| figure.latency.as_ref().map(|latency| latency.p50_ns as f64), time, Hot::Slow),
    ("bandwidth", |figure| figure.bytes_per_s.map(|spread| spread.median), flow, Hot::Fast),
    ("rate", operations, rate, Hot::Fast),
];

/// Operations a second where neither time nor bytes are known.
fn operations(figure: &Figure) -> Option<f64> {
    figure
        .per_s
        .filter(|_| figure.latency.is_none() && figure.bytes_per_s.is_none())
        .map(|spread| spread.median)
}

/// Instructions by size.
pub(in super::super) fn instructions(results: &Results) -> Markup {
    section("instructions", "Instructions by size", by_size(results, Group::Primitive, "instruction"))
}

/// Ways to the device by size and depth.
pub(in super::super) fn ways(results: &Results) -> Markup {
    section("device", "Ways to the device by size and depth", by_size(results, Group::Device, "way"))
}

/// Nodes by nodes.
pub(in super::super) fn nodes(results: &Results) -> Markup {
    section("nodes", "Nodes by nodes", by_node(results))
}

fn section(id: &str, title: &str, maps: Vec<Markup>) -> Markup {
    html! { @if !maps.is_empty() { section id=(id) { h2 { (title) } (several("grid wide maps", maps)) } } }
}

/// Who by size; depths side by side, or a map each.
fn by_size(results: &Results, group: Group, who: &'static str) -> Vec<Markup> {
    let with =
        results.figures.iter().filter(|figure| figure.group == group && figure.at.size_bytes.is_some());
    let both = [Field::Size, Field::Depth];
    let mut maps = Vec::new();
    for ((family, _), figures) in by_key(with, |figure| (family(figure), without(&figure.at, &both))) {
        let tag = tag(results, family.medium, family.promise);
        let points: BTreeSet<Point> = figures.iter().map(|figure| only(&figure.at, &both)).collect();
        let deep = points.iter().any(|point| point.depth != figures[0].at.depth);
        let (columns, shown) = match deep && points.len() <= COLUMNS_WIDE {
            true => ("size, depth", &both[..]),
            false => ("size", &both[..1]),
        };
        for (_, figures) in by_key(figures, |figure| without(&figure.at, shown)) {
            let title = names(&figures, shown).title;
            maps.extend(measures(&title, &tag, &figures, (who, columns), |figure| figure.by.clone(), shown));
        }
    }
    maps
}

/// Processors' nodes by memory's nodes, where there are several.
fn by_node(results: &Results) -> Vec<Markup> {
    let nodes = [Field::CpuNode, Field::MemoryNode];
    let with = |figure: &&Figure| nodes.iter().all(|node| node.of(&figure.at).is_some());
    let mut maps = Vec::new();
    for ((family, _), figures) in
        by_key(results.figures.iter().filter(with), |figure| (family(figure), without(&figure.at, &nodes)))
    {
        let tag = tag(results, family.medium, family.promise);
        let processor = |figure: &Figure| only(&figure.at, &nodes[..1]).to_string();
        for figures in matrices(figures, |figure| only(&figure.at, &nodes)) {
            let title = names(&figures, &nodes).title;
            maps.extend(measures(&title, &tag, &figures, ("processor", "memory"), processor, &nodes[1..]));
        }
    }
    maps
}

/// One matrix if every cell has one figure (who may then name the processor's node), else one for each who.
fn matrices(figures: Vec<&Figure>, cell: impl Fn(&Figure) -> Point) -> Vec<Vec<&Figure>> {
    let cells: BTreeSet<Point> = figures.iter().map(|figure| cell(figure)).collect();
    match (cells.len(), cells.len() == figures.len()) {
        (..2, _) => Vec::new(),
        (_, true) => vec![figures],
        (_, false) => by_key(figures, |figure| &figure.by).into_iter().map(|(_, figures)| figures).collect(),
    }
}

/// A map for each measure that the figures have.
fn measures(
    title: &str,
    tag: &Markup,
    figures: &[&Figure],
    corner: (&'static str, &'static str),
    row: impl Fn(&Figure) -> String,
    columns: &[Field],
) -> Vec<Markup> {
    let at: Vec<Point> =
        figures.iter().map(|figure| only(&figure.at, columns)).collect::<BTreeSet<_>>().into_iter().collect();
    let rows = by_key(figures.iter().copied(), row);
    let has = |(_, of, ..): &&Measure| figures.iter().any(|figure| of(figure).is_some());
    let map = |(name, of, say, hot): &Measure| {
        let cells = |figures: &[&Figure]| {
            at.iter()
                .take(Heat::COLUMNS_MAX + 1)
                .map(|at| {
                    figures
                        .iter()
                        .find(|figure| only(&figure.at, columns) == *at)
                        .and_then(|figure| of(figure))
                })
                .collect()
        };
        let rows = rows.iter().take(Heat::ROWS_MAX + 1).map(|(name, figures)| (name.clone(), cells(figures)));
        let heat = Heat {
            title: format!("{title}: {name}"),
            tag: tag.clone(),
            corner,
            columns: at.iter().take(Heat::COLUMNS_MAX + 1).map(Point::to_string).collect(),
            rows: rows.collect(),
            say: *say,
            hot: *hot,
        };
        heat.draw()
    };
    MEASURES.iter().filter(has).map(map).collect()
}
