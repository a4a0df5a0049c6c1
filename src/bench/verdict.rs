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
    said.extend(drained(figures));
    said.extend(sustained(figures));
    said.extend(tails(figures));
    said.extend(crossover(figures));
    said.extend(scaling(figures));
    said.extend(through(figures));
    said.extend(rotations(figures));
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

/// `While its lane is drained a commit (64 B) takes 1 us at p99, 1.20 times as long as without.`
fn drained(figures: &[Figure]) -> Vec<String> {
    let sentence = |figure: &Figure| {
        let (ratio, p99_ns) = (figure.ratio.as_ref()?, figure.latency.as_ref()?.p99_ns?);
        Some(format!(
            "While its lane is drained a commit ({}) takes {} at p99, {:.2} times as long as without.",
            figure.at,
            duration(p99_ns),
            ratio.value.median
        ))
    };
    ours(figures, "commit, drained").filter_map(sentence).collect()
}

/// `At full speed without an end a lane takes 1.75 M commits a second (64 B), ...`
fn sustained(figures: &[Figure]) -> Vec<String> {
    let sentence = |figure: &Figure| {
        Some(format!(
            "At full speed without an end a lane takes {:.2} M commits a second ({}), its drainer {:.2} of a processor; \
             commits wait for room for {:.0}% of the time.",
            figure.per_s?.median / 1e6,
            figure.at,
            figure.counted.get("drainer_share")?,
            figure.counted.get("room_wait_share")? * 100.0
        ))
    };
    of(figures, "sustained").filter(|figure| figure.by == "tierlog").filter_map(sentence).collect()
}

/// What the open loop's worst come from.
fn tails(figures: &[Figure]) -> Vec<String> {
    let sentence = |figure: &Figure| {
        let response = figure.response.as_ref()?;
        let p99_9 = response.p99_9_ns?;
        let mut causes: BTreeMap<String, u32> = BTreeMap::new();
        for stall in &figure.stalls {
            *causes.entry(without_figures(&stall.why)).or_default() += 1;
        }
        let most = causes.iter().max_by_key(|(_, count)| **count);
        let cause = match most {
            Some((cause, count)) => {
                format!("; {count} of its {} worst stalls: {cause}", figure.stalls.len())
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

/// Without what stands in brackets.
fn without_figures(why: &str) -> String {
    why.split(" (")
        .enumerate()
        .map(|(nth, part)| match nth {
            0 => part,
            _ => part.split_once(')').map_or("", |(_, rest)| rest),
        })
        .collect()
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
                "{threads} lanes make {:.2} of the commits of {threads} raw loops{}.",
                1.0 / ratio.value.median,
                if figure.by == "tierlog" { "" } else { " while they are drained" }
            )
        })
    };
    ours(figures, "scale").filter_map(sentence).collect()
}

fn through(figures: &[Figure]) -> Vec<String> {
    let sentence = |figure: &Figure| {
        let (ratio, latency) = (figure.ratio.as_ref()?, figure.latency.as_ref()?);
        Some(format!(
            "Without persistent memory a commit ({}{}) takes {} at p50, {:.2} times {}; it survives {}.",
            figure.at,
            figure.by.trim_start_matches("tierlog"),
            duration(latency.p50_ns),
            ratio.value.median,
            ratio.to,
            figure.promise
        ))
    };
    ours(figures, "commit through").filter_map(sentence).collect()
}

/// `A commit that begins a segment takes 90 us at p50, 1.30 times the others; 0 of 40 had to make theirs.`
fn rotations(figures: &[Figure]) -> Vec<String> {
    let sentence = |figure: &Figure| {
        let (ratio, latency) = (figure.ratio.as_ref()?, figure.latency.as_ref()?);
        Some(format!(
            "A commit that begins a segment on the disk ({}) takes {} at p50, {:.2} times the others; {} of {} had to make \
             theirs.",
            figure.at,
            duration(latency.p50_ns),
            ratio.value.median,
            figure.counted.get("waits_for_segment")?,
            latency.count
        ))
    };
    ours(figures, "rotation").filter_map(sentence).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::{Latency, Point, Ratio, Spread, Stall};

    fn latency(ns: u64) -> Latency {
        Latency {
            count: 100_000,
            mean_ns: ns as f64,
            p50_ns: ns,
            p90_ns: Some(ns),
            p99_ns: Some(ns),
            p99_9_ns: Some(10 * ns),
            p99_99_ns: None,
            max_ns: 100 * ns,
            curve: Vec::new(),
        }
    }

    fn figure(what: &str, by: &str) -> Figure {
        let at = Point {
            size_bytes: Some(64),
            rate_per_s: (what == "open loop").then_some(1000),
            ..Point::default()
        };
        Figure::new(Group::Engine, what, by, at, "tail", "power loss")
    }

    #[test]
    fn a_commit_is_spoken_of_beside_its_yardstick() {
        let mut figure = figure("commit", "tierlog");
        figure.latency = Some(latency(120));
        let value = Spread { min: 1.05, median: 1.1, max: 1.2 };
        figure.ratio = Some(Ratio { to: "raw loop".into(), of: "time".into(), value });
        assert_eq!(
            commits(&[figure]),
            ["A commit (64 B) costs 1.10 times the raw loop (1.05 to 1.20), 120 ns at p50."]
        );
    }

    #[test]
    fn a_drain_is_told_by_what_it_costs_commits() {
        let mut figure = figure("commit, drained", "tierlog");
        figure.latency = Some(latency(300));
        let value = Spread { min: 1.0, median: 1.25, max: 2.0 };
        figure.ratio = Some(Ratio { to: "tierlog, not drained".into(), of: "p99".into(), value });
        assert_eq!(
            drained(&[figure]),
            ["While its lane is drained a commit (64 B) takes 300 ns at p99, 1.25 times as long as without."]
        );
    }

    #[test]
    fn a_rotation_is_told_beside_the_other_commits() {
        let mut figure = figure("rotation", "tierlog, begins a segment");
        figure.latency = Some(Latency { count: 40, ..latency(90_000) });
        figure.counted.insert("waits_for_segment".into(), 1.0);
        let value = Spread { min: 1.5, median: 1.5, max: 1.5 };
        figure.ratio = Some(Ratio { to: "tierlog".into(), of: "p50".into(), value });
        let said = "A commit that begins a segment on the disk (64 B) takes 90.0 us at p50, 1.50 times the others; \
                    1 of 40 had to make theirs.";
        assert_eq!(rotations(&[figure]), [said]);
    }

    #[test]
    fn a_full_ring_is_told_by_its_rate_and_who_has_the_processor() {
        let mut figure = figure("sustained", "tierlog");
        figure.per_s = Some(Spread { min: 1e6, median: 1.75e6, max: 2e6 });
        figure.counted = [("drainer_share".into(), 0.24), ("room_wait_share".into(), 0.5)].into();
        let said = "At full speed without an end a lane takes 1.75 M commits a second (64 B), its drainer 0.24 of a \
                    processor; commits wait for room for 50% of the time.";
        assert_eq!(sustained(&[figure]), [said]);
    }

    #[test]
    fn what_sets_the_tail_is_the_most_frequent_cause() {
        let mut figure = figure("open loop", "tierlog");
        figure.response = Some(latency(1_000));
        let stall = |us: u64| Stall {
            at_ms: 0.0,
            ns: us * 1000,
            why: format!("preempted ({us} us); page faults (1)"),
        };
        figure.stalls = vec![stall(30), stall(20)];
        let said = tails(&[figure]);
        assert!(
            said[0].contains("10.0 us at p99.9")
                && said[0].ends_with("2 of its 2 worst stalls: preempted; page faults."),
            "{said:?}"
        );
    }

    #[test]
    fn stores_past_the_cache_win_from_a_size_on() {
        let at = |by: &str, size: u64, per_s: f64| {
            let mut figure = figure("commit", by);
            figure.at.size_bytes = Some(size);
            figure.per_s = Some(Spread { min: per_s, median: per_s, max: per_s });
            figure
        };
        let (raw, past) = ("raw loop", "raw loop past the cache");
        let figures = [at(raw, 64, 9.0), at(past, 64, 5.0), at(raw, 1024, 3.0), at(past, 1024, 4.0)];
        assert_eq!(crossover(&figures).unwrap(), "Stores past the cache are faster from 1024 B on.");
        assert_eq!(crossover(&figures[..3]), None);
    }
}
