//! A run for people: one HTML file that opens anywhere, offline.
//!
//! Every string of the results is escaped (by maud, always), and the page allows no script and no request: results may come
//! from somebody else. Every number has its promise and its medium beside it; nothing is drawn across promises.
//!
//! Contents: `page` (the file as a whole, with `style.css`), `section` (its parts), `chart` (lines, bars, heat maps),
//! `compare` (what may stand in one chart), `medium` (promise, medium, EMULATED), `number` (digits and units).

mod chart;
mod compare;
mod medium;
mod number;
mod page;
mod section;
#[cfg(test)]
mod tests;

pub use page::html;
