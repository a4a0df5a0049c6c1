//! Lines over two axes, as inline SVG. A line is told from another by colour and by the shape of its marks.

use maud::{Markup, html};

use super::axis::Axis;

/// Drawing area in units of the view box; the rest is for ticks.
const LEFT: f64 = 54.0;
const RIGHT: f64 = 380.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 190.0;
/// Colours and shapes that can be told apart.
pub(in super::super) const LINES_MAX: usize = 8;

/// A chart.
pub(in super::super) struct LineChart {
    /// Unique in the page.
    pub(in super::super) id: String,
    pub(in super::super) title: String,
    /// Medium and promise.
    pub(in super::super) tag: Markup,
    pub(in super::super) x: Axis,
    pub(in super::super) y: Axis,
    pub(in super::super) x_label: &'static str,
    pub(in super::super) y_label: String,
    pub(in super::super) lines: Vec<Line>,
}

/// A line.
#[derive(Debug)]
pub(in super::super) struct Line {
    pub(in super::super) name: String,
    /// Which colour and shape.
    pub(in super::super) style: usize,
    pub(in super::super) dashed: bool,
    /// By rising x.
    pub(in super::super) dots: Vec<Dot>,
    /// From here on it says little, and is drawn thin.
    pub(in super::super) thin_from: f64,
    /// What it shows, for those who cannot see it.
    pub(in super::super) summary: String,
}

/// A point of a line.
#[derive(Debug)]
pub(in super::super) struct Dot {
    pub(in super::super) x: f64,
    pub(in super::super) y: f64,
    /// Smallest and largest over runs.
    pub(in super::super) spread: Option<(f64, f64)>,
    /// A mark, and what is said when one points at it.
    pub(in super::super) mark: Option<String>,
}

impl LineChart {
    /// As HTML, with its legend.
    pub(in super::super) fn draw(&self) -> Markup {
        let (title, desc) = (format!("{}-t", self.id), format!("{}-d", self.id));
        let summary: Vec<&str> = self.lines.iter().map(|line| line.summary.as_str()).collect();
        html! {
            figure.chart {
                figcaption { h4 { (self.title) } (self.tag) (self.legend()) }
                svg viewBox="0 0 400 228" role="img" aria-labelledby=(format!("{title} {desc}")) {
                    title id=(title) { (self.title) }
                    desc id=(desc) { (self.y_label) " over " (self.x_label) ". " (summary.join("; ")) }
                    (self.axes())
                    @for line in &self.lines { (self.line(line)) }
                }
            }
        }
    }

    fn legend(&self) -> Markup {
        html! {
            ul.legend {
                @for line in &self.lines {
                    li {
                        svg.key viewBox="0 0 28 12" aria-hidden="true" {
                            g class=(class(line)) {
                                path.stroke d="M1 6H27" {}
                                path.mark d=(shape(line.style, 14.0, 6.0)) {}
                            }
                        }
                        (line.name)
                    }
                }
            }
        }
    }

    fn axes(&self) -> Markup {
        html! {
            g.axes aria-hidden="true" {
                @for (place, text) in &self.y.ticks {
                    @let y = down(*place);
                    path d=(format!("M{LEFT} {y:.1}H{RIGHT}")) {}
                    text.end x=(LEFT - 5.0) y=(format!("{:.1}", y + 4.0)) { (text) }
                }
                @for (place, text) in &self.x.ticks {
                    @let x = across(*place);
                    path d=(format!("M{x:.1} {BOTTOM}v4")) {}
                    text.middle x=(format!("{x:.1}")) y="207" { (text) }
                }
                path.base d=(format!("M{LEFT} {BOTTOM}H{RIGHT}")) {}
                text x="2" y="10" { (self.y_label) @if self.y.is_log() { " (log)" } }
                text.middle x=((LEFT + RIGHT) / 2.0) y="224" { (self.x_label) }
            }
        }
    }

    fn line(&self, line: &Line) -> Markup {
        let at = |dot: &Dot| (across(self.x.place(dot.x)), down(self.y.place(dot.y)));
        let thin = line.dots.partition_point(|dot| dot.x <= line.thin_from);
        let path = |dots: &[Dot]| {
            let mut path = String::new();
            for (i, (x, y)) in dots.iter().map(at).enumerate() {
                path.push_str(&format!("{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' }));
            }
            path
        };
        html! {
            g class=(class(line)) {
                path.stroke d=(path(&line.dots[..thin])) {}
                @if thin < line.dots.len() { path.stroke.thin d=(path(&line.dots[thin.saturating_sub(1)..])) {} }
                @for dot in &line.dots {
                    @let (x, y) = at(dot);
                    @if let Some((low, high)) = dot.spread {
                        path.spread d=(format!("M{x:.1} {:.1}V{:.1}", down(self.y.place(low)), down(self.y.place(high)))) {}
                    }
                    @if let Some(said) = &dot.mark {
                        path.mark d=(shape(line.style, x, y)) { title { (line.name) ": " (said) } }
                    }
                }
            }
        }
    }
}

fn across(place: f64) -> f64 {
    LEFT + place * (RIGHT - LEFT)
}

fn down(place: f64) -> f64 {
    BOTTOM - place * (BOTTOM - TOP)
}

fn class(line: &Line) -> String {
    let hollow = if line.style % LINES_MAX >= 4 { " hollow" } else { "" };
    let dashed = if line.dashed { " dashed" } else { "" };
    format!("s{}{hollow}{dashed}", line.style % LINES_MAX)
}

/// A circle, a square, a triangle, a diamond; then the same hollow.
fn shape(style: usize, x: f64, y: f64) -> String {
    match style % 4 {
        0 => format!("M{:.1} {y:.1}a3 3 0 1 0 6 0a3 3 0 1 0 -6 0Z", x - 3.0),
        1 => format!("M{:.1} {:.1}h5.4v5.4h-5.4Z", x - 2.7, y - 2.7),
        2 => format!("M{x:.1} {:.1}l3.6 6.2h-7.2Z", y - 3.8),
        _ => format!("M{x:.1} {:.1}l3.9 3.9l-3.9 3.9l-3.9 -3.9Z", y - 3.9),
    }
}
