//! A run in sentences, each computed from its figures; what was not measured is not spoken of.

use std::collections::BTreeMap;

use super::results::{Figure, Group, Results};
use crate::cli::figures::duration;

/// What can be said.
pub fn verdict(results: &Results) -> Vec<String> {
    let figures = &results.figures;
    let mut said = Vec::new();
    if results.machine.media.iter().any(|medium| medium.emulated) {
        said.push(
            "EMULATED: the tail is ordinary memory. Its figures are those of the instructions, not of persistent memory, and \
             what was committed survives a kill of the process, not a power cut."
                .to_string(),
        );
    }
    said.extend(commits(figures));
    said.extend(tails(figures));
    said.extend(crossover(figures));
    said.extend(scaling(figures));
    said.extend(through(figures));
    said.extend(recovery(figures));
    said.extend(follows(figures));
    said
}

fn of<'a>(figures: &'a [Figure], what: &str) -> impl Iterator<Item = &'a Figure> {
    let what = what.to_string();
    figures.iter().filter(move |figure| figure.group == Group::Engine && figure.what == what)
}

fn ours<'a>(figures: &'a [Figure], what: &str) -> impl Iterator<Item = &'a Figure> {
    of(figures, what).filter(|figure| figure.by.starts_with("tierlog"))
}

/// `A 64 B commit costs 1.10 times the raw loop (120 ns of 110 ns at p50).`
fn commits(figures: &[Figure]) -> Vec<String> {
    let sentence = |figure: &Figure| {
        let (ratio, latency) = (figure.ratio.as_ref()?, figure.latency.as_ref()?);
        Some(format!(
            "A commit ({}) costs {:.2} times the {} ({:.2} to {:.2}), {} at p50.",
            figure.at,
            ratio.value.median,
            ratio.to,
            ratio.value.min,
            ratio.value.max,
            duration(latency.p50_ns)
        ))
    };
    ours(figures, "commit").filter_map(sentence).collect()
}

/// What the open loop's worst come from.
fn tails(figures: &[Figure]) -> Vec<String> {
    let sentence = |figure: &Figure| {
        let response = figure.response.as_ref()?;
        let p99_9 = response.p99_9_ns?;
        let mut causes: BTreeMap<String, u32> = BTreeMap::new();
        for stall in &figure.stalls {
            // Without the figures in it.
            let kind: String = stall.why.chars().filter(|c| !c.is_ascii_digit()).collect();
            *causes.entry(kind.replace("  ", " ")).or_default() += 1;
        }
        let most = causes.iter().max_by_key(|(_, count)| **count);
        let cause = match most {
            Some((cause, count)) => {
                format!("; of its {} worst stalls {count} are: {cause}", figure.stalls.len())
            }
            None => "; it had no stall".into(),
        };
        let at = figure.at.rate_per_s?;
        Some(format!(
            "At {at} commits a second the response is {} at p50, {} at p99.9, {} at most{cause}.",
            duration(response.p50_ns),
            duration(p99_9),
            duration(response.max_ns)
        ))
    };
    ours(figures, "open loop").filter_map(sentence).collect()
}

/// From which size on stores past the cache beat those through it.
fn crossover(figures: &[Figure]) -> Option<String> {
    let speed = |by: &str| -> BTreeMap<u64, f64> {
        let own = of(figures, "commit")
            .filter(|figure| figure.by == by && figure.at.batch.is_none_or(|batch| batch == 1));
        own.filter_map(|figure| Some((figure.at.size_bytes?, figure.per_s?.median))).collect()
    };
    let (through, past) = (speed("raw loop"), speed("raw loop past the cache"));
    let wins =
        |size: &u64| past.get(size).zip(through.get(size)).is_some_and(|(past, through)| past > through);
    if past.len() < 2 {
        return None;
    }
    let first = past.keys().find(|size| past.keys().filter(|other| other >= size).all(wins));
    Some(match first {
        Some(size) => format!("Stores past the cache are faster from {size} B on."),
        None => "Stores past the cache are not faster at any size measured.".into(),
    })
}

fn scaling(figures: &[Figure]) -> Vec<String> {
    let sentence = |figure: &Figure| {
        let (ratio, threads) = (figure.ratio.as_ref()?, figure.at.threads?);
        (threads > 1).then(|| {
            format!(
                "{threads} lanes make {:.2} of the commits of {threads} raw loops.",
                1.0 / ratio.value.median
            )
        })
    };
    ours(figures, "scale").filter_map(sentence).collect()
}

fn through(figures: &[Figure]) -> Vec<String> {
    let sentence = |figure: &Figure| {
        let (ratio, latency) = (figure.ratio.as_ref()?, figure.latency.as_ref()?);
        Some(format!(
            "Without persistent memory a commit ({}) takes {} at p50, {:.2} times {}; it survives {}.",
            figure.at,
            duration(latency.p50_ns),
            ratio.value.median,
            ratio.to,
            figure.promise
        ))
    };
    ours(figures, "commit through").filter_map(sentence).collect()
}

fn recovery(figures: &[Figure]) -> Option<String> {
    let scan = of(figures, "recover").filter(|figure| figure.by == "tierlog, scan").last()?;
    let (ratio, speed) = (scan.ratio.as_ref()?, scan.bytes_per_s?);
    Some(format!(
        "Recovery scans the tail at {:.1} GB/s, {:.2} of a plain checksum over the same memory.",
        speed.median / 1e9,
        1.0 / ratio.value.median
    ))
}

fn follows(figures: &[Figure]) -> Option<String> {
    let figure = ours(figures, "follow").find(|figure| figure.by == "tierlog, one lane")?;
    let latency = figure.latency.as_ref()?;
    Some(format!(
        "Another thread has a record {} after its commit was called, at p50.",
        duration(latency.p50_ns)
    ))
}
