//! Figures as people read and write them.

/// `91,997`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Nanoseconds with three digits and a unit: `312 ns`, `48.1 us`, `1.20 s`.
pub(crate) fn duration(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "us"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.decimals$} {unit}")
}

/// `4194304`, `4096K`, `4M` or `4MiB`: powers of 1,024.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err("write a number of bytes, or one with K, M or G (powers of 1,024)".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "not a number of bytes".to_string())?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_as_people_write_them() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (91_997, "91,997"), (1 << 20, "1,048,576")]
        {
            assert_eq!(count(number), text);
        }
        for (ns, text) in
            [(312, "312 ns"), (48_100, "48.1 us"), (9_999, "10.0 us"), (1_200_000_000, "1.20 s")]
        {
            assert_eq!(duration(ns), text);
        }
        for (text, bytes) in [("64K", 64 << 10), ("4MiB", 4 << 20), ("123", 123), ("1g", 1 << 30)] {
            assert_eq!(parse_bytes(text), Ok(bytes));
        }
        for text in ["", "K", "4T", "-1", "99999999999G", "1.5M"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
