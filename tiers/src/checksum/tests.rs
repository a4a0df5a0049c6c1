use std::sync::atomic::AtomicU64;

use super::Crc32c;

/// Bytes without a pattern that a wrong fold could hide in.
fn noise(len: usize) -> Vec<u8> {
    let mut x = 0x9E37_79B9_7F4A_7C15_u64;
    let step = |_| {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x as u8
    };
    (0..len).map(step).collect()
}

/// With all instructions that there are, without the multiplication, and with none.
fn all() -> [Crc32c; 3] {
    let best = Crc32c::new();
    [best, Crc32c { fold: None, ..best }, Crc32c { fold: None, sse42: None, ..best }]
}

#[test]
fn check_value() {
    for crc in all() {
        assert_eq!(crc.bytes(b"123456789").finish(), 0xE306_9283);
        assert_eq!(crc.finish(), 0);
    }
}

#[test]
fn bytes_that_another_checksum_has_passed_are_folded_in_without_them() {
    let noise = noise(2048);
    for crc in all() {
        for (from, upto) in (0..noise.len()).step_by(61).zip((0..=noise.len()).rev().step_by(7)) {
            let (from, upto) = (from.min(upto), from.max(upto));
            let before = crc.bytes(&noise[..from]);
            let behind = before.bytes(&noise[from..upto]);
            let other = crc.bytes(b"something else");
            let through = other.through(before, behind, (upto - from) as u64);
            assert_eq!(through.finish(), other.bytes(&noise[from..upto]).finish(), "{from}..{upto}");
        }
    }
}

#[test]
fn every_length_agrees_with_the_crate() {
    let noise = noise(2048);
    for len in 0..=noise.len() {
        let want = crc32c::crc32c(&noise[..len]);
        for crc in all() {
            assert_eq!(crc.bytes(&noise[..len]).finish(), want, "{len} bytes");
        }
    }
}

#[test]
fn every_split_agrees() {
    let noise = noise(600);
    let want = crc32c::crc32c(&noise);
    for at in 0..=noise.len() {
        let (head, tail) = noise.split_at(at);
        for crc in all() {
            assert_eq!(crc.bytes(head).bytes(tail).finish(), want, "split at {at}");
        }
    }
}

#[test]
fn a_word_is_its_little_endian_bytes() {
    let noise = noise(64 + 32);
    let word = |at: usize| u64::from_le_bytes(noise[at..at + 8].try_into().unwrap());
    for crc in all() {
        let frame = crc.word(word(0)).word(word(8)).word(word(16)).bytes(&noise[24..88]).word(word(88));
        assert_eq!(frame.finish(), crc32c::crc32c(&noise));
    }
}

#[test]
fn framed_words_are_their_bytes() {
    let noise = noise(2048);
    let words: Vec<AtomicU64> =
        noise.as_chunks::<8>().0.iter().map(|word| AtomicU64::new(u64::from_ne_bytes(*word))).collect();
    let enclosed = |from: usize, to: usize| [&noise[..16], &noise[from * 8..to * 8], &noise[..16]].concat();
    let around = [0, 8].map(|at| u64::from_le_bytes(noise[at..at + 8].try_into().unwrap()));
    for (from, to) in (0..16).flat_map(|from| (from..words.len()).map(move |to| (from, to))) {
        for crc in all() {
            let framed = crc.framed(around, &words[from..to], around);
            assert_eq!(framed, crc32c::crc32c(&enclosed(from, to)), "words {from} to {to}");
        }
    }
}
