//! Where new pages come from: set_mempolicy(2) and get_mempolicy(2).

use std::ffi::{c_int, c_long, c_ulong};
use std::io;
use std::marker::PhantomData;

use crate::Node;

/// Nodes that a mask has room for: as many as any kernel is built for.
const NODES_MAX: usize = 1024;
/// Of get_mempolicy(2): the answer is a node, of the page at the address.
const MPOL_F_NODE: c_ulong = 1;
const MPOL_F_ADDR: c_ulong = 2;
const BITS: usize = c_ulong::BITS as usize;

type Mask = [c_ulong; NODES_MAX / BITS];

/// New pages of the calling thread, also those that its writes bring into a tmpfs file, come from one node for as long as
/// this lives; then the policy is again what it was.
#[derive(Debug)]
pub struct BoundMemory {
    mode: c_int,
    mask: Mask,
    /// The policy is a thread's own.
    here: PhantomData<*const ()>,
}

/// Binds the calling thread's new pages to `node`. Pages that are there already stay where they are.
///
/// # Errors
/// `InvalidInput` for a node without memory or not there; `Unsupported` on a kernel without NUMA; as the system says.
pub fn bind_memory(node: Node) -> io::Result<BoundMemory> {
    let (at, bit) = (node.0 as usize / BITS, node.0 as usize % BITS);
    let mut wanted: Mask = [0; _];
    *wanted.get_mut(at).ok_or(io::ErrorKind::InvalidInput)? = 1 << bit;
    let mut before = BoundMemory { mode: 0, mask: [0; _], here: PhantomData };
    // SAFETY: an int and a mask of as many bits as is said, both writable and alive.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_get_mempolicy,
            &raw mut before.mode,
            &raw mut before.mask,
            NODES_MAX as c_ulong,
            0_usize,
            0 as c_ulong,
        )
    };
    checked(answer)?;
    set(libc::MPOL_BIND, &wanted)?;
    Ok(before)
}

impl Drop for BoundMemory {
    fn drop(&mut self) {
        if let Err(error) = set(self.mode, &self.mask) {
            tracing::warn!(%error, "the memory policy of this thread could not be restored");
        }
    }
}

/// The node that the page below the first of these bytes lies on; it is brought in where it is not there yet.
///
/// # Errors
/// `InvalidInput` for no bytes; `Unsupported` on a kernel without NUMA; as the system says.
pub fn node_of_memory(bytes: &[u8]) -> io::Result<Node> {
    let first = bytes.first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut node: c_int = 0;
    // SAFETY: an int that is writable and alive, no mask, and an address that is only looked up.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_get_mempolicy,
            &raw mut node,
            std::ptr::null_mut::<c_ulong>(),
            0 as c_ulong,
            std::ptr::from_ref(first),
            MPOL_F_NODE | MPOL_F_ADDR,
        )
    };
    checked(answer)?;
    u32::try_from(node).map(Node).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn set(mode: c_int, mask: &Mask) -> io::Result<()> {
    // SAFETY: a mask of as many bits as is said, alive for the call, which only reads it.
    let answer = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask.as_ptr(), NODES_MAX as c_ulong) };
    checked(answer)
}

fn checked(answer: c_long) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Topology;

    #[test]
    fn pages_come_from_the_node_that_was_named() {
        let topology = Topology::detect();
        for info in topology.nodes().iter().filter(|info| info.memory_bytes > 0) {
            let bound = match bind_memory(info.id) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => return,
                bound => bound.unwrap(),
            };
            let fresh = vec![1_u8; 8 << 20];
            assert_eq!(node_of_memory(&fresh[4 << 20..]).unwrap(), info.id);
            drop(bound);
        }
    }

    #[test]
    fn a_node_that_is_not_there_is_refused() {
        for node in [Node(1023), Node(1024), Node(u32::MAX)] {
            let refused = bind_memory(node).unwrap_err();
            let kinds = [io::ErrorKind::InvalidInput, io::ErrorKind::Unsupported];
            assert!(kinds.contains(&refused.kind()), "{refused:?}");
        }
        assert!(node_of_memory(&[]).is_err());
    }
}
