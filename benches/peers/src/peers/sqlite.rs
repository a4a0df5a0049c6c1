//! SQLite in WAL mode, through the system's library: a row a record, a connection a thread.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::Connection;

use super::BOTH;
use crate::peer::{Kind, Outcome, Peer, Place, When, Writer};

pub const KIND: Kind = Kind {
    name: "sqlite",
    about: || format!("{}, journal_mode=WAL, synchronous=FULL", rusqlite::version()),
    on: BOTH,
    when: When::Always,
    by_file: true,
    open: |place| Ok(Box::new(Sqlite { path: path(place), kept_open: Mutex::new(connect(&path(place))?) })),
    read: Some(read),
};

const INSERT: &str = "INSERT INTO log (record) VALUES (?1)";

struct Sqlite {
    path: PathBuf,
    /// The last connection to go would write everything back.
    #[expect(dead_code, reason = "held, not used")]
    kept_open: Mutex<Connection>,
}

fn path(place: &Place) -> PathBuf {
    place.dir.join("sqlite")
}

fn connect(path: &PathBuf) -> Outcome<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection
        .execute("CREATE TABLE IF NOT EXISTS log (at INTEGER PRIMARY KEY, record BLOB NOT NULL)", ())?;
    Ok(connection)
}

fn read(place: &Place) -> Outcome<Vec<u8>> {
    let connection = connect(&path(place))?;
    let mut statement = connection.prepare("SELECT record FROM log ORDER BY at")?;
    let (mut rows, mut all) = (statement.query(())?, Vec::new());
    while let Some(row) = rows.next()? {
        all.extend(row.get::<_, Vec<u8>>(0)?);
    }
    Ok(all)
}

impl Peer for Sqlite {
    fn writer(&self, _: usize) -> Outcome<Box<dyn Writer + '_>> {
        Ok(Box::new(connect(&self.path)?))
    }
}

impl Writer for Connection {
    fn commit(&mut self, records: &[&[u8]]) -> Outcome<()> {
        if let [one] = records {
            self.prepare_cached(INSERT)?.execute([one])?;
            return Ok(());
        }
        self.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        for record in records {
            self.prepare_cached(INSERT)?.execute([record])?;
        }
        self.prepare_cached("COMMIT")?.execute(())?;
        Ok(())
    }
}
