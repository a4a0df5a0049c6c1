//! Points in words.

use std::fmt;

use super::Point;

impl fmt::Display for Point {
    /// `64 B, 4 a batch, 2 threads`; nothing where nothing applies.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Point { size_bytes, threads, batch, depth, lanes, rate_per_s, cpu_node, memory_node } = *self;
        let several = |count: u32, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        let parts = [
            size_bytes.map(bytes),
            batch.filter(|batch| *batch > 1).map(|batch| format!("{batch} a batch")),
            threads.map(|count| several(count, "thread")),
            lanes.map(|count| several(count, "lane")),
            depth.map(|depth| format!("depth {depth}")),
            rate_per_s.map(|rate| format!("{rate} a second")),
            cpu_node.map(|node| format!("processor of node {node}")),
            memory_node.map(|node| format!("memory of node {node}")),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

fn bytes(bytes: u64) -> String {
    match bytes {
        _ if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes >= 64 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_as_people_write_them() {
        let point = Point { size_bytes: Some(64), batch: Some(4), threads: Some(1), ..Point::default() };
        assert_eq!(point.to_string(), "64 B, 4 a batch, 1 thread");
        assert_eq!(
            Point { size_bytes: Some(1 << 20), batch: Some(1), ..Point::default() }.to_string(),
            "1 MiB"
        );
        assert_eq!(Point::default().to_string(), "");
    }
}
