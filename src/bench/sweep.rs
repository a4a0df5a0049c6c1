//! Which points are measured: a list for each parameter, and every combination of them.

use serde::Deserialize;
use serde::de::{Deserializer, IntoDeserializer, SeqAccess, Visitor};

use crate::Durability;

/// Lists of parameters; one that is empty is the kind's own default, one that a kind does not know is without effect there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sweep {
    /// Only these contestants, by [`Figure::by`](super::results::Figure::by).
    #[serde(deserialize_with = "one_or_more")]
    pub by: Vec<String>,
    /// Bytes of one record or one write.
    #[serde(deserialize_with = "one_or_more")]
    pub size_bytes: Vec<u64>,
    /// Threads at work.
    #[serde(deserialize_with = "one_or_more")]
    pub threads: Vec<u32>,
    /// Records a commit, or stores a fence.
    #[serde(deserialize_with = "one_or_more")]
    pub batch: Vec<u32>,
    /// Requests in flight.
    #[serde(deserialize_with = "one_or_more")]
    pub depth: Vec<u32>,
    /// Lanes of the log.
    #[serde(deserialize_with = "one_or_more")]
    pub lanes: Vec<u32>,
    /// Arrivals a second, open loop.
    #[serde(deserialize_with = "one_or_more")]
    pub rate_per_s: Vec<u64>,
    /// Bytes of what is recovered, drained, archived or read.
    #[serde(deserialize_with = "one_or_more")]
    pub total_bytes: Vec<u64>,
    /// Levels of a commit.
    #[serde(deserialize_with = "one_or_more")]
    pub level: Vec<Durability>,
}

impl Sweep {
    /// Whether this contestant takes part.
    pub fn wants(&self, by: &str) -> bool {
        self.by.is_empty() || self.by.iter().any(|wanted| wanted == by)
    }
}

/// What is to be measured: `given`, or `default` where nothing was.
pub fn or<'a, T>(given: &'a [T], default: &'a [T]) -> &'a [T] {
    if given.is_empty() { default } else { given }
}

/// A list, or the one thing that is in it.
pub(super) fn one_or_more<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    struct OneOrMore<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMore<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a value or a list of them")
        }

        fn visit_i64<E: serde::de::Error>(self, one: i64) -> Result<Vec<T>, E> {
            T::deserialize(one.into_deserializer()).map(|one| vec![one])
        }

        fn visit_str<E: serde::de::Error>(self, one: &str) -> Result<Vec<T>, E> {
            T::deserialize(one.into_deserializer()).map(|one| vec![one])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = list.next_element()? {
                all.push(one);
            }
            Ok(all)
        }
    }
    from.deserialize_any(OneOrMore(std::marker::PhantomData))
}
