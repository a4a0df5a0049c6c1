//! The result in sentences.

use tierlog::bench::results::Figure;

use crate::peers::{KINDS, OURS, SHARED, STREAMS};

/// On each medium, how far ahead ours is of the best of the others; then what streams cost beside a batch.
pub fn verdict(figures: &[Figure]) -> Vec<String> {
    let mut media: Vec<&str> = figures.iter().map(|figure| figure.medium.as_str()).collect();
    media.dedup();
    let mut sentences: Vec<String> = media.into_iter().filter_map(|medium| ahead(medium, figures)).collect();
    sentences
        .extend(figures.iter().filter(|figure| figure.by == STREAMS).filter_map(|one| streams(one, figures)));
    sentences
}

fn per_s(figure: &Figure) -> f64 {
    figure.per_s.map_or(0.0, |per_s| per_s.median)
}

fn ahead(medium: &str, figures: &[Figure]) -> Option<String> {
    let is_peer = |figure: &&Figure| {
        let kind = KINDS.iter().find(|kind| kind.name == figure.by);
        kind.is_some_and(|kind| kind.read.is_some()) && ![OURS, SHARED, STREAMS].contains(&figure.by.as_str())
    };
    let beside = |own: &Figure| {
        let there =
            figures.iter().filter(|other| other.medium == medium && other.at == own.at).filter(is_peer);
        there.max_by(|one, other| per_s(one).total_cmp(&per_s(other))).map(|best| per_s(own) / per_s(best))
    };
    // At each point the better of a lane a thread and one for all.
    let better = |figure: &&Figure| {
        let ours = figures.iter().filter(|own| own.medium == medium && own.at == figure.at);
        let ours = ours.filter(|own| [OURS, SHARED].contains(&own.by.as_str()));
        ours.max_by(|one, other| per_s(one).total_cmp(&per_s(other))).is_some_and(|best| best.by == figure.by)
    };
    let ours = figures.iter().filter(|figure| figure.medium == medium).filter(better);
    let mut points: Vec<(f64, &Figure)> = ours.filter_map(|own| Some((beside(own)?, own))).collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (least, closest) = points.first()?;
    let won = points.iter().filter(|point| point.0 > 1.0).count();
    Some(format!(
        "{medium}, {}: more commits a second than every other log at {won} of {} points; {least:.2} times the best of \
         them at its least ({})",
        closest.promise,
        points.len(),
        closest.at
    ))
}

fn streams(one: &Figure, figures: &[Figure]) -> Option<String> {
    let batch = figures.iter().find(|own| own.medium == one.medium && own.at == one.at && own.by == OURS)?;
    Some(format!(
        "{}, {}: a commit over {} streams takes {:.2} times a commit of as many records of one stream",
        one.medium,
        one.at,
        one.at.batch?,
        per_s(batch) / per_s(one)
    ))
}
