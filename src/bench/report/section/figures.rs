//! Every figure in a plain table: a part of the suite each, promise and medium above the rows that they hold for.

use maud::{Markup, html};

use crate::bench::report::compare::{Family, by_key, family};
use crate::bench::report::medium::survives;
use crate::bench::report::number::{flow, plain, rate, three, time};
use crate::bench::results::{Figure, Group, Latency, Results};

const GROUPS: [(Group, &str); 6] = [
    (Group::Engine, "The log"),
    (Group::Peers, "Peers"),
    (Group::Device, "Device"),
    (Group::Primitive, "Instructions"),
    (Group::Numa, "Nodes"),
    (Group::Cost, "Costs"),
];

/// A row: a figure by its service time, or by its response time.
struct Row<'a> {
    figure: &'a Figure,
    latency: Option<&'a Latency>,
    response: bool,
}

/// A column; one without values is left out.
struct Column {
    head: &'static str,
    /// How its cells are set: `at`, `number`, `prose`.
    class: &'static str,
    cell: fn(&Row) -> Option<String>,
}

const fn number(head: &'static str, cell: fn(&Row) -> Option<String>) -> Column {
    Column { head, class: "number", cell }
}

const fn prose(head: &'static str, cell: fn(&Row) -> Option<String>) -> Column {
    Column { head, class: "prose", cell }
}

const COLUMNS: [Column; 16] = [
    Column {
        head: "at",
        class: "at",
        cell: |row| Some(row.figure.at.to_string()).filter(|at| !at.is_empty()),
    },
    number("runs", |row| Some(row.figure.runs.to_string())),
    number("rate", |row| Some(rate(row.figure.per_s?.median))),
    number("bytes", |row| Some(flow(row.figure.bytes_per_s?.median))),
    number("over runs", spread),
    number("mean", |row| Some(time(row.latency?.mean_ns))),
    number("p50", |row| Some(time(row.latency?.p50_ns as f64))),
    number("p90", |row| Some(time(row.latency?.p90_ns? as f64))),
    number("p99", |row| Some(time(row.latency?.p99_ns? as f64))),
    number("p99.9", |row| Some(time(row.latency?.p99_9_ns? as f64))),
    number("p99.99", |row| Some(time(row.latency?.p99_99_ns? as f64))),
    number("max", |row| Some(time(row.latency?.max_ns as f64))),
    number("samples", |row| Some(plain(row.latency?.count as f64))),
    prose("ratio", ratio),
    prose("counted", counted),
    prose("note", |row| row.figure.note.clone()),
];

fn spread(row: &Row) -> Option<String> {
    let figure = row.figure;
    let operations = figure.per_s.map(|spread| (spread, rate as fn(f64) -> String));
    let (spread, say) = operations.or(figure.bytes_per_s.map(|spread| (spread, flow as _)))?;
    Some(format!("{} to {}", say(spread.min), say(spread.max)))
}

fn ratio(row: &Row) -> Option<String> {
    let ratio = row.figure.ratio.as_ref()?;
    let [min, median, max] = [ratio.value.min, ratio.value.median, ratio.value.max].map(three);
    Some(format!("{median} ({min} to {max}) of {}, {}", ratio.to, ratio.of))
}

fn counted(row: &Row) -> Option<String> {
    let all = row
        .figure
        .counted
        .iter()
        .map(|(name, value)| format!("{} {}", name.replace('_', " "), plain(*value)));
    Some(all.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
}

pub(in super::super) fn section(results: &Results) -> Markup {
    html! {
        @if !results.figures.is_empty() {
            section.figures id="figures" {
                h2 { "All figures" }
                p { "Rates and times to three digits; a quantile with fewer than ten samples beyond it is left out." }
                @for (group, name) in GROUPS {
                    @let figures: Vec<&Figure> = results.figures.iter().filter(|figure| figure.group == group).collect();
                    @if !figures.is_empty() {
                        details open { summary { (name) ", " (figures.len()) } (table(results, name, &figures)) }
                    }
                }
            }
        }
    }
}

fn table(results: &Results, name: &str, figures: &[&Figure]) -> Markup {
    let families: Vec<(Family, Vec<Row>)> = by_key(figures.iter().copied(), family)
        .into_iter()
        .map(|(family, figures)| (family, rows(figures)))
        .collect();
    let used = |column: &&Column| {
        families.iter().any(|(_, rows)| rows.iter().any(|row| (column.cell)(row).is_some()))
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(used).collect();
    html! {
        div.scroll tabindex="0" role="region" aria-label=(name) {
            table.all {
                caption.unseen { (name) }
                thead { tr { th scope="col" { "who" } @for column in &columns { th class=(column.class) scope="col" { (column.head) } } } }
                @for (family, rows) in &families {
                    tbody {
                        tr.family {
                            th scope="rowgroup" colspan=(columns.len() + 1) {
                                span { b { (family.what) } " " (survives(results, family.medium, family.promise)) ", on " (family.medium) }
                            }
                        }
                        @for row in rows { (line(row, &columns)) }
                    }
                }
            }
        }
    }
}

/// By point, then by who; response below service.
fn rows(mut figures: Vec<&Figure>) -> Vec<Row<'_>> {
    figures.sort_by(|a, b| (&a.at, &a.by).cmp(&(&b.at, &b.by)));
    let rows = figures.into_iter().flat_map(|figure| {
        let service = Row { figure, latency: figure.latency.as_ref(), response: false };
        let response = figure.response.as_ref();
        [Some(service), response.map(|latency| Row { figure, latency: Some(latency), response: true })]
    });
    rows.flatten().collect()
}

fn line(row: &Row, columns: &[&Column]) -> Markup {
    html! {
        tr {
            th scope="row" { (row.figure.by) @if row.response { ", response" } }
            @for column in columns { td class=(column.class) { ((column.cell)(row).unwrap_or_default()) } }
        }
    }
}
