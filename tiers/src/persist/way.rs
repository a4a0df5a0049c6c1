//! Every way that this processor has of getting bytes to persistent memory, one by one: for measurements. A tail uses
//! [`Persist`], which has chosen.

use super::{Flush, LINE, NoFlush, Persist, arch};

/// One way of storing so that the next fence makes it durable. Possession proves that the instructions exist.
#[derive(Debug, Clone, Copy)]
pub struct Way(Kind);

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Copied through the cache, then written back.
    WriteBack(Persist),
    #[cfg(target_arch = "x86_64")]
    Past(arch::Nt),
    #[cfg(target_arch = "x86_64")]
    Sse,
    #[cfg(target_arch = "x86_64")]
    Movdir64b(super::Movdir64b),
}

const WRITE_BACKS: [Flush; 5] = [Flush::Clwb, Flush::Clflushopt, Flush::Clflush, Flush::Cvap, Flush::Fence];

impl Way {
    /// All that there are here: write-backs first, the best of them first of all.
    pub fn all() -> Vec<Way> {
        let write_backs = WRITE_BACKS.iter().filter_map(|flush| Way::write_back(*flush).ok());
        write_backs.chain(past_the_cache().into_iter().flatten()).collect()
    }

    /// A copy through the cache, and this write-back.
    ///
    /// # Errors
    /// [`NoFlush`] if the processor lacks it.
    pub fn write_back(flush: Flush) -> Result<Way, NoFlush> {
        Persist::detect(Some(flush)).map(|persist| Way(Kind::WriteBack(persist)))
    }

    /// The instruction's name, without the fence: `clwb`, `nt 512 bit`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::WriteBack(persist) => match persist.flush() {
                Flush::Clwb => "clwb",
                Flush::Clflushopt => "clflushopt",
                Flush::Clflush => "clflush",
                Flush::Cvap => "dc cvap",
                Flush::Fence => "fence only",
            },
            #[cfg(target_arch = "x86_64")]
            Kind::Past(arch::Nt::Movnti) => "nt 64 bit",
            #[cfg(target_arch = "x86_64")]
            Kind::Sse => "nt 128 bit",
            #[cfg(target_arch = "x86_64")]
            Kind::Past(arch::Nt::Avx(_)) => "nt 256 bit",
            #[cfg(target_arch = "x86_64")]
            Kind::Past(arch::Nt::Avx512(_)) => "nt 512 bit",
            #[cfg(target_arch = "x86_64")]
            Kind::Movdir64b(_) => "movdir64b",
        }
    }

    /// The write-back, where there is one; none for stores past the cache.
    pub fn flush(self) -> Option<Flush> {
        match self.0 {
            Kind::WriteBack(persist) => Some(persist.flush()),
            #[cfg(target_arch = "x86_64")]
            _ => None,
        }
    }

    /// Copies `bytes` to `to`.
    ///
    /// # Safety
    /// `to..to + bytes.len()` is mapped writable, belongs to the caller alone, and does not overlap `bytes`.
    ///
    /// # Panics
    /// Past the cache, if `to` or the length is not a multiple of [`LINE`].
    #[inline]
    pub(crate) unsafe fn store(self, to: *mut u8, bytes: &[u8]) {
        let partial = || assert!((to.addr() | bytes.len()).is_multiple_of(LINE), "partial cache lines");
        // SAFETY: the caller's promise; whole lines by the assertion.
        unsafe {
            match self.0 {
                Kind::WriteBack(persist) => {
                    to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                    persist.write_back(to, bytes.len());
                }
                #[cfg(target_arch = "x86_64")]
                Kind::Past(nt) => {
                    partial();
                    nt.stream(arch::Line::Fence, to, bytes);
                }
                #[cfg(target_arch = "x86_64")]
                Kind::Sse => {
                    partial();
                    super::direct::stream_sse(to, bytes);
                }
                #[cfg(target_arch = "x86_64")]
                Kind::Movdir64b(movdir64b) => {
                    partial();
                    movdir64b.stream(to, bytes);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn past_the_cache() -> [Option<Way>; 5] {
    use super::{Avx, Avx512, Movdir64b};
    [
        Some(Kind::Past(arch::Nt::Movnti)),
        Some(Kind::Sse),
        Avx::detect().map(|avx| Kind::Past(arch::Nt::Avx(avx))),
        Avx512::detect().map(|avx512| Kind::Past(arch::Nt::Avx512(avx512))),
        Movdir64b::detect().map(Kind::Movdir64b),
    ]
    .map(|kind| kind.map(Way))
}

#[cfg(not(target_arch = "x86_64"))]
fn past_the_cache() -> [Option<Way>; 0] {
    []
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(64))]
    struct Lines([u8; 512]);

    #[test]
    fn all_copy_alike() {
        let from: Vec<u8> = (0..=255u8).cycle().take(513).collect();
        let all = Way::all();
        assert!(!all.is_empty() && all.iter().any(|way| way.flush() == Some(Flush::Fence)));
        for way in all {
            let mut to = Lines([0; 512]);
            // SAFETY: `to` is an aligned local of that very size, `from` another allocation.
            unsafe { way.store(to.0.as_mut_ptr(), &from[1..]) };
            arch::fence();
            assert_eq!(to.0[..], from[1..], "{}", way.name());
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn what_the_kernel_knows_of_the_processor_is_found() {
        let Ok(text) = std::fs::read_to_string("/proc/cpuinfo") else { return };
        let Some(flags) = text.lines().find_map(|line| line.strip_prefix("flags")) else { return };
        let names: Vec<&str> = Way::all().iter().map(|way| way.name()).collect();
        for (flag, name) in [
            ("clwb", "clwb"),
            ("clflushopt", "clflushopt"),
            ("clflush", "clflush"),
            ("movdir64b", "movdir64b"),
        ] {
            let known = flags.split_whitespace().any(|known| known == flag);
            assert_eq!(names.contains(&name), known, "{name}");
        }
    }
}
