//! Bars in a table: the number beside each, the spread over its end.

use maud::{Markup, html};

use super::axis::Axis;

/// A table of bars.
pub(in super::super) struct Bars {
    pub(in super::super) title: String,
    /// Medium and promise.
    pub(in super::super) tag: Markup,
    /// Heads of the columns: who, the value, then one for each cell.
    pub(in super::super) head: Vec<String>,
    pub(in super::super) axis: Axis,
    /// A value to hold the others against.
    pub(in super::super) reference: Option<f64>,
    /// How a value is written.
    pub(in super::super) say: fn(f64) -> String,
    pub(in super::super) rows: Vec<Bar>,
}

/// A row.
pub(in super::super) struct Bar {
    pub(in super::super) name: String,
    /// Stands out.
    pub(in super::super) ours: bool,
    /// Smallest, median, largest.
    pub(in super::super) value: [f64; 3],
    pub(in super::super) cells: Vec<String>,
}

impl Bars {
    /// As HTML.
    pub(in super::super) fn draw(&self) -> Markup {
        let percent = |value: f64| format!("{:.1}%", 100.0 * self.axis.place(value));
        let place = |[low, middle, high]: [f64; 3]| {
            format!("--low:{};--at:{};--high:{}", percent(low), percent(middle), percent(high))
        };
        html! {
            figure.chart {
                table.bars {
                    caption { h4 { (self.title) } (self.tag) }
                    thead { tr { @for name in &self.head { th scope="col" { (name) } } } }
                    tbody {
                        @for row in &self.rows {
                            tr.ours[row.ours] {
                                th scope="row" {
                                    (row.name)
                                    div.bar.log[self.axis.is_log()] style=(place(row.value)) aria-hidden="true" {
                                        i {} b {}
                                        @if let Some(value) = self.reference {
                                            s style=(format!("--at:{}", percent(value))) {}
                                        }
                                    }
                                }
                                td {
                                    ((self.say)(row.value[1]))
                                    span.range { ((self.say)(row.value[0])) " to " ((self.say)(row.value[2])) }
                                }
                                @for cell in &row.cells { td { (cell) } }
                            }
                        }
                    }
                }
                @if self.axis.is_log() { p.hint {
                    "Log scale from " ((self.say)(self.axis.low)) " to " ((self.say)(self.axis.high))
                    ": a dot is the median, the line smallest to largest run."
                 } }
            }
        }
    }
}
