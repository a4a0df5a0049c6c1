//! The model of a tail against the rules themselves, tried on every subset of the stores.

use super::*;
use crate::sim::as_thread;
use crate::sim::random::Random;
use crate::tail::TailLane;

/// One word stored.
struct Store {
    word: usize,
    value: u64,
    /// Past the cache, by this thread.
    streamed_by: Option<u32>,
    durable: bool,
}

/// The stores so far, in program order, and what each thread has flushed since its last fence: line, stores before it.
#[derive(Default)]
struct Reference {
    stores: Vec<Store>,
    flushed: Vec<(u32, usize, usize)>,
}

impl Reference {
    fn store(&mut self, word: usize, value: u64, streamed_by: Option<u32>) {
        self.stores.push(Store { word, value, streamed_by, durable: false });
    }

    fn flush(&mut self, thread: u32, line: usize) {
        self.flushed.push((thread, line, self.stores.len()));
    }

    /// Rules 4 and 5.
    fn fence(&mut self, thread: u32) {
        for (_, line, before) in self.flushed.extract_if(.., |(by, ..)| *by == thread) {
            let theirs = |store: &&mut Store| store.streamed_by.is_none_or(|by| by == thread);
            self.stores[..before]
                .iter_mut()
                .filter(|store| store.word / 8 == line)
                .filter(theirs)
                .for_each(|store| store.durable = true);
        }
        let streamed = self.stores.iter_mut().filter(|store| store.streamed_by == Some(thread));
        streamed.for_each(|store| store.durable = true);
    }

    /// Rules 1 to 3: of every line's stores through the cache a prefix, and whatever is durable.
    fn may_be(&self, chosen: u64) -> bool {
        let has = |at: usize| chosen >> at & 1 == 1;
        let all = || self.stores.iter().enumerate();
        let prefix = |line: usize| {
            let cached = all().filter(|(_, it)| it.streamed_by.is_none() && it.word / 8 == line);
            cached.map(|(at, _)| has(at)).is_sorted_by(|a, b| a >= b)
        };
        all().all(|(at, store)| has(at) || !store.durable) && (0..2).all(prefix)
    }

    fn survivors(&self) -> BTreeSet<[u64; 16]> {
        let subsets = (0..1u64 << self.stores.len()).filter(|chosen| self.may_be(*chosen));
        subsets.map(|chosen| self.content(chosen)).collect()
    }

    fn content(&self, chosen: u64) -> [u64; 16] {
        let mut words = [0; 16];
        for (_, store) in self.stores.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1) {
            words[store.word] = store.value;
        }
        words
    }
}

/// A random program of two threads on three words of each of two lines.
fn check(seed: u64) {
    let mut random = Random::new(seed);
    let (world, _tail, mut lane) = adr();
    let mut reference = Reference::default();
    for _ in 0..4 + random.below(14) {
        let (thread, line) = (random.below(2) as u32, random.below(2) as usize);
        match random.below(8) {
            0..4 if reference.stores.len() < 10 => {
                let (word, value) = (line * 8 + random.below(3) as usize, random.below(3));
                as_thread(thread, || lane.store_word(word * 8, value));
                reference.store(word, value, None);
            }
            4 if reference.stores.len() < 4 => {
                let value = 1 + random.below(2);
                as_thread(thread, || lane.stream(line * 64, &value.to_le_bytes().repeat(8)));
                (0..8).for_each(|word| reference.store(line * 8 + word, value, Some(thread)));
            }
            5 | 6 => {
                as_thread(thread, || lane.flush(line * 64 + random.below(64) as usize, 1));
                reference.flush(thread, line);
            }
            _ => {
                as_thread(thread, || lane.fence()).unwrap();
                reference.fence(thread);
            }
        }
    }
    let at = std::array::from_fn(|word| word as u64 * 8);
    assert_eq!(
        survivors::<16>(&world, Crash::Power, at),
        reference.survivors(),
        "seed {seed}\n{}",
        world.trace()
    );
}

#[test]
fn what_may_survive_is_what_the_rules_say() {
    (0..400).for_each(check);
}
