//! One line of the report.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// Costs time, or cannot be told here.
    Advice,
    /// Costs much time, or will fail one day.
    Mend,
    /// What is promised may not be kept.
    Unsafe,
}

/// What was looked at, what came of it, and what to type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) about: String,
    pub(super) verdict: Verdict,
    pub(super) why: String,
    pub(super) mend: Option<String>,
}

impl Finding {
    pub(super) fn ok(about: impl Into<String>, why: impl Into<String>) -> Self {
        Finding { about: about.into(), verdict: Verdict::Ok, why: why.into(), mend: None }
    }

    pub(super) fn new(
        verdict: Verdict,
        about: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        let mend: String = mend.into();
        let mend = Some(mend).filter(|mend| !mend.is_empty());
        Finding { about: about.into(), verdict, why: why.into(), mend }
    }
}
