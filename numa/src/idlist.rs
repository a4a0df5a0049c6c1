//! The kernel's list format: `0-3,8,10-11`, ascending.

/// Beyond what any kernel is built for (8192 CPUs, 1024 nodes); bounds what a list can make us allocate.
pub(crate) const ID_MAX: u32 = 65_535;

/// The numbers of a list, strictly ascending. Empty text is an empty list. `None` for anything else than a
/// list.
pub(crate) fn parse(text: &str) -> Option<Vec<u32>> {
    let mut ids = Vec::new();
    let text = text.trim();
    if text.is_empty() {
        return Some(ids);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        let ascends = ids.last().is_none_or(|previous| first > *previous);
        if !ascends || last < first || last > ID_MAX {
            return None;
        }
        ids.extend(first..=last);
    }
    Some(ids)
}

/// Digits only: `u32::from_str` would also take a plus sign.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_the_kernel_writes_them() {
        assert_eq!(parse("0-1\n"), Some(vec![0, 1]));
        assert_eq!(parse("0,2-4,9"), Some(vec![0, 2, 3, 4, 9]));
        assert_eq!(parse("\n"), Some(vec![]));
        assert_eq!(parse("65535"), Some(vec![65_535]));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "x",
            "1-",
            "-1",
            "3-1",
            "1,1",
            "2,1",
            "0-2,2",
            "1,,2",
            "1,",
            "+1",
            "0-4294967295",
            "65536",
            "1 2",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
