//! A panic in background work, here in a program's own subscriber: nobody is told afterwards that anything is durable.

use tierlog::sim::{FileFault, FileOperation, Plan};
use tierlog::{Durability, Error};
use tierlog_lab::history::History;
use tierlog_lab::script::{Step, scripts};
use tierlog_lab::session::Session;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Cannot bear to be warned.
struct Panics;

impl Subscriber for Panics {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        panic!("{:?}", event.metadata());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_panic_of_a_drainer_poisons_every_lane() {
    for script in scripts().into_iter().filter(|script| script.name == "lap") {
        let world = script.world(None);
        let mut session = Session::open(&world, &script.config(), History::default(), 1).unwrap();
        for step in [Step::Take(0), Step::Take(1), Step::Append(0), Step::Commit(0, Durability::Process)] {
            session.step(step).unwrap();
        }
        world.fail(Plan::none().file_fault(FileOperation::Write, 1, 1, FileFault::ErrorBefore));
        tracing::subscriber::with_default(Panics, || session.step(Step::Rest(200)).unwrap());
        for writer in [0, 1] {
            let appended = session.step(Step::Append(writer));
            let told = appended.and_then(|()| session.step(Step::Commit(writer, Durability::Process)));
            assert!(matches!(&told, Err(Error::Poisoned { .. })), "{script}, {writer}: {told:?}");
            let text = told.unwrap_err().to_string();
            assert!(text.contains("panicked") || text.contains("NVMe"), "{script}: {text}");
        }
        session.kill();
    }
}
