//! Which figures may stand in one chart, and how each is called there.
//!
//! Invariant: figures of one family share part, work, medium and promise; nothing is compared across.

use std::collections::BTreeMap;

use crate::bench::results::{Figure, Group, Point};

/// A parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Size,
    Threads,
    Batch,
    Depth,
    Lanes,
    Rate,
    CpuNode,
    MemoryNode,
}

impl Field {
    const ALL: [Field; 8] = [
        Field::Size,
        Field::Threads,
        Field::Batch,
        Field::Depth,
        Field::Lanes,
        Field::Rate,
        Field::CpuNode,
        Field::MemoryNode,
    ];

    /// Its value there.
    pub(super) fn of(self, at: &Point) -> Option<u64> {
        match self {
            Field::Size => at.size_bytes,
            Field::Threads => at.threads.map(u64::from),
            Field::Batch => at.batch.map(u64::from),
            Field::Depth => at.depth.map(u64::from),
            Field::Lanes => at.lanes.map(u64::from),
            Field::Rate => at.rate_per_s,
            Field::CpuNode => at.cpu_node.map(u64::from),
            Field::MemoryNode => at.memory_node.map(u64::from),
        }
    }

    fn clear(self, at: &mut Point) {
        match self {
            Field::Size => at.size_bytes = None,
            Field::Threads => at.threads = None,
            Field::Batch => at.batch = None,
            Field::Depth => at.depth = None,
            Field::Lanes => at.lanes = None,
            Field::Rate => at.rate_per_s = None,
            Field::CpuNode => at.cpu_node = None,
            Field::MemoryNode => at.memory_node = None,
        }
    }
}

/// The point but for these.
pub(super) fn without(at: &Point, fields: &[Field]) -> Point {
    let mut rest = at.clone();
    fields.iter().for_each(|field| field.clear(&mut rest));
    rest
}

/// Of the point these only.
pub(super) fn only(at: &Point, fields: &[Field]) -> Point {
    let mut rest = at.clone();
    Field::ALL.iter().filter(|field| !fields.contains(field)).for_each(|field| field.clear(&mut rest));
    rest
}

/// What figures of one comparison share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Family<'a> {
    pub(super) group: Group,
    pub(super) what: &'a str,
    pub(super) medium: &'a str,
    pub(super) promise: &'a str,
}

/// The family of a figure.
pub(super) fn family(figure: &Figure) -> Family<'_> {
    Family { group: figure.group, what: &figure.what, medium: &figure.medium, promise: &figure.promise }
}

/// Figures by key, in the order in which the first of each was measured.
pub(super) fn by_key<'a, K: Ord>(
    figures: impl IntoIterator<Item = &'a Figure>,
    key: impl Fn(&'a Figure) -> K,
) -> Vec<(K, Vec<&'a Figure>)> {
    let mut found: BTreeMap<K, (usize, Vec<&Figure>)> = BTreeMap::new();
    for (order, figure) in figures.into_iter().enumerate() {
        found.entry(key(figure)).or_insert((order, Vec::new())).1.push(figure);
    }
    let mut keys: Vec<_> = found.into_iter().collect();
    keys.sort_by_key(|(_, (order, _))| *order);
    keys.into_iter().map(|(key, (_, figures))| (key, figures)).collect()
}

/// What a comparison is called, and each in it.
#[derive(Debug)]
pub(super) struct Names {
    /// What is done, and what is the same for all.
    pub(super) title: String,
    /// Who, and the parameters that differ: one a figure.
    pub(super) each: Vec<String>,
}

/// Names for a comparison; `shown` are parameters that its axes show.
pub(super) fn names(figures: &[&Figure], shown: &[Field]) -> Names {
    let Some(first) = figures.first() else { return Names { title: String::new(), each: Vec::new() } };
    let same = |field: &Field| figures.iter().all(|figure| field.of(&figure.at) == field.of(&first.at));
    let (shared, own): (Vec<Field>, Vec<Field>) =
        Field::ALL.into_iter().filter(|field| !shown.contains(field)).partition(same);
    let one = figures.len() > 1 && figures.iter().all(|figure| figure.by == first.by);
    let each: Vec<String> = figures
        .iter()
        .map(|figure| match only(&figure.at, &own).to_string() {
            point if point.is_empty() => figure.by.clone(),
            point if one => point,
            point => format!("{}, {point}", figure.by),
        })
        .collect();
    let by = if one && each.iter().any(|name| *name != first.by) { first.by.as_str() } else { "" };
    let part = if first.group == Group::Peers { "peers" } else { "" };
    let title = [part, first.what.as_str(), by, &only(&first.at, &shared).to_string()];
    let title = title.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    Names { title, each }
}
