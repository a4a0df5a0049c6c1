//! Two clocks at one moment.

const LOOKS: usize = 9;

/// What `look` says, and the counter when it did. Of several looks the one that took least counts: a thread that loses its
/// processor between the two clocks does not take its absence for a difference.
pub(super) fn beside<T>(ticks: impl Fn() -> u64, look: impl Fn() -> T) -> (u64, T) {
    let looks = (0..LOOKS).map(|_| {
        let before = ticks();
        let seen = look();
        let took = ticks().saturating_sub(before);
        (took, before + took / 2, seen)
    });
    let (_, at, seen) = looks.min_by_key(|(took, ..)| *took).expect("there are some");
    (at, seen)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_look_that_took_least_counts() {
        let (now, number) = (Cell::new(0), Cell::new(0));
        let look = || {
            number.set(number.get() + 1);
            now.set(now.get() + if number.get() == 4 { 10 } else { 1000 });
            number.get()
        };
        assert_eq!(beside(|| now.get(), look), (3005, 4));
    }
}
