//! Numbers for people: three digits, and the unit that fits.

/// What stands for a value that is none.
const NONE: &str = "–";

/// Three digits, zeros kept: `312`, `48.1`, `1.20`, `0.0123`.
pub(super) fn three(value: f64) -> String {
    if !value.is_finite() {
        return NONE.into();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return "0".into();
    }
    // Rounded first: 9.999 has one digit before its point, and 10.0 has two.
    let rounded: f64 = format!("{magnitude:.2e}").parse().unwrap_or(magnitude);
    let decimals = (2.0 - rounded.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.decimals$}")
}

/// The step that fits, of steps from small to large, each with the size of its unit; whole ones of the first as they are.
fn scaled(value: f64, steps: &[(f64, &str)]) -> String {
    if !value.is_finite() {
        return NONE.into();
    }
    // What rounds to a thousand is one of the next.
    let fits = steps.iter().rev().find(|(unit, _)| value.abs() >= unit * 0.9995);
    let (unit, name) = fits.or(steps.first()).copied().unwrap_or((1.0, ""));
    let whole = unit == 1.0 && value.abs() < 1e3 && value.fract() == 0.0;
    let number = if whole { format!("{value:.0}") } else { three(value / unit) };
    if name.is_empty() { number } else { format!("{number} {name}") }
}

/// Nanoseconds: `312 ns`, `48.1 us`, `1.20 s`.
pub(super) fn time(ns: f64) -> String {
    scaled(ns, &[(1.0, "ns"), (1e3, "us"), (1e6, "ms"), (1e9, "s")])
}

/// Operations a second: `4.12 M/s`.
pub(super) fn rate(per_s: f64) -> String {
    scaled(per_s, &[(1.0, "/s"), (1e3, "k/s"), (1e6, "M/s"), (1e9, "G/s")])
}

/// Bytes a second, in powers of 1,000: `1.20 GB/s`.
pub(super) fn flow(bytes_per_s: f64) -> String {
    scaled(bytes_per_s, &[(1.0, "B/s"), (1e3, "kB/s"), (1e6, "MB/s"), (1e9, "GB/s"), (1e12, "TB/s")])
}

/// Whatever was counted: `412`, `1.20 M`.
pub(super) fn plain(value: f64) -> String {
    scaled(value, &[(1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T")])
}

/// Bytes, in powers of 1,024: `64 B`, `4 KiB`.
pub(super) fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let step = (bytes.checked_ilog2().unwrap_or(0) / 10).min(4);
    let unit = 1_u64 << (10 * step);
    let number = if bytes.is_multiple_of(unit) {
        (bytes / unit).to_string()
    } else {
        three(bytes as f64 / unit as f64)
    };
    format!("{number} {}", units[step as usize])
}

/// A share: `12.3%`.
pub(super) fn percent(share: f64) -> String {
    format!("{}%", three(share * 100.0))
}

/// A number on an axis, without the zeros that [`three`] keeps: `1 us` for `1.00 us`, `0` for `0 ns`.
pub(super) fn short(text: &str) -> String {
    let (number, unit) = text.split_at(text.find(' ').unwrap_or(text.len()));
    if number == "0" {
        return number.into();
    }
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_the_unit_that_fits() {
        for (value, text) in [
            (0.0, "0 ns"),
            (0.5, "0.500 ns"),
            (312.4, "312 ns"),
            (999.4, "999 ns"),
            (999.9, "1.00 us"),
            (9_999.0, "10.0 us"),
            (48_100.0, "48.1 us"),
            (-2_500.0, "-2.50 us"),
            (3.6e12, "3600 s"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ] {
            assert_eq!(time(value), text);
        }
        assert_eq!([rate(4.12e6), flow(1.2e9), plain(12.34)], ["4.12 M/s", "1.20 GB/s", "12.3"]);
        assert_eq!([size(64), size(4096), size(1 << 20), size(1500)], ["64 B", "4 KiB", "1 MiB", "1.46 KiB"]);
        assert_eq!([size(0), size(u64::MAX)], ["0 B", "16777216 TiB"]);
        assert_eq!([percent(0.1), percent(-0.0234), percent(0.0)], ["10.0%", "-2.34%", "0%"]);
        assert_eq!(
            ["1.00 us", "1.50 M", "100 ns", "0 ns", "–"].map(short),
            ["1 us", "1.5 M", "100 ns", "0", "–"]
        );
    }
}
