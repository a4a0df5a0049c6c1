//! Which points, and how long at each.

use std::time::Duration;

use crate::peer::Medium;
use crate::turns::{Pace, Point};

/// What is run on one medium.
pub struct Plan {
    /// In this order.
    pub points: Vec<Point>,
    /// At each.
    pub pace: Pace,
}

impl Plan {
    /// The whole comparison, or a first look at it.
    pub fn of(medium: Medium, quick: bool) -> Plan {
        let (threads, turn_ms, rounds): (&[usize], u64, usize) = match (medium, quick) {
            (Medium::Tail, false) => (&[1, 2, 4], 60, 10),
            (Medium::Tail, true) => (&[1, 2], 20, 3),
            (Medium::Disk, false) => (&[1, 2, 4, 16], 300, 5),
            (Medium::Disk, true) => (&[1, 4], 60, 3),
        };
        let sizes: &[usize] = if quick { &[64, 1024] } else { &[64, 256, 1024, 4096] };
        let one = |size, threads, batch| Point { size, threads, batch };
        let mut points: Vec<Point> = sizes
            .iter()
            .flat_map(|size| threads.iter().map(move |threads| one(*size, *threads, 1)))
            .collect();
        // Batches are compared where a flush does not hide what they cost.
        if medium == Medium::Tail {
            points.extend(sizes.iter().flat_map(|size| [2, 4].map(|batch| one(*size, 1, batch))));
        }
        // Bounds what lies about at a point: logs that only grow take some 40 MiB a round, each of them.
        let pace = Pace { rounds, turn: Duration::from_millis(turn_ms), turn_bytes: 32 << 20 };
        Plan { points, pace }
    }
}
