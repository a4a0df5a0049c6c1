//! Seeded numbers: a failure names its seed, and `TIERLOG_SEED=n` replays it.

/// The variable that sets the seed.
const SEED: &str = "TIERLOG_SEED";

/// xorshift64*: good enough to choose places, the same on every machine.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// From the environment, or from the clock; prints how to replay `test` of the file `name`.
    pub fn seeded(name: &str, test: &str) -> Chance {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = std::env::var(SEED).map_or(since.as_nanos() as u64, |text| text.parse().unwrap());
        println!("seed {seed}; replay: {SEED}={seed} cargo test --test {name} {test} -- --nocapture");
        Chance::from(seed)
    }

    /// Below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A byte that changes what it is xored with.
    pub fn mask(&mut self) -> u8 {
        1 + self.below(255) as u8
    }
}

impl From<u64> for Chance {
    fn from(seed: u64) -> Chance {
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        chance.next();
        chance
    }
}
