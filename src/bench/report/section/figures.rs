//! Every figure in a plain table: a part of the suite each, promise and medium above the rows that they hold for.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::GROUPS;
use crate::bench::report::compare::{Family, by_key, family};
use crate::bench::report::medium;
use crate::bench::report::number::{flow, plain, rate, three, time};
use crate::bench::results::{Figure, Latency, Ratio, Results};

/// A row: a figure by its service time, or by its response time.
struct Row<'a> {
    figure: &'a Figure,
    latency: Option<&'a Latency>,
    response: bool,
}

/// Rows that share promise and medium.
struct Body<'a> {
    family: Family<'a>,
    rows: Vec<Row<'a>>,
    /// What all ratios are to, if it is the same.
    yardstick: Option<(&'a str, &'a str)>,
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

/// The column that is left out where one yardstick is for all.
const YARDSTICK: &str = "to";

const COLUMNS: [Column; 17] = [
    Column {
        head: "at",
        class: "at",
        cell: |row| Some(row.figure.at.to_string()).filter(|at| !at.is_empty()),
    },
    number("runs", |row| Some(row.figure.runs.to_string())),
    number("ratio", ratio),
    Column { head: YARDSTICK, class: "at", cell: |row| Some(row.figure.ratio.as_ref()?.to.clone()) },
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
    let Ratio { value, .. } = row.figure.ratio.as_ref()?;
    Some(format!("{} ({} to {})", three(value.median), three(value.min), three(value.max)))
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
    let families = by_key(figures.iter().copied(), family);
    let bodies: Vec<Body> = families.into_iter().map(|(family, figures)| body(family, figures)).collect();
    let one = bodies
        .iter()
        .all(|body| body.yardstick.is_some() || body.rows.iter().all(|row| row.figure.ratio.is_none()));
    let used = |column: &&Column| {
        let mut rows = bodies.iter().flat_map(|body| &body.rows);
        rows.any(|row| (column.cell)(row).is_some()) && !(one && column.head == YARDSTICK)
    };
    let columns: Vec<&Column> = COLUMNS.iter().filter(used).collect();
    html! {
        div.scroll tabindex="0" role="region" aria-label=(name) {
            table.all {
                caption.unseen { (name) }
                thead { tr { th scope="col" { "who" } @for column in &columns { th class=(column.class) scope="col" { (column.head) } } } }
                @for Body { family, rows, yardstick } in &bodies {
                    tbody {
                        tr.family {
                            th scope="rowgroup" colspan=(columns.len() + 1) {
                                span {
                                    b { (family.what) } " " (medium::line(results, family.medium, family.promise))
                                    @if let Some((to, of)) = yardstick { "; ratio of " (of) " to " (to) }
                                }
                            }
                        }
                        @for row in rows { (line(row, &columns)) }
                    }
                }
            }
        }
    }
}

fn body<'a>(family: Family<'a>, figures: Vec<&'a Figure>) -> Body<'a> {
    let ratios = figures.iter().filter_map(|figure| figure.ratio.as_ref());
    let yardsticks: BTreeSet<_> = ratios.map(|ratio| (ratio.to.as_str(), ratio.of.as_str())).collect();
    let yardstick = yardsticks.first().copied().filter(|_| yardsticks.len() == 1);
    Body { family, rows: rows(figures), yardstick }
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
