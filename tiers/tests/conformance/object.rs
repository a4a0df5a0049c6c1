//! What a store of objects promises.

use std::sync::Arc;
use std::thread;

use tierlog_tiers::object::{Created, DataName, Name, Objects};
use tierlog_tiers::sim::{World, WorldOptions};

/// Where one store is: each call is another client of it.
pub(crate) trait Place {
    fn open(&self) -> Arc<dyn Objects>;
}

struct Simulated(World);

impl Place for Simulated {
    fn open(&self) -> Arc<dyn Objects> {
        self.0.objects()
    }
}

const SEVEN: Name = Name::Number(7);

fn a_name_is_created_once(place: &impl Place) {
    let objects = place.open();
    for name in [SEVEN, Name::Base, data(1, 0)] {
        assert_eq!(objects.read(name, None).unwrap(), None);
        assert_eq!(objects.create(name, b"mine").unwrap(), Created::Ours);
        assert_eq!(objects.create(name, b"mine").unwrap(), Created::Ours, "the same again: a lost answer");
        assert_eq!(objects.create(name, b"theirs").unwrap(), Created::Taken(b"mine".to_vec()));
        assert_eq!(place.open().create(name, b"mine too").unwrap(), Created::Taken(b"mine".to_vec()));
        assert_eq!(objects.read(name, None).unwrap().as_deref(), Some(&b"mine"[..]));
    }
}

fn every_number_and_an_empty_body_will_do(place: &impl Place) {
    let objects = place.open();
    for number in [0, 1, u64::MAX] {
        assert_eq!(objects.create(Name::Number(number), b"").unwrap(), Created::Ours);
        assert_eq!(place.open().read(Name::Number(number), None).unwrap().as_deref(), Some(&b""[..]));
    }
    assert_eq!(objects.read(Name::Number(3), None).unwrap(), None);
    assert!(!objects.describe().is_empty());
}

fn a_part_can_be_read(place: &impl Place) {
    let objects = place.open();
    let large: Vec<u8> = (0..1 << 20).map(|at| at as u8).collect();
    assert_eq!(objects.create(SEVEN, &large).unwrap(), Created::Ours);
    assert_eq!(objects.read(SEVEN, None).unwrap().as_deref(), Some(&large[..]));
    assert_eq!(objects.read(SEVEN, Some(100)).unwrap().as_deref(), Some(&large[..100]));
    assert_eq!(objects.read(SEVEN, Some(1 << 21)).unwrap().as_deref(), Some(&large[..]));
}

fn a_put_can_be_repeated(place: &impl Place) {
    let objects = place.open();
    for body in [&b"part"[..], b"part"] {
        objects.put(data(1, 0), body.into()).unwrap();
        assert_eq!(place.open().read(data(1, 0), None).unwrap().as_deref(), Some(body));
    }
}

fn a_replace_is_done_on_what_it_saw_alone(place: &impl Place) {
    let objects = place.open();
    assert!(!objects.replace(Name::Base, Some(b"1"), b"2").unwrap(), "nothing is there");
    assert!(objects.replace(Name::Base, None, b"1").unwrap());
    assert!(!place.open().replace(Name::Base, None, b"2").unwrap());
    assert!(!objects.replace(Name::Base, Some(b"2"), b"3").unwrap());
    assert!(place.open().replace(Name::Base, Some(b"1"), b"2").unwrap());
    assert_eq!(objects.read(Name::Base, None).unwrap().as_deref(), Some(&b"2"[..]));
}

fn a_deleted_name_is_free(place: &impl Place) {
    let objects = place.open();
    objects.delete(SEVEN).unwrap();
    assert_eq!(objects.create(SEVEN, b"one").unwrap(), Created::Ours);
    place.open().delete(SEVEN).unwrap();
    assert_eq!(objects.read(SEVEN, None).unwrap(), None);
    assert_eq!(objects.create(SEVEN, b"two").unwrap(), Created::Ours);
}

fn data_objects_are_listed(place: &impl Place) {
    let objects = place.open();
    for (number, index) in [(1, 0), (2, 0), (2, 1), (3, 0), (10, 0)] {
        objects.put(data(number, index), (&b"x"[..]).into()).unwrap();
    }
    objects
        .put(Name::Data(DataName { epoch: 4, incarnation: 5, number: 3, index: 0 }), (&b"x"[..]).into())
        .unwrap();
    objects.create(Name::Number(3), b"x").unwrap();
    objects.delete(data(3, 0)).unwrap();
    let mut listed = place.open().list(4, 4, 2).unwrap();
    listed.sort_unstable();
    let listed: Vec<_> = listed.into_iter().map(|name| (name.number, name.index)).collect();
    assert_eq!(listed, [(2, 0), (2, 1), (10, 0)]);
    assert_eq!(objects.list(9, 9, 0).unwrap(), []);
}

fn data(number: u64, index: u32) -> Name {
    Name::Data(DataName { epoch: 4, incarnation: 4, number, index })
}

fn it_fences_and_counts(place: &impl Place) {
    let objects = place.open();
    assert!(objects.probe(4).unwrap());
    let before = objects.counts();
    objects.create(SEVEN, b"body").unwrap();
    objects.read(SEVEN, None).unwrap();
    objects.delete(SEVEN).unwrap();
    let after = objects.counts();
    assert_eq!((after.puts - before.puts, after.bytes_sent - before.bytes_sent), (1, 4));
    assert_eq!((after.gets - before.gets, after.bytes_received - before.bytes_received), (1, 4));
    assert_eq!(after.deletes - before.deletes, 1);
}

fn one_of_many_creators_wins_each_number(place: &impl Place) {
    let outcomes = thread::scope(|scope| {
        let creator = |me: u8| {
            let objects = place.open();
            let create = move |number| objects.create(Name::Number(number), &[me]).unwrap();
            move || (0..20).map(create).collect::<Vec<_>>()
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
                    a_name_is_created_once,
                    every_number_and_an_empty_body_will_do,
                    a_part_can_be_read,
                    a_put_can_be_repeated,
                    a_replace_is_done_on_what_it_saw_alone,
                    a_deleted_name_is_free,
                    data_objects_are_listed,
                    it_fences_and_counts,
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
