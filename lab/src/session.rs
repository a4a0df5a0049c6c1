//! One process: a log open in a world, its writers, and the history of what they were told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tierlog::host::{Env, Simulation};
use tierlog::sim::{SimTail, World, as_thread};
use tierlog::{Commit, Config, Cut, Durability, Error, Log, Ticket, Writer};

use crate::history::{BatchId, History};
use crate::payload::{number, payload};
use crate::script::Step;

/// A log open in a world.
pub struct Session {
    host: Arc<Simulation>,
    config: Config,
    log: Option<Log<Simulation>>,
    seats: BTreeMap<u8, Seat>,
    tickets: Vec<(BatchId, Ticket)>,
    /// What was asked and answered.
    pub history: History,
}

struct Seat {
    writer: Writer<SimTail>,
    open: Option<BatchId>,
    last: Option<BatchId>,
}

impl Session {
    /// Opens the log of a world; `seed` decides the schedule of its background work.
    ///
    /// # Errors
    /// The open's.
    pub fn open(world: &World, config: &Config, history: History, seed: u64) -> Result<Self, Error> {
        let host = Simulation::new(world, 0, seed);
        let (log, _) = Log::open_on(host.clone(), config.clone())?;
        let (seats, tickets) = (BTreeMap::new(), Vec::new());
        Ok(Session { host, config: config.clone(), log: Some(log), seats, tickets, history })
    }

    /// The log.
    pub fn log(&self) -> &Log<Simulation> {
        self.log.as_ref().expect("it is open until the session ends")
    }

    fn now(&self) -> u64 {
        self.host.world().events()
    }

    /// Does one step. What fails because of an injected fault is an answer like any other.
    ///
    /// # Errors
    /// The log's.
    pub fn step(&mut self, step: Step) -> Result<(), Error> {
        match step {
            Step::Take(name) => self.take(name),
            Step::Append(name) => self.with(name, |session, seat| session.append(seat)),
            Step::Commit(name, level) => self.with(name, |session, seat| session.commit(seat, level)),
            Step::Submit(name, level) => self.with(name, |session, seat| session.submit(seat, level)),
            Step::Abort(name) => self.with(name, |session, seat| {
                // The abort is stamped, and with it what was buffered before.
                if let Some(batch) = seat.open.take() {
                    session.history.give_up(batch);
                    if let Some(before) = seat.last {
                        session.history.stamp(before, session.now());
                    }
                }
                seat.writer.abort()
            }),
            Step::Drop(name) => {
                self.give_back(name);
                Ok(())
            }
            Step::Read => self.read(),
            Step::Rest(ms) => {
                self.host.sleep(Duration::from_millis(ms));
                self.look_at_tickets();
                Ok(())
            }
            Step::Checkpoint => {
                let mut records = Vec::new();
                let mut reader = self.log().reader(&Cut::start())?;
                while let Some(record) = reader.next()? {
                    records.extend(number(record.payload));
                }
                let (cut, now) = (reader.position(), self.now());
                self.history.checkpoint(&records, now);
                self.log().checkpoint(&cut)
            }
            Step::Reopen => self.reopen(),
        }
    }

    fn take(&mut self, name: u8) -> Result<(), Error> {
        self.give_back(name);
        let writer = as_thread(u32::from(name), || self.log().writer())?;
        self.seats.insert(name, Seat { writer, open: None, last: None });
        Ok(())
    }

    /// Does something as the thread of a writer.
    fn with(
        &mut self,
        name: u8,
        what: impl FnOnce(&mut Self, &mut Seat) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(mut seat) = self.seats.remove(&name) else { return Ok(()) };
        let result = as_thread(u32::from(name), || what(self, &mut seat));
        self.seats.insert(name, seat);
        self.look_at_tickets();
        result
    }

    fn append(&mut self, seat: &mut Seat) -> Result<(), Error> {
        let batch = seat.open.unwrap_or_else(|| self.history.begin(seat.writer.lane().0));
        seat.open = Some(batch);
        let record = self.history.append(batch);
        let result = seat.writer.append(record as u32 % 3, &payload(record));
        if result.is_err() {
            self.history.was_not_appended(batch);
        }
        result.map(|_| ())
    }

    fn commit(&mut self, seat: &mut Seat, level: Durability) -> Result<(), Error> {
        let Some(batch) = seat.open.take().or(seat.last) else { return Ok(()) };
        seat.last = Some(batch);
        let began = self.now();
        self.history.commit(batch, level, began);
        let commit = seat.writer.commit(level)?;
        if commit.reached > Durability::Buffered {
            // Too much was buffered.
            self.history.stamp(batch, began);
        }
        self.acknowledge(batch, commit);
        Ok(())
    }

    fn submit(&mut self, seat: &mut Seat, level: Durability) -> Result<(), Error> {
        let Some(batch) = seat.open.take().or(seat.last) else { return Ok(()) };
        seat.last = Some(batch);
        self.history.commit(batch, level, self.now());
        let ticket = seat.writer.submit(level)?;
        self.tickets.push((batch, ticket));
        Ok(())
    }

    fn acknowledge(&mut self, batch: BatchId, commit: Commit) {
        if !self.host.world().is_frozen() {
            self.history.acknowledge(batch, commit.reached, self.now());
        }
    }

    fn look_at_tickets(&mut self) {
        let (done, under_way) =
            std::mem::take(&mut self.tickets).into_iter().partition(|(_, ticket)| ticket.is_done());
        self.tickets = under_way;
        let done: Vec<(BatchId, Ticket)> = done;
        for (batch, ticket) in done {
            if let Ok(commit) = ticket.wait() {
                self.acknowledge(batch, commit);
            }
        }
    }

    /// A writer that is dropped takes its open batch back and stamps what was buffered.
    fn give_back(&mut self, name: u8) {
        let Some(Seat { writer, open, last }) = self.seats.remove(&name) else { return };
        if let Some(batch) = last {
            self.history.stamp(batch, self.now());
        }
        if let Some(batch) = open {
            self.history.give_up(batch);
        }
        as_thread(u32::from(name), || drop(writer));
    }

    fn read(&mut self) -> Result<(), Error> {
        let mut reader = self.log().reader(&Cut::start())?;
        let mut seen = Vec::new();
        while let Some(record) = reader.next()? {
            seen.extend(number(record.payload));
        }
        seen.into_iter().for_each(|record| self.history.saw(record));
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), Error> {
        self.close()?;
        let (log, _) = Log::open_on(self.host.clone(), self.config.clone())?;
        self.log = Some(log);
        Ok(())
    }

    /// Closes the log: everything committed survives from then on.
    ///
    /// # Errors
    /// The close's.
    pub fn close(&mut self) -> Result<(), Error> {
        let names: Vec<u8> = self.seats.keys().copied().collect();
        names.into_iter().for_each(|name| self.give_back(name));
        self.log.take().map_or(Ok(()), Log::close)?;
        self.look_at_tickets();
        let archived = !self.config.archive.address.is_empty();
        let level = if archived { Durability::Machine } else { Durability::Power };
        let now = self.now();
        self.history.closed(level, now);
        Ok(())
    }

    /// Kills the process: nothing that it does has an effect any more. What it left.
    pub fn kill(mut self) -> History {
        self.host.world().freeze();
        let seats = std::mem::take(&mut self.seats);
        for (name, Seat { writer, .. }) in seats {
            as_thread(u32::from(name), || drop(writer));
        }
        drop(self.log.take());
        self.history
    }
}
