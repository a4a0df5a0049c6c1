//! Keeps credentials out of whatever is shown: errors of an HTTP client may quote a request.

use std::sync::OnceLock;

/// Values shorter than this are no secrets, and would blot out ordinary words.
const SECRET_BYTES_MIN: usize = 6;

/// `text` with every credential of the environment blotted out, and every query of an address (signatures stand there).
pub(super) fn scrub(text: &str) -> String {
    static SECRETS: OnceLock<Vec<String>> = OnceLock::new();
    let secrets = SECRETS.get_or_init(|| std::env::vars().filter_map(secret).collect());
    let mut shown = secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
    let mut from = 0;
    while let Some(found) = shown[from..].find("://").map(|at| from + at) {
        let end = shown[found..].find([' ', ')', '"', '\'']).map_or(shown.len(), |at| found + at);
        if let Some(query) = shown[found..end].find('?') {
            shown.replace_range(found + query..end, "?***");
        }
        from = found + 3;
    }
    shown
}

fn secret((key, value): (String, String)) -> Option<String> {
    let store = ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| key.starts_with(prefix));
    let kept = ["KEY", "SECRET", "TOKEN", "SAS", "PASSWORD"].iter().any(|word| key.contains(word));
    (store && kept && value.len() >= SECRET_BYTES_MIN).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_of_addresses_are_blotted_out() {
        let text = "error for url (http://h:1/c/b?sig=CANARY&x=1): refused, https://other/?t=CANARY";
        assert_eq!(scrub(text), "error for url (http://h:1/c/b?***): refused, https://other/?***");
        assert_eq!(scrub("why? s3://bucket/prefix: gone"), "why? s3://bucket/prefix: gone");
    }

    #[test]
    fn what_counts_as_a_secret() {
        let is = |key: &str, value: &str| secret((key.into(), value.into())).is_some();
        assert!(is("AWS_SECRET_ACCESS_KEY", "CANARY"));
        assert!(is("AZURE_STORAGE_SAS_TOKEN", "CANARY"));
        assert!(is("AWS_SESSION_TOKEN", "CANARY"));
        assert!(
            !is("AWS_REGION", "us-east-1") && !is("HOME_KEY", "CANARY") && !is("AWS_ACCESS_KEY_ID", "test")
        );
    }
}
