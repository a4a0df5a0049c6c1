//! What a tier promises, asked of the real ones and of the simulated ones alike.
//!
//! A suite is a module of functions over a seam; each is a test of every implementation.

mod clock;
mod nvme;
mod object;
mod tail;

/// Makes each function of a suite a test, given what an expression makes.
macro_rules! suite {
    ($suite:ident, $place:expr, [$($promise:ident),* $(,)?]) => {
        $(
            #[test]
            fn $promise() {
                crate::$suite::$promise(&$place);
            }
        )*
    };
}
pub(crate) use suite;
