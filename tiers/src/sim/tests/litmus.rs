//! Two lines, stores, flushes and fences: the litmus tests of the persistency papers (Raad et al., POPL 2020 and 2022).

use super::*;
use crate::sim::{Tearing, as_thread};
use crate::tail::TailLane;

/// Offsets of words: two in one line, one in another.
const X: u64 = 0;
const X2: u64 = 8;
const Y: u64 = 64;

#[test]
fn lines_persist_in_any_order() {
    let (world, _tail, mut lane) = adr();
    lane.store_word(0, 1);
    lane.store_word(64, 1);
    assert_eq!(survivors(&world, Crash::Power, [X, Y]), set(&[[0, 0], [1, 0], [0, 1], [1, 1]]));
    assert_eq!(survivors(&world, Crash::Kill, [X, Y]), set(&[[1, 0], [1, 1]]), "only the last store is cut");
}

#[test]
fn stores_to_one_line_persist_in_program_order() {
    let (world, _tail, mut lane) = adr();
    lane.store_word(0, 1);
    lane.store_word(8, 1);
    lane.store_word(0, 2);
    assert_eq!(survivors(&world, Crash::Power, [X, X2]), set(&[[0, 0], [1, 0], [1, 1], [2, 1]]));
}

#[test]
fn the_same_content_twice_is_one_state() {
    let (world, _tail, mut lane) = adr();
    for value in [1, 0, 1, 1] {
        lane.store_word(0, value);
    }
    assert_eq!(survivors(&world, Crash::Power, [X]), set(&[[0], [1]]));
    assert_eq!(words(&world.crash(Crash::Power).state(true).world(), [X]), [1]);
    lane.store_word(0, 0);
    assert_eq!(words(&world.crash(Crash::Power).state(true).world(), [X]), [0]);
}

#[test]
fn a_flush_and_a_fence_order_lines() {
    let (world, _tail, mut lane) = adr();
    lane.store_word(0, 1);
    lane.flush(0, 8);
    lane.store_word(64, 1);
    assert_eq!(survivors(&world, Crash::Power, [X, Y]).len(), 4, "a flush alone orders nothing");
    lane.fence().unwrap();
    assert_eq!(survivors(&world, Crash::Power, [X, Y]), set(&[[1, 0], [1, 1]]));
}

#[test]
fn a_fence_alone_makes_nothing_durable() {
    let (world, _tail, mut lane) = adr();
    lane.store_word(0, 1);
    lane.fence().unwrap();
    assert_eq!(survivors(&world, Crash::Power, [X]), set(&[[0], [1]]));
}

#[test]
fn a_flush_covers_the_whole_line_and_what_was_stored_before_it() {
    let (world, _tail, mut lane) = adr();
    lane.store_word(0, 1);
    lane.store_word(8, 1);
    lane.flush(16, 1);
    lane.store_word(0, 2);
    lane.fence().unwrap();
    assert_eq!(survivors(&world, Crash::Power, [X, X2]), set(&[[1, 1], [2, 1]]));
}

#[test]
fn a_fence_waits_for_its_own_thread_alone() {
    let (world, _tail, mut lane) = adr();
    as_thread(1, || lane.store_word(0, 1));
    as_thread(1, || lane.flush(0, 8));
    as_thread(2, || lane.fence()).unwrap();
    assert_eq!(survivors(&world, Crash::Power, [X]).len(), 2);
    as_thread(1, || lane.fence()).unwrap();
    assert_eq!(survivors(&world, Crash::Power, [X]), set(&[[1]]));

    // What another thread stored, a flush writes back all the same.
    as_thread(1, || lane.store_word(0, 2));
    as_thread(2, || lane.flush(0, 8));
    as_thread(2, || lane.fence()).unwrap();
    assert_eq!(survivors(&world, Crash::Power, [X]), set(&[[2]]));

    // What another thread streamed is in its own buffers.
    as_thread(1, || lane.stream(0, &[3; 64]));
    as_thread(2, || lane.flush(0, 8));
    as_thread(2, || lane.fence()).unwrap();
    assert_eq!(survivors(&world, Crash::Power, [X]).len(), 2, "of this word");
    assert_eq!(world.crash(Crash::Power).combinations(), 256);
    as_thread(1, || lane.fence()).unwrap();
    assert_eq!(world.crash(Crash::Power).combinations(), 1);
}

#[test]
fn threads_of_the_system_are_told_apart() {
    let (world, _tail, mut lane) = adr();
    let lane = std::thread::spawn(move || {
        lane.store_word(0, 1);
        lane.flush(0, 8);
        lane
    });
    lane.join().unwrap().fence().unwrap();
    assert_eq!(survivors(&world, Crash::Power, [X]).len(), 2);
}

#[test]
fn streams_persist_word_by_word_until_the_fence() {
    let (world, _tail, mut lane) = adr();
    let mut bytes = [0; 128];
    bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte = at as u8 + 1);
    lane.stream(0, &bytes);
    assert_eq!(world.crash(Crash::Power).combinations(), 1 << 16);
    lane.store_word(8, 0);
    assert_eq!(world.crash(Crash::Power).combinations(), 1 << 16, "0 before and 0 after are one");
    lane.fence().unwrap();
    assert_eq!(
        world.crash(Crash::Power).combinations(),
        2,
        "the streams are durable, the store after them is not"
    );
    lane.flush(0, 64);
    lane.fence().unwrap();
    assert_eq!(words(&world.crash(Crash::Power).state(false).world(), [X2]), [0]);
}

#[test]
fn a_plain_store_is_words_in_ascending_order() {
    let payload: Vec<u8> = (1..=24).collect();
    let counts = [Tearing::Words, Tearing::Shuffled, Tearing::Bytes].map(|tearing| {
        let (world, _tail, mut lane) = with_tail(|options| options.tearing = tearing);
        lane.store(56, &payload);
        world.crash(Crash::Power).combinations()
    });
    // One word in the first line, two in the second.
    assert_eq!(counts, [2 * 3, 2 * 4, 9 * 17]);
    let (world, _tail, mut lane) = adr();
    lane.store(4, &payload[..8]);
    assert_eq!(
        survivors(&world, Crash::Power, [X, X2]),
        set(&[[0, 0], [0x0403_0201 << 32, 0], [0x0403_0201 << 32, 0x0807_0605]]),
        "unaligned, it is two stores"
    );
}

#[test]
fn a_word_is_never_torn() {
    let (world, _tail, mut lane) = adr();
    lane.store_word(0, u64::MAX);
    for crash in [Crash::Power, Crash::Kill] {
        assert_eq!(survivors(&world, crash, [X]), set(&[[0], [u64::MAX]]));
    }
}

#[test]
fn what_is_written_in_place_is_noticed_in_any_order() {
    let (world, tail, mut lane) = adr();
    lane.store_word(0, 7);
    lane.bytes_mut(8, 24).copy_from_slice(&[[1; 8], [0; 8], [2; 8]].concat());
    assert_eq!(lane.bytes(8, 1), [1]);
    lane.store_word(32, 9);
    let mut seen = [0; 32];
    tail.read(0, &mut seen).unwrap();
    assert_eq!((seen[0], seen[8], seen[16], seen[24]), (7, 1, 0, 2));
    let [one, two] = [1, 2].map(|byte| u64::from_le_bytes([byte; 8]));
    let may =
        [[0, 0, 0, 0], [7, 0, 0, 0], [7, one, 0, 0], [7, 0, two, 0], [7, one, two, 0], [7, one, two, 9]];
    assert_eq!(survivors(&world, Crash::Power, [0, 8, 24, 32]), set(&may), "between the stores around it");
    lane.flush(0, 40);
    lane.fence().unwrap();
    assert_eq!(survivors(&world, Crash::Power, [0, 8, 24, 32]), set(&[[7, one, two, 9]]));
}

#[test]
fn with_the_caches_powered_what_is_visible_is_durable() {
    let (world, _tail, mut lane) = with_medium(TailMedium::FsDax { eadr: true });
    lane.store_word(0, 1);
    lane.store_word(64, 1);
    assert_eq!(survivors(&world, Crash::Power, [X, Y]), set(&[[1, 0], [1, 1]]), "but for the last store");
    lane.fence().unwrap();
    assert_eq!(survivors(&world, Crash::Power, [X, Y]), set(&[[1, 1]]));
    lane.stream(128, &[1; 64]);
    lane.store_word(0, 2);
    assert_eq!(world.crash(Crash::Power).combinations(), 512, "streams wait in buffers");
    lane.fence().unwrap();
    assert_eq!(world.crash(Crash::Power).combinations(), 1);
}

#[test]
fn pages_are_durable_once_synced() {
    let (world, _tail, mut lane) = with_medium(TailMedium::Page);
    assert_eq!(lane.crossover(), usize::MAX);
    lane.store_word(0, 1);
    lane.store_word(64, 1);
    lane.flush(0, 8);
    assert_eq!(survivors(&world, Crash::Power, [X, Y]).len(), 4);
    lane.fence().unwrap();
    assert_eq!(survivors(&world, Crash::Power, [X, Y]), set(&[[1, 1]]), "the page of what was flushed");
    lane.store_word(0, 2);
    lane.fence().unwrap();
    assert_eq!(survivors(&world, Crash::Power, [X]).len(), 2, "nothing was flushed");
    lane.stream(0, &[3; 64]);
    lane.fence().unwrap();
    assert_eq!(survivors(&world, Crash::Power, [X]).len(), 1);
}

#[test]
fn an_ordinary_file_survives_a_kill_alone() {
    let (world, tail, mut lane) = with_medium(TailMedium::File);
    lane.store_word(0, 1);
    lane.flush(0, 8);
    lane.fence().unwrap();
    assert_eq!(survivors(&world, Crash::Kill, [X]), set(&[[1]]));
    assert_eq!(survivors(&world, Crash::Power, [X]), set(&[[0], [1]]));
    tail.write(8192, &[1; 8]).unwrap();
    assert_eq!(
        survivors(&world, Crash::Power, [8192]),
        set(&[[0x0101_0101_0101_0101]]),
        "a cold write is synced"
    );
}

#[test]
fn after_a_kill_what_was_not_durable_can_still_be_lost() {
    let (world, tail, mut lane) = adr();
    lane.store_word(0, 1);
    lane.stream(64, &[1; 64]);
    drop((lane, tail));
    let killed = world.crash(Crash::Kill).state(true).world();
    assert_eq!(killed.boot_id(), world.boot_id());
    assert_eq!(words(&killed, [X]), [1]);
    assert_eq!(killed.crash(Crash::Power).combinations(), 512);
    killed.open_tail(0).unwrap().persist(0, 128).unwrap();
    let unpowered = killed.crash(Crash::Power);
    assert_eq!(unpowered.combinations(), 1);
    assert_ne!(unpowered.state(false).world().boot_id(), world.boot_id());
}

#[test]
fn cold_writes_are_durable_on_return() {
    for medium in [
        TailMedium::FsDax { eadr: false },
        TailMedium::FsDax { eadr: true },
        TailMedium::Page,
        TailMedium::File,
        TailMedium::Emulated,
    ] {
        let (world, tail, _lane) = with_medium(medium);
        tail.write(8191, &[9; 66]).unwrap();
        let point = world.crash(Crash::Power);
        assert_eq!(point.combinations(), 1, "{medium:?}");
        let mut back = [0; 66];
        point.state(false).world().open_tail(0).unwrap().read(8191, &mut back).unwrap();
        assert_eq!(back, [9; 66]);
    }
}

#[test]
fn poison_faults_once_touched_and_the_fence_says_so() {
    let (world, tail, mut lane) = adr();
    world.poison(0, 4096 + 256..4096 + 512);
    lane.fence().unwrap();
    let mut out = [0; 16];
    tail.read(4096, &mut out).unwrap();
    let fault = tail.read(4096 + 250, &mut out).unwrap_err();
    assert_eq!(fault.at, 4096);
    assert_eq!(tail.read(8000, &mut out).unwrap_err().at, 4096, "the page is gone");
    lane.fence().unwrap();
    assert_eq!(tail.lane(4096, 64).unwrap().fence().unwrap_err().at, 4096, "its own lane's");
    assert_eq!(tail.persist(0, 8192).unwrap_err().at, 4096);
    drop((lane, tail));
    let again = world.crash(Crash::Power).state(false).world();
    let tail = again.open_tail(0).unwrap();
    tail.read(8000, &mut out).unwrap();
    let mut lane = tail.lane(4096, 4096).unwrap();
    lane.store(300, &[1; 8]);
    assert_eq!(lane.fence().unwrap_err().at, 4096, "a store faults too");
}

#[test]
fn after_a_refused_msync_nothing_is_durable() {
    let (world, tail, mut lane) = with_medium(TailMedium::Page);
    world.fail(crate::sim::Plan::none().sync_fault(2));
    for value in [1, 2, 3] {
        lane.store_word(0, value);
        lane.flush(0, 8);
        assert_eq!(lane.fence().is_ok(), value == 1);
    }
    assert!(tail.write(8192, &[1]).is_err() && tail.lane(4096, 64).unwrap().fence().is_err());
    assert_eq!(survivors(&world, Crash::Power, [X]), set(&[[1], [2], [3]]));
    assert_eq!(world.faults().values().sum::<u64>(), 1);
}

#[test]
fn in_memory_a_tail_is_gone_with_the_power() {
    let (world, tail, lane) = with_tail(|options| options.in_memory = true);
    drop((tail, lane));
    assert!(world.crash(Crash::Kill).state(false).world().open_tail(0).is_ok());
    let point = world.crash(Crash::Power);
    assert_eq!(point.combinations(), 1);
    let missing = point.state(true).world().open_tail(0);
    assert!(matches!(missing, Err(crate::tail::MapError::Missing { .. })));
}
