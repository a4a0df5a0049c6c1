//! Heat maps: a table whose cells are coloured by the log of their value, the number in each.
//!
//! Invariant: no more rows and columns than a page can hold; what is beyond is left to the table of figures.

use maud::{Markup, html};

/// A map.
pub(in super::super) struct Heat {
    pub(in super::super) title: String,
    /// Medium and promise.
    pub(in super::super) tag: Markup,
    /// What rows and columns are: `instruction`, `size`.
    pub(in super::super) corner: (&'static str, &'static str),
    pub(in super::super) columns: Vec<String>,
    pub(in super::super) rows: Vec<(String, Vec<Option<f64>>)>,
    /// How a value is written.
    pub(in super::super) say: fn(f64) -> String,
    /// What a strong colour means.
    pub(in super::super) hot: Hot,
}

/// What a strong colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Hot {
    Slow,
    Fast,
}

impl Heat {
    /// Rows that a map has at most.
    pub(in super::super) const ROWS_MAX: usize = 40;
    /// Columns that a map has at most.
    pub(in super::super) const COLUMNS_MAX: usize = 24;

    /// As HTML.
    pub(in super::super) fn draw(&self) -> Markup {
        let values = || {
            self.rows
                .iter()
                .flat_map(|(_, cells)| cells.iter().flatten())
                .filter(|v| v.is_finite() && **v > 0.0)
        };
        let (min, max) =
            values().fold((f64::MAX, 0.0_f64), |(min, max), value| (value.min(min), value.max(max)));
        let cut = self.rows.len() > Self::ROWS_MAX || self.columns.len() > Self::COLUMNS_MAX;
        html! {
            figure.chart {
                div.scroll tabindex="0" role="region" aria-label=(self.title) {
                    table.heat.fast[self.hot == Hot::Fast] {
                        caption { h4 { (self.title) } (self.tag) }
                        thead {
                            tr {
                                th scope="col" { (self.corner.0) " \\ " (self.corner.1) }
                                @for name in self.columns.iter().take(Self::COLUMNS_MAX) { th scope="col" { (unbroken(name)) } }
                            }
                        }
                        tbody {
                            @for (name, cells) in self.rows.iter().take(Self::ROWS_MAX) {
                                tr {
                                    th scope="row" { (name) }
                                    @for cell in cells.iter().take(Self::COLUMNS_MAX) {
                                        @match cell {
                                            Some(value) => td style=(format!("--heat-at:{:.0}%", heat(*value, min, max))) { ((self.say)(*value)) }
                                            None => td.none { "·" }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                p.hint { "Strong colour: " (if self.hot == Hot::Slow { "slow" } else { "fast" }) "." @if cut { " Not all fit: the rest is among the figures below." } }
            }
        }
    }
}

/// Broken between its parts only.
fn unbroken(name: &str) -> String {
    name.replace(' ', "\u{a0}").replace(",\u{a0}", ", ")
}

/// 0 to 100.
fn heat(value: f64, min: f64, max: f64) -> f64 {
    let place = 100.0 * (value / min).ln() / (max / min).ln();
    if place.is_finite() { place.clamp(0.0, 100.0) } else { 0.0 }
}
