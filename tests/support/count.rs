//! How often a test does what it does: a long form asks for more.

/// As the variable says, or `default`.
pub fn count(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |count| count.parse().unwrap())
}
