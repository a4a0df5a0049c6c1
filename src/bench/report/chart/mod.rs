//! Charts: lines as inline SVG, bars and heat maps as tables with colour.
//!
//! No chart library: the colours here are CSS variables (dark mode, print), the text keeps its size while the chart
//! shrinks, each chart has a title and a description for those who cannot see it, and a table stays a table. What plotters
//! writes has fixed colours and sizes, and no titles.
//!
//! Contents: `axis` (values to places and ticks), `line`, `bars`, `heat`.

pub(super) mod axis;
pub(super) mod bars;
pub(super) mod heat;
pub(super) mod line;
