use super::*;
use crate::affinity::{allowed, of};

/// Runs on a thread of its own, so that no other test inherits the pin.
fn on_a_thread(test: impl FnOnce() + Send + 'static) {
    std::thread::spawn(test).join().unwrap();
}

#[test]
fn each_cpu_alone_and_all_together() {
    on_a_thread(|| {
        let all = allowed().unwrap();
        for cpu in all {
            pin_to(&[*cpu]).unwrap();
            assert_eq!(of(0).unwrap(), [*cpu]);
            assert_eq!(allowed().unwrap(), all, "a pinned thread must still know all CPUs");
        }
        let mut shuffled: Vec<Cpu> = all.iter().rev().chain(all).copied().collect();
        shuffled.push(all[0]);
        pin_to(&shuffled).unwrap();
        assert_eq!(of(0).unwrap(), all);
    });
}

#[test]
fn cpus_that_are_not_there_are_refused_before_anything_changes() {
    on_a_thread(|| {
        let all = allowed().unwrap();
        let free = Cpu((0..).find(|id| !all.contains(&Cpu(*id))).unwrap());
        for absent in [free, Cpu(1024), Cpu(4000), Cpu(u32::MAX)] {
            for cpus in [vec![absent], vec![all[0], absent]] {
                assert!(matches!(pin_to(&cpus), Err(PinError::NotAllowed(cpu)) if cpu == absent));
            }
        }
        assert_eq!(of(0).unwrap(), all);
    });
}

#[test]
fn no_cpu_is_an_error_of_its_own() {
    assert!(matches!(pin_to(&[]), Err(PinError::NoCpu)));
}

#[test]
fn what_the_kernel_refuses_is_its_error() {
    let error = affinity::restrict_thread(&[Cpu(crate::idlist::ID_MAX)]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    let error = affinity::restrict_thread(&[Cpu(u32::MAX)]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(of(u32::MAX >> 1).unwrap_err().raw_os_error(), Some(libc::ESRCH));
}
