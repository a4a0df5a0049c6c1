//! What becomes of objects.

use super::*;
use crate::object::{Created, DataName, Name, ObjectError, Objects};
use crate::sim::{ObjectFault, ObjectOperation, ObjectOptions, Plan};

fn failing(fault: ObjectFault) -> (World, Arc<dyn Objects>) {
    failing_at(ObjectOperation::Create, fault)
}

fn failing_at(operation: ObjectOperation, fault: ObjectFault) -> (World, Arc<dyn Objects>) {
    let world = World::new(&WorldOptions::default());
    world.fail(Plan::none().object_fault(operation, 1, 1, fault));
    let objects = world.objects();
    (world, objects)
}

fn is_unavailable<T>(answer: &Result<T, ObjectError>) -> bool {
    matches!(answer, Err(ObjectError::Unavailable { .. }))
}

#[test]
fn a_create_under_way_is_applied_or_not() {
    let world = World::new(&WorldOptions::default());
    world.objects().create(Name::Number(1), b"one").unwrap();
    world.freeze_at(world.events() + 2);
    assert!(is_unavailable(&world.objects().create(Name::Number(2), b"two")));
    for crash in [Crash::Kill, Crash::Power, Crash::Machine] {
        let point = world.crash(crash);
        let found: Vec<_> = point
            .states(EXHAUSTIVE)
            .map(|state| {
                let objects = state.world().objects();
                assert_eq!(objects.read(Name::Number(1), None).unwrap().as_deref(), Some(&b"one"[..]));
                objects.read(Name::Number(2), None).unwrap()
            })
            .collect();
        assert_eq!(found, [None, Some(b"two".to_vec())]);
    }
}

#[test]
fn after_a_crash_a_create_may_be_late() {
    let objects = ObjectOptions { late_operations: Some(2), ..ObjectOptions::default() };
    let world = World::new(&WorldOptions { objects, ..WorldOptions::default() });
    world.freeze_at(2);
    assert!(world.objects().create(Name::Number(1), b"zombie").is_err());
    let point = world.crash(Crash::Power);
    assert_eq!(point.combinations(), 3);
    let outcomes: Vec<_> = point
        .states(EXHAUSTIVE)
        .map(|state| {
            let objects = state.world().objects();
            let seen = objects.read(Name::Number(1), None).unwrap().is_some();
            (seen, objects.create(Name::Number(1), b"successor").unwrap())
        })
        .collect();
    let taken = Created::Taken(b"zombie".to_vec());
    assert_eq!(outcomes, [(false, Created::Ours), (true, taken.clone()), (false, taken)]);
}

#[test]
fn a_lost_answer_is_settled_by_the_same_call() {
    let (world, objects) = failing(ObjectFault::LostAnswer);
    assert!(is_unavailable(&objects.create(Name::Number(1), b"mine")));
    assert_eq!(objects.create(Name::Number(1), b"mine").unwrap(), Created::Ours);
    assert_eq!(objects.create(Name::Number(1), b"theirs").unwrap(), Created::Taken(b"mine".to_vec()));
    assert_eq!(world.faults().values().sum::<u64>(), 1);
}

#[test]
fn an_error_before_leaves_nothing_and_refusals_are_told_apart() {
    let (_, objects) = failing(ObjectFault::ErrorBefore);
    assert!(is_unavailable(&objects.create(Name::Number(1), b"mine")));
    assert_eq!(objects.read(Name::Number(1), None).unwrap(), None);
    let (_, objects) = failing(ObjectFault::Refused);
    assert!(matches!(objects.create(Name::Number(1), b"mine"), Err(ObjectError::Refused { .. })));
}

#[test]
fn a_late_create_arrives_after_others_looked_and_loses_to_them() {
    let (_, objects) = failing(ObjectFault::Late(2));
    assert!(is_unavailable(&objects.create(Name::Number(1), b"late")));
    assert_eq!(objects.read(Name::Number(1), None).unwrap(), None);
    assert_eq!(objects.read(Name::Number(1), None).unwrap().as_deref(), Some(&b"late"[..]));
    let (_, objects) = failing(ObjectFault::Late(2));
    assert!(is_unavailable(&objects.create(Name::Number(1), b"late")));
    assert_eq!(objects.create(Name::Number(1), b"quick").unwrap(), Created::Ours);
    assert_eq!(objects.read(Name::Number(1), None).unwrap().as_deref(), Some(&b"quick"[..]));
}

#[test]
fn a_request_that_arrives_twice_is_ours() {
    let (world, objects) = failing(ObjectFault::Duplicate);
    assert_eq!(objects.create(Name::Number(1), b"mine").unwrap(), Created::Ours);
    assert_eq!(world.trace().to_string().matches("arrives").count(), 2);
}

#[test]
fn a_store_is_away_for_a_while() {
    let (_, objects) = failing(ObjectFault::Away(2));
    assert!(is_unavailable(&objects.create(Name::Number(1), b"mine")));
    assert!(is_unavailable(&objects.read(Name::Number(1), None)));
    assert!(is_unavailable(&objects.read(Name::Number(1), None)));
    assert_eq!(objects.read(Name::Number(1), None).unwrap(), None);
}

#[test]
fn others_own_objects_are_conflicts() {
    let world = World::new(&WorldOptions::default());
    world.set_object(Name::Number(3), Some(b"foreign"));
    assert_eq!(
        world.objects().create(Name::Number(3), b"mine").unwrap(),
        Created::Taken(b"foreign".to_vec())
    );
    world.set_object(Name::Number(3), None);
    assert_eq!(world.objects().create(Name::Number(3), b"mine").unwrap(), Created::Ours);
    assert!(world.objects().machine_safe());
}

#[test]
fn a_replace_is_done_on_what_it_saw_alone() {
    let world = World::new(&WorldOptions::default());
    let objects = world.objects();
    assert!(!objects.replace(Name::Base, Some(b"1"), b"2").unwrap());
    assert!(objects.replace(Name::Base, None, b"1").unwrap());
    assert!(!objects.replace(Name::Base, None, b"2").unwrap());
    world.freeze_at(world.events() + 2);
    assert!(is_unavailable(&objects.replace(Name::Base, Some(b"1"), b"2").map(drop)));
    let left: Vec<_> = world
        .crash(Crash::Power)
        .states(EXHAUSTIVE)
        .map(|state| state.world().objects().read(Name::Base, None).unwrap().unwrap())
        .collect();
    assert_eq!(left, [b"1", b"2"]);
    let (_, objects) = failing_at(ObjectOperation::Replace, ObjectFault::Duplicate);
    assert!(objects.replace(Name::Base, None, b"1").unwrap());
    assert!(
        !objects.replace(Name::Base, Some(b"1"), b"2").unwrap(),
        "the second request finds the first one's"
    );
    assert_eq!(objects.read(Name::Base, None).unwrap().as_deref(), Some(&b"2"[..]));
}

fn data(number: u64) -> Name {
    Name::Data(DataName { epoch: 1, incarnation: 2, number, index: 0 })
}

#[test]
fn listings_lag_and_deletes_are_pending() {
    let (world, objects) = failing_at(ObjectOperation::List, ObjectFault::Lagging(2));
    for number in 1..=3 {
        objects.put(data(number), (&b"x"[..]).into()).unwrap();
    }
    let listed = || objects.list(1, 2, 2).unwrap().iter().map(|name| name.number).collect::<Vec<_>>();
    assert_eq!((listed(), listed()), (vec![2], vec![2, 3]));
    world.freeze_at(world.events() + 2);
    assert!(is_unavailable(&objects.delete(data(2))));
    let point = world.crash(Crash::Machine);
    let counts = point.states(EXHAUSTIVE).map(|state| state.world().objects().list(1, 2, 0).unwrap().len());
    assert_eq!(counts.collect::<Vec<_>>(), [3, 2]);
    let explored = point.explore().map(|(_, world)| world.objects().list(1, 2, 0).unwrap().len());
    assert_eq!(explored.collect::<Vec<_>>(), [3, 2]);
    let elsewhere = point.explore().map(|(_, world)| world.objects().read(data(1), None).unwrap().is_some());
    assert_eq!(elsewhere.collect::<Vec<_>>(), [true]);
}

#[test]
fn requests_for_one_name_leave_what_any_of_them_leaves() {
    let world = World::new(&WorldOptions::default());
    let twice = Plan::none().object_fault(ObjectOperation::Create, 1, 2, ObjectFault::Late(9));
    world.fail(twice);
    for body in [b"a", b"b"] {
        assert!(is_unavailable(&world.objects().create(Name::Number(1), body)));
    }
    let left: Vec<_> = world
        .crash(Crash::Power)
        .states(EXHAUSTIVE)
        .map(|state| state.world().objects().read(Name::Number(1), None).unwrap())
        .collect();
    assert_eq!(left, [None, Some(b"a".to_vec()), Some(b"b".to_vec())]);
}

#[test]
fn a_store_that_does_not_fence_says_so() {
    let objects = ObjectOptions { fences: false, ..ObjectOptions::default() };
    let world = World::new(&WorldOptions { objects, ..WorldOptions::default() });
    assert!(!world.objects().probe(3).unwrap());
    assert!(World::new(&WorldOptions::default()).objects().probe(3).unwrap());
}
