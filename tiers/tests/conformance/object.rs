//! What a numbered sequence of objects promises.

use std::sync::Arc;
use std::thread;

use tierlog_tiers::object::{Created, Name, Objects};
use tierlog_tiers::sim::{World, WorldOptions};

/// Where one sequence is: each call is another client of it.
pub(crate) trait Place {
    fn open(&self) -> Arc<dyn Objects>;
}

struct Simulated(World);

impl Place for Simulated {
    fn open(&self) -> Arc<dyn Objects> {
        self.0.objects()
    }
}

fn a_number_is_created_once(place: &impl Place) {
    let objects = place.open();
    assert_eq!(objects.read(Name::Number(7), None).unwrap(), None);
    assert_eq!(objects.create(Name::Number(7), b"mine").unwrap(), Created::Ours);
    assert_eq!(
        objects.create(Name::Number(7), b"mine").unwrap(),
        Created::Ours,
        "the same again: a lost answer"
    );
    assert_eq!(objects.create(Name::Number(7), b"theirs").unwrap(), Created::Taken(b"mine".to_vec()));
    assert_eq!(place.open().create(Name::Number(7), b"mine too").unwrap(), Created::Taken(b"mine".to_vec()));
    assert_eq!(objects.read(Name::Number(7), None).unwrap().as_deref(), Some(&b"mine"[..]));
}

fn every_number_and_an_empty_body_will_do(place: &impl Place) {
    let objects = place.open();
    for number in [0, 1, u64::MAX] {
        assert_eq!(objects.create(Name::Number(number), b"").unwrap(), Created::Ours);
        assert_eq!(place.open().read(Name::Number(number), None).unwrap().as_deref(), Some(&b""[..]));
    }
    let large: Vec<u8> = (0..1 << 20).map(|at| at as u8).collect();
    assert_eq!(objects.create(Name::Number(2), &large).unwrap(), Created::Ours);
    assert_eq!(objects.read(Name::Number(2), None).unwrap().as_deref(), Some(&large[..]));
    assert_eq!(objects.read(Name::Number(3), None).unwrap(), None);
    assert!(!objects.describe().is_empty());
}

fn one_of_many_creators_wins_each_number(place: &impl Place) {
    let outcomes = thread::scope(|scope| {
        let creator = |me: u8| {
            let objects = place.open();
            move || {
                (0..20).map(|number| objects.create(Name::Number(number), &[me]).unwrap()).collect::<Vec<_>>()
            }
        };
        let creators: Vec<_> = (0..6).map(|me| scope.spawn(creator(me))).collect();
        creators.into_iter().map(|creator| creator.join().unwrap()).collect::<Vec<_>>()
    });
    let objects = place.open();
    for number in 0..20 {
        let there = objects.read(Name::Number(number), None).unwrap().unwrap();
        for (me, outcomes) in outcomes.iter().enumerate() {
            let want = if there == [me as u8] { Created::Ours } else { Created::Taken(there.clone()) };
            assert_eq!(outcomes[number as usize], want, "creator {me}, number {number}");
        }
    }
}

macro_rules! stores {
    ($($name:ident: $place:expr),* $(,)?) => {
        $(
            mod $name {
                use super::*;
                crate::suite!(object, $place, [
                    a_number_is_created_once,
                    every_number_and_an_empty_body_will_do,
                    one_of_many_creators_wins_each_number,
                ]);
            }
        )*
    };
}

stores! {
    simulated: Simulated(World::new(&WorldOptions::default())),
}

#[cfg(feature = "object")]
mod real {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tierlog_tiers::object::{Sequence, SequenceOptions};

    use super::*;

    /// A sequence at an address; the directory, where it lies in one.
    pub(super) struct Real {
        address: String,
        _dir: Option<tempfile::TempDir>,
    }

    impl Real {
        fn directory() -> Real {
            let dir = tempfile::tempdir().unwrap();
            Real { address: dir.path().to_str().unwrap().into(), _dir: Some(dir) }
        }

        fn memory() -> Real {
            static NEXT: AtomicU64 = AtomicU64::new(0);
            let address = format!("memory:conformance-{}", NEXT.fetch_add(1, Ordering::Relaxed));
            Real { address, _dir: None }
        }
    }

    impl Place for Real {
        fn open(&self) -> Arc<dyn Objects> {
            Arc::new(Sequence::open(&self.address, &SequenceOptions::default()).unwrap())
        }
    }

    stores! {
        directory: Real::directory(),
        memory: Real::memory(),
    }
}
