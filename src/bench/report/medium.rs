//! Medium and promise, to stand beside every number; EMULATED where it is.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::bench::results::{Figure, Medium, Results};

const MARK: &str = "EMULATED";

/// Whether the medium or the promise says so.
fn emulated(results: &Results, medium: &str, promise: &str) -> bool {
    promise.contains(MARK) || results.machine.media.iter().any(|known| known.name == medium && known.emulated)
}

/// Below a title: `survives power loss, on nvme`.
pub(super) fn tag(results: &Results, medium: &str, promise: &str) -> Markup {
    html! { p.on { (line(results, medium, promise)) } }
}

/// `survives kill -9, on tail EMULATED`; the mark where the promise has it, else where the medium is.
pub(super) fn line(results: &Results, medium: &str, promise: &str) -> Markup {
    let mark = html! { " " b.emulated { (MARK) } };
    let plain = promise.strip_suffix(MARK_BEHIND);
    html! {
        @match promise { "nothing" => "promises", _ => "survives" } " " (plain.unwrap_or(promise))
        @if plain.is_some() { (mark) }
        ", on " (medium)
        @if plain.is_none() && emulated(results, medium, promise) { (mark) }
    }
}

/// How promises carry the mark.
const MARK_BEHIND: &str = " (EMULATED)";

/// The banner, if any figure is.
pub(super) fn banner(results: &Results) -> Markup {
    let touched = |figure: &&Figure| emulated(results, &figure.medium, &figure.promise);
    let names: BTreeSet<&str> =
        results.figures.iter().filter(touched).map(|figure| figure.medium.as_str()).collect();
    let described = |name: &str| results.machine.media.iter().find(|medium| medium.name == name).cloned();
    html! {
        @if !names.is_empty() {
            aside.banner {
                p.large { (MARK) }
                ul {
                    @for name in names {
                        li {
                            b { (name) } ": ordinary memory in the place of persistent memory"
                            @if let Some(Medium { path, .. }) = described(name) { ", at " code { (path) } }
                        }
                    }
                }
                p { "Figures on it tell what the instructions cost, not what such a medium would cost; "
                    "the promise beside each tells what it survives here." }
            }
        }
    }
}
