//! Facts of the machine, and how noisy it was.

use maud::{Markup, html};

use crate::bench::report::number::{percent, size, three, time};
use crate::bench::results::{Machine, Noise, Results};

/// Gaps that are shown.
const GAPS_MAX: usize = 5;

pub(in super::super) fn section(results: &Results) -> Markup {
    html! {
        section id="machine" {
            h2 { "Machine" }
            div.pair {
                (machine(&results.machine))
                (noise(&results.noise))
            }
            (media(&results.machine))
        }
    }
}

fn machine(machine: &Machine) -> Markup {
    html! {
        table.facts {
            caption { h3 { "Facts" } }
            tbody {
                (fact("host", &machine.host))
                (fact("processor", &machine.cpu))
                (fact("processors for this run", &machine.cpus.to_string()))
                (fact("NUMA nodes", &machine.nodes.to_string()))
                (fact("memory", &size(machine.memory_bytes)))
                (fact("kernel", &machine.kernel))
                @for (name, value) in &machine.facts { (fact(name, value)) }
            }
        }
    }
}

fn noise(noise: &Noise) -> Markup {
    let gaps: Vec<String> = noise.gaps_ns.iter().take(GAPS_MAX).map(|ns| time(*ns as f64)).collect();
    let gaps = if gaps.is_empty() { "none seen".into() } else { gaps.join(", ") };
    let load = noise.load.map(three);
    html! {
        div {
            table.facts {
                caption { h3 { "Noise, as measured" } }
                tbody {
                    (fact("load average, before and after", &load.join(", ")))
                    (fact("taken by the hypervisor", &percent(noise.steal)))
                    (fact("a spinning thread stood still for", &gaps))
                    (fact("change of the processor's speed", &percent(noise.drift)))
                    (fact("yardsticks differ between runs by", &percent(noise.spread)))
                }
            }
            @if noise.warnings.is_empty() { p.hint { "Quiet enough to believe tails." } }
            @else {
                div.warning role="note" {
                    p { b { "Noisy: do not believe tails or small differences." } }
                    ul { @for warning in &noise.warnings { li { (warning) } } }
                }
            }
        }
    }
}

fn media(machine: &Machine) -> Markup {
    html! {
        @if !machine.media.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Media" {
                table.media {
                    caption { h3 { "Media" } }
                    thead { tr { th scope="col" { "name" } th scope="col" { "where" } th scope="col" { "probed" } } }
                    tbody {
                        @for medium in &machine.media {
                            tr {
                                th scope="row" { (medium.name) @if medium.emulated { " " b.emulated { "EMULATED" } } }
                                td { code { (medium.path) } }
                                td { (medium.description) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn fact(name: &str, value: &str) -> Markup {
    html! { tr { th scope="row" { (name) } td { (value) } } }
}
