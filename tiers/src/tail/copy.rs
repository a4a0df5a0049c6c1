//! Copying out of memory that others write to.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::ahead::ask_ahead;

/// Copies `out.len()` bytes from byte `at` of `words`.
///
/// Every load is of one aligned word, relaxed: what a writer changes meanwhile comes out as some mixture of words, and
/// nothing worse.
///
/// # Panics
/// If the range is out of bounds.
pub(super) fn copy_out(words: &[AtomicU64], at: usize, mut out: &mut [u8]) {
    let mut word = at / 8;
    let skip = at % 8;
    if skip != 0 {
        let (head, rest) = out.split_at_mut(out.len().min(8 - skip));
        head.copy_from_slice(&load(words, word)[skip..skip + head.len()]);
        out = rest;
        word += 1;
    }
    let (whole, rest) = out.as_chunks_mut::<8>();
    let words = &words[word..];
    copy_words(&words[..whole.len()], whole);
    if !rest.is_empty() {
        rest.copy_from_slice(&load(words, whole.len())[..rest.len()]);
    }
}

fn load(words: &[AtomicU64], i: usize) -> [u8; 8] {
    words[i].load(Relaxed).to_ne_bytes()
}

/// A cache line at a time: compilers do not unroll atomics by themselves.
fn copy_words(words: &[AtomicU64], out: &mut [[u8; 8]]) {
    let (lines, few) = words.as_chunks::<8>();
    let (out_lines, out_few) = out.as_chunks_mut::<8>();
    for (line, out) in lines.iter().zip(out_lines) {
        ask_ahead(line.as_ptr());
        for i in 0..8 {
            out[i] = line[i].load(Relaxed).to_ne_bytes();
        }
    }
    for (word, out) in few.iter().zip(out_few) {
        *out = word.load(Relaxed).to_ne_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offset_and_length() {
        let bytes: Vec<u8> = (0..240u8).collect();
        let words: Vec<AtomicU64> =
            bytes.as_chunks::<8>().0.iter().map(|w| AtomicU64::new(u64::from_ne_bytes(*w))).collect();
        for at in 0..=bytes.len() {
            for len in 0..=bytes.len() - at {
                let mut out = vec![0xff; len];
                copy_out(&words, at, &mut out);
                assert_eq!(out, bytes[at..at + len], "{at}+{len}");
            }
        }
    }
}
