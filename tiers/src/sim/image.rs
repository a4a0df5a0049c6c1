//! Bytes that many states share: a file's or a tail's content, copied by page when it is written to.
//!
//! Invariants: a page that is not there is zeros; the hash is the sum over all lines of a hash of their number and
//! content, 0 for a line of zeros, so it does not depend on how the content came about.

use std::sync::Arc;

/// Bytes of a cache line.
pub(super) const LINE_BYTES: u64 = 64;
const PAGE_BYTES: u64 = 4096;

/// A cache line as its eight words, little-endian.
pub(super) type Line = [u64; 8];
type Page = [u8; PAGE_BYTES as usize];

/// Content of a fixed length. A clone costs one count.
#[derive(Debug, Clone)]
pub(super) struct Image {
    pages: Arc<Vec<Option<Arc<Page>>>>,
    len: u64,
    hash: u128,
}

impl Image {
    /// Zeros.
    pub(super) fn zeroed(len: u64) -> Image {
        let pages = len.div_ceil(PAGE_BYTES) as usize;
        Image { pages: Arc::new(vec![None; pages]), len, hash: 0 }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn hash(&self) -> u128 {
        self.hash
    }

    /// Fills `out` from byte `at`.
    pub(super) fn read(&self, at: u64, out: &mut [u8]) {
        assert!(at + out.len() as u64 <= self.len, "bytes {at}+{} of {}", out.len(), self.len);
        for (page, inner, piece) in pieces(at, out.len()) {
            let out = &mut out[piece];
            match &self.pages[page] {
                Some(bytes) => out.copy_from_slice(&bytes[inner..inner + out.len()]),
                None => out.fill(0),
            }
        }
    }

    /// Overwrites from byte `at`.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) {
        assert!(at + bytes.len() as u64 <= self.len, "bytes {at}+{} of {}", bytes.len(), self.len);
        for (page, inner, piece) in pieces(at, bytes.len()) {
            let bytes = &bytes[piece];
            let first = page as u64 * (PAGE_BYTES / LINE_BYTES);
            let pages = Arc::make_mut(&mut self.pages);
            let to = Arc::make_mut(pages[page].get_or_insert_with(|| Arc::new([0; PAGE_BYTES as usize])));
            let line_bytes = LINE_BYTES as usize;
            let lines = inner / line_bytes..(inner + bytes.len()).div_ceil(line_bytes);
            let hash = |page: &Page| {
                let hashes = lines.clone().map(|line| hash_line(first + line as u64, &line_of(page, line)));
                hashes.fold(0, u128::wrapping_add)
            };
            let before = hash(to);
            to[inner..inner + bytes.len()].copy_from_slice(bytes);
            self.hash = self.hash.wrapping_sub(before).wrapping_add(hash(to));
        }
    }

    /// One line, the zeros behind the end included.
    pub(super) fn line(&self, line: u64) -> Line {
        let per_page = PAGE_BYTES / LINE_BYTES;
        match &self.pages[(line / per_page) as usize] {
            Some(page) => line_of(page, (line % per_page) as usize),
            None => [0; 8],
        }
    }

    /// Overwrites one line.
    pub(super) fn set_line(&mut self, line: u64, content: &Line) {
        let mut bytes = [0; LINE_BYTES as usize];
        for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(content) {
            *to = word.to_le_bytes();
        }
        self.write(line * LINE_BYTES, &bytes);
    }
}

/// The parts of a range, a page each: its number, the offset in it, and the part of the range.
fn pieces(at: u64, len: usize) -> impl Iterator<Item = (usize, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let here = at + done as u64;
        let inner = (here % PAGE_BYTES) as usize;
        let piece = done..len.min(done + PAGE_BYTES as usize - inner);
        done = piece.end;
        Some(((here / PAGE_BYTES) as usize, inner, piece))
    })
}

fn line_of(page: &Page, line: usize) -> Line {
    let mut words = [0; 8];
    for (word, bytes) in words.iter_mut().zip(page[line * 64..line * 64 + 64].as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

/// Two independent multiply-and-fold hashes over the words; 0 for zeros.
fn hash_line(number: u64, line: &Line) -> u128 {
    if line.iter().fold(0, |all, word| all | word) == 0 {
        return 0;
    }
    let (mut low, mut high) = (fold(number ^ K[0], K[1]), fold(number ^ K[2], K[3]));
    for pair in line.as_chunks::<2>().0 {
        low = fold(low ^ pair[0] ^ K[1], pair[1].rotate_left(32) ^ K[0]);
        high = fold(high ^ pair[1] ^ K[3], pair[0].rotate_left(32) ^ K[2]);
    }
    u128::from(high) << 64 | u128::from(low)
}

/// Hashes what is neither line nor image: names, lengths, counts.
pub(super) fn hash_words(words: &[u64]) -> u128 {
    let mix = |(low, high), word: &u64| {
        (fold(low ^ word ^ K[1], word.rotate_left(32) ^ K[0]), fold(high ^ word ^ K[3], word ^ K[2]))
    };
    let (low, high) = words.iter().fold((fold(words.len() as u64 ^ K[0], K[1]), K[2]), mix);
    u128::from(high) << 64 | u128::from(low)
}

fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    wide as u64 ^ (wide >> 64) as u64
}

/// Digits of pi.
const K: [u64; 4] =
    [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344, 0xA409_3822_299F_31D0, 0x082E_FA98_EC4E_6C89];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_read_and_copies_apart() {
        let mut image = Image::zeroed(3 * 4096);
        let bytes: Vec<u8> = (0..5000).map(|i| i as u8 | 1).collect();
        image.write(4000, &bytes);
        let before = image.clone();
        image.write(4090, &[0; 20]);
        let mut out = vec![0; 5000];
        before.read(4000, &mut out);
        assert_eq!(out, bytes);
        image.read(4000, &mut out);
        assert_eq!((&out[..90], &out[90..110], &out[110..]), (&bytes[..90], &[0; 20][..], &bytes[110..]));
        assert_eq!(image.line(64)[7], before.line(64)[7]);
        image.write(4090, &bytes[90..110]);
        assert_eq!(image.hash(), before.hash());
    }

    #[test]
    fn the_hash_tells_content_from_history() {
        let (mut a, mut b) = (Image::zeroed(8192), Image::zeroed(8192));
        a.set_line(70, &[1, 0, 0, 0, 0, 0, 0, 2]);
        a.set_line(3, &[9; 8]);
        b.set_line(3, &[9; 8]);
        assert_ne!(a.hash(), b.hash());
        b.write(70 * 64, &1u64.to_le_bytes());
        b.write(70 * 64 + 56, &2u64.to_le_bytes());
        assert_eq!(a.hash(), b.hash());
        b.set_line(3, &[0; 8]);
        b.set_line(4, &[9; 8]);
        assert_ne!(a.hash(), b.hash(), "the place counts");
        b.set_line(4, &[0; 8]);
        b.set_line(70, &[0; 8]);
        assert_eq!(b.hash(), 0);
    }
}
