//! From values to places, and the ticks between.
//!
//! Invariants: every place is within 0 to 1, whatever the value; an axis has ten ticks at most.

/// Beyond this ratio of largest to smallest a linear axis hides the small ones.
const LINEAR_SPAN_MAX: f64 = 30.0;
/// Ticks beyond these do not fit under a chart.
const TICKS_MAX: usize = 8;

/// One axis.
#[derive(Debug)]
pub(in super::super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    log: bool,
    /// Where, 0 to 1, and what is said there.
    pub(in super::super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Linear from zero, or logarithmic where the values span too much for that.
    pub(in super::super) fn fitting(values: &[f64], say: impl Fn(f64) -> String) -> Axis {
        match bounds(values) {
            Some((min, max)) if max / min > LINEAR_SPAN_MAX => Axis::log(values, say),
            _ => Axis::linear(values, say),
        }
    }

    /// From zero.
    pub(in super::super) fn linear(values: &[f64], say: impl Fn(f64) -> String) -> Axis {
        let max = bounds(values).map_or(1.0, |(_, max)| max);
        let step = nice_above(max / 4.5);
        let high = step * (max / step).ceil().max(1.0);
        let axis = Axis { low: 0.0, high, log: false, ticks: Vec::new() };
        let at = (0..=TICKS_MAX).map(|i| i as f64 * step).take_while(|value| *value <= high * 1.001);
        axis.with_ticks(at, say)
    }

    /// Logarithmic, between round numbers.
    pub(in super::super) fn log(values: &[f64], say: impl Fn(f64) -> String) -> Axis {
        let (min, max) = bounds(values).unwrap_or((1.0, 10.0));
        // A line does not run along the edge.
        let (low, mut high) = (nice_below(min * 0.9), nice_above(max));
        if high / low < 4.0 {
            high = nice_above(low * 4.0);
        }
        let axis = Axis { low, high, log: true, ticks: Vec::new() };
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let within = |value: &f64| *value >= low * 0.999 && *value <= high * 1.001;
        let ticks = |steps: &[f64]| -> Vec<f64> {
            let decade = |power| steps.iter().map(move |step| step * 10_f64.powi(power));
            (first..=last).flat_map(decade).filter(within).collect()
        };
        let fine = ticks(&[1.0, 2.0, 5.0]);
        let all = if fine.len() <= TICKS_MAX { fine } else { ticks(&[1.0]) };
        let every = all.len().div_ceil(TICKS_MAX).max(1);
        axis.with_ticks(all.into_iter().step_by(every), say)
    }

    /// Logarithmic, with ticks at the values themselves: threads, lanes, sizes.
    pub(in super::super) fn steps(values: &[f64], say: impl Fn(f64) -> String) -> Axis {
        let mut all: Vec<f64> =
            values.iter().copied().filter(|value| value.is_finite() && *value > 0.0).collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        let (min, max) = bounds(values).unwrap_or((1.0, 2.0));
        let high = if max > min { max } else { min * 2.0 };
        let every = all.len().div_ceil(TICKS_MAX).max(1);
        Axis { low: min, high, log: true, ticks: Vec::new() }.with_ticks(all.into_iter().step_by(every), say)
    }

    /// Nines: decades of 1 / (1 - share), of which the last is 10 to this power.
    pub(in super::super) fn nines(last: f64) -> Axis {
        let last = if last.is_finite() { last.clamp(1.0, 12.0) } else { 1.0 };
        let axis = Axis { low: 1.0, high: 10_f64.powf(last), log: true, ticks: Vec::new() };
        let whole = last.floor() as usize;
        let every = whole.div_ceil(5);
        let at = (0..=whole).step_by(every).map(|power| 10_f64.powi(power as i32));
        axis.with_ticks(at, |odds| match odds {
            ..2.0 => "0%".into(),
            _ => format!("{:.*}%", (odds.log10().round() as usize).saturating_sub(2), 100.0 - 100.0 / odds),
        })
    }

    fn with_ticks(mut self, at: impl Iterator<Item = f64>, say: impl Fn(f64) -> String) -> Axis {
        self.ticks = at.map(|value| (self.place(value), say(value))).collect();
        self
    }

    /// Whether steps of it are factors.
    pub(in super::super) fn is_log(&self) -> bool {
        self.log
    }

    /// Where a value lies, 0 to 1; beyond the ends, at the end.
    pub(in super::super) fn place(&self, value: f64) -> f64 {
        let place = match self.log {
            true => (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        };
        if place.is_nan() { 0.0 } else { place.clamp(0.0, 1.0) }
    }
}

/// Smallest and largest of what is finite and above zero.
fn bounds(values: &[f64]) -> Option<(f64, f64)> {
    // Beyond these, powers of ten over- and underflow; nothing measured comes near them.
    let sane = values.iter().copied().filter(|value| (1e-15..=1e18).contains(value));
    sane.fold(None, |found, value| match found {
        None => Some((value, value)),
        Some((min, max)) => Some((value.min(min), value.max(max))),
    })
}

/// The least of 1, 2, 5, 10, ... that is not below.
fn nice_above(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|step| step * decade)
        .find(|nice| *nice >= value * 0.999_999)
        .unwrap_or(decade * 10.0)
}

/// The largest of 1, 2, 5, 10, ... that is not above.
fn nice_below(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    [5.0, 2.0].into_iter().map(|step| step * decade).find(|nice| *nice <= value * 1.000_001).unwrap_or(decade)
}

#[cfg(test)]
mod tests {
    use super::super::super::number::{short, time};
    use super::*;

    fn said(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        let say = |value: f64| short(&time(value));
        assert_eq!(
            said(&Axis::log(&[64.0, 3e7], say)),
            ["100 ns", "1 us", "10 us", "100 us", "1 ms", "10 ms"]
        );
        assert_eq!(said(&Axis::log(&[250.0, 900.0], say)), ["200 ns", "500 ns", "1 us"]);
        assert_eq!(
            said(&Axis::linear(&[30.0, 430.0], say)),
            ["0", "100 ns", "200 ns", "300 ns", "400 ns", "500 ns"]
        );
        assert_eq!(said(&Axis::nines(4.6)), ["0%", "90%", "99%", "99.9%", "99.99%"]);
        assert_eq!(said(&Axis::steps(&[4.0, 1.0, 2.0, 1.0], |value| value.to_string())), ["1", "2", "4"]);
    }

    #[test]
    fn every_value_has_its_place() {
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, f64::MIN_POSITIVE, f64::MAX];
        let axes = [&odd[..], &[], &[7.0], &[1e-14, 1e18]].map(|values| {
            [
                Axis::log(values, time),
                Axis::linear(values, time),
                Axis::steps(values, time),
                Axis::fitting(values, time),
            ]
        });
        for axis in axes.iter().flatten().chain(&[Axis::nines(f64::NAN), Axis::nines(300.0)]) {
            assert!(axis.ticks.len() <= 10, "{axis:?}");
            for value in odd {
                assert!((0.0..=1.0).contains(&axis.place(value)), "{value} on {axis:?}");
            }
        }
        let axis = Axis::log(&[12.0, 1000.0], time);
        assert_eq!([axis.place(10.0), axis.place(100.0), axis.place(1000.0)], [0.0, 0.5, 1.0]);
    }
}
