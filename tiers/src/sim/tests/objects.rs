//! What becomes of objects.

use super::*;
use crate::object::{Created, Name, ObjectError, Objects};
use crate::sim::{ObjectFault, ObjectOperation, ObjectOptions, Plan};

fn failing(fault: ObjectFault) -> (World, Arc<dyn Objects>) {
    let world = World::new(&WorldOptions::default());
    world.fail(Plan::none().object_fault(ObjectOperation::Create, 1, 1, fault));
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
    assert_eq!(world.faults(), 1);
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
    world.put_object(3, Some(b"foreign"));
    assert_eq!(
        world.objects().create(Name::Number(3), b"mine").unwrap(),
        Created::Taken(b"foreign".to_vec())
    );
    world.put_object(3, None);
    assert_eq!(world.objects().create(Name::Number(3), b"mine").unwrap(), Created::Ours);
    assert!(world.objects().machine_safe());
}
