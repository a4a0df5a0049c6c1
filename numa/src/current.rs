//! Where the calling thread runs.

use crate::Node;

/// The node the calling thread runs on now; `Node(0)` where the kernel does not say. Unless the thread is
/// pinned the answer may be out of date on return. One system call: getcpu(2).
pub fn current_node() -> Node {
    let (mut cpu, mut node) = (0u32, 0u32);
    let unused = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: getcpu stores one u32 at each of the first two pointers, both to live locals of that type, and
    // has ignored the third argument since Linux 2.6.24. On an error it stores nothing that is not a u32.
    let status = unsafe { libc::syscall(libc::SYS_getcpu, &raw mut cpu, &raw mut node, unused) };
    if status == 0 { Node(node) } else { Node(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Topology, pin_to};

    /// On a thread of its own, so that no other test inherits the pin.
    #[test]
    fn a_pinned_thread_is_on_the_node_of_its_cpu() {
        let pinned = || {
            for node in Topology::detect().nodes() {
                for cpu in &node.cpus {
                    pin_to(&[*cpu]).unwrap();
                    assert_eq!(current_node(), node.id);
                }
            }
        };
        std::thread::spawn(pinned).join().unwrap();
    }
}
