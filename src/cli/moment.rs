//! Moments as people write them: stamps are nanoseconds since 1970, UTC.

use crate::number::Gsn;

const NS: u64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;

/// `2026-11-21T08:30:00Z`, with a fraction if wanted (`08:30:00.5Z`), or seconds since 1970 (`@1795249800.5`).
pub(crate) fn parse(text: &str) -> Result<Gsn, String> {
    let wrong =
        || "write a moment as 2026-11-21T08:30:00Z (UTC), or as seconds since 1970 behind an @".to_string();
    let ns = match text.strip_prefix('@') {
        Some(seconds) => split_fraction(seconds)
            .and_then(|(seconds, ns)| seconds.parse::<u64>().ok()?.checked_mul(NS)?.checked_add(ns)),
        None => calendar(text),
    };
    ns.map(Gsn).ok_or_else(wrong)
}

fn calendar(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once(['T', ' '])?;
    let [year, month, day] = numbers(date, '-')?;
    let (time, ns) = split_fraction(time)?;
    let [hour, minute, second] = numbers(time, ':')?;
    let fits = (1970..=2500).contains(&year)
        && (1..=12).contains(&month)
        && day >= 1
        && day <= month_days(year, month)
        && hour < 24
        && minute < 60
        && second < 60;
    let seconds = days_before(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second;
    fits.then(|| u64::try_from(seconds).ok()?.checked_mul(NS)?.checked_add(ns)).flatten()
}

fn numbers(text: &str, by: char) -> Option<[i64; 3]> {
    let digits = |part: &str| -> Option<i64> {
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten()
    };
    text.split(by).map(digits).collect::<Option<Vec<_>>>()?.try_into().ok()
}

/// Whole seconds, and the fraction in nanoseconds.
fn split_fraction(text: &str) -> Option<(&str, u64)> {
    let Some((whole, fraction)) = text.split_once('.') else { return Some((text, 0)) };
    let digits = fraction.len();
    if !(1..=9).contains(&digits) || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((whole, fraction.parse::<u64>().ok()? * 10_u64.pow(9 - digits as u32)))
}

fn month_days(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 (the algorithm of Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// A stamp as a moment.
pub(crate) fn print(gsn: Gsn) -> String {
    let (seconds, ns) = (gsn.0 / NS, gsn.0 % NS);
    let (days, second) = ((seconds / 86_400) as i64, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let part = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * part + 2) / 5 + 1, (part + 2) % 12 + 1);
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ns:09}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_as_other_programs_have_them() {
        // By `date -u -d @... --iso-8601=ns`.
        for (ns, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400 * NS, "2000-02-29T00:00:00.000000000Z"),
            (1_709_251_199 * NS + 1, "2024-02-29T23:59:59.000000001Z"),
            (4_107_542_400 * NS, "2100-03-01T00:00:00.000000000Z"),
        ] {
            assert_eq!(print(Gsn(ns)), text);
            assert_eq!(parse(text), Ok(Gsn(ns)));
        }
        assert_eq!(parse("@12.5"), Ok(Gsn(12_500_000_000)));
        assert_eq!(parse("2024-02-29 23:59:59.5Z"), Ok(Gsn(1_709_251_199 * NS + NS / 2)));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        let wrong =
            ["", "@", "@-1", "12", "2023-02-29T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00"];
        for text in
            wrong.into_iter().chain(["2024-13-01T00:00:00Z", "2024-01-01T00:00:00.Z", "2024-+1-01T00:00:00Z"])
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
