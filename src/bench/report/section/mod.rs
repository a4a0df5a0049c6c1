//! The parts of a report.
//!
//! Contents, as they stand in the page: [`machine`], [`ratios`] (beside the yardsticks), [`percentiles`], [`timeline`],
//! [`threads`], [`maps`] (instructions, ways, nodes), [`peers`], [`costs`], [`figures`] (the tables), [`ending`] (what was
//! skipped, how to repeat).

pub(super) mod costs;
pub(super) mod ending;
pub(super) mod figures;
pub(super) mod machine;
pub(super) mod maps;
pub(super) mod peers;
pub(super) mod percentiles;
pub(super) mod ratios;
pub(super) mod threads;
pub(super) mod timeline;

use maud::{Markup, html};

use crate::bench::results::Group;

/// The suite's parts, by what most readers look for first.
const GROUPS: [(Group, &str); 6] = [
    (Group::Engine, "The log"),
    (Group::Peers, "Peers"),
    (Group::Device, "Device"),
    (Group::Primitive, "Instructions"),
    (Group::Numa, "Nodes"),
    (Group::Cost, "Costs"),
];

/// Charts, of which those beyond two rows on a wide screen unfold.
fn several(class: &str, charts: Vec<Markup>) -> Markup {
    let shown = if class == "grid" { 6 } else { 4 };
    let more = charts.len().saturating_sub(shown);
    html! {
        div class=(class) { @for chart in charts.iter().take(shown) { (chart) } }
        @if more > 0 {
            details {
                summary { (more) " more" }
                div class=(class) { @for chart in charts.iter().skip(shown) { (chart) } }
            }
        }
    }
}
