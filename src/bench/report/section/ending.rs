//! What was skipped and why, and how to repeat the run.

use maud::{Markup, html};

use crate::bench::report::number::time;
use crate::bench::results::Results;

pub(in super::super) fn skipped(results: &Results) -> Markup {
    html! {
        @if !results.skipped.is_empty() {
            section id="skipped" {
                h2 { "Not measured" }
                dl { @for skipped in &results.skipped { dt { (skipped.what) } dd { (skipped.why) } } }
            }
        }
    }
}

pub(in super::super) fn repeat(results: &Results) -> Markup {
    let words: Vec<String> = results.command.iter().map(|word| quoted(word)).collect();
    html! {
        section id="repeat" {
            h2 { "Repeat it" }
            pre { code { (words.join(" ")) } }
            p {
                "Profile " (results.profile) ", tierlog " (results.version) ", schema " (results.schema) "; took "
                (time(results.took_ms as f64 * 1e6)) ". Two runs are compared by "
                code { "tierlog bench compare A B" } "."
            }
        }
    }
}

/// For a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(
            ["--tail=/mnt/pmem0", "", "a b", "it's"].map(quoted),
            ["--tail=/mnt/pmem0", "''", "'a b'", r"'it'\''s'"]
        );
    }
}
