//! Events and units, for people: a line each.

use std::fmt;

use super::event::{Change, Event, Landing, Stored};

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Store { .. }
            | Event::Flush { .. }
            | Event::Fence { .. }
            | Event::Sync { .. }
            | Event::TailCreate { .. }
            | Event::TailCreated { .. }
            | Event::TailRemove { .. }
            | Event::Poison { .. } => self.show_of_tail(f),
            Event::ObjectBegin { .. }
            | Event::ObjectApply { .. }
            | Event::ObjectEnd { .. }
            | Event::ObjectLook { .. }
            | Event::ObjectSet { .. } => self.show_of_objects(f),
            Event::Time { host, now_ns } => write!(f, "clock {host} shows {now_ns}"),
            Event::Step { ns } => write!(f, "clock steps {ns} ns"),
            Event::Jump { host, ns } => write!(f, "clock {host} jumps {ns} ns"),
            Event::Trust { host, trusted: true } => write!(f, "clock {host} is trusted"),
            Event::Trust { host, trusted: false } => write!(f, "clock {host} is not trusted"),
            Event::Note { text } => write!(f, "note {text}"),
            _ => self.show_of_files(f),
        }
    }
}

impl Event {
    fn show_of_tail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Store { thread, tail, at, bytes, how } => {
                let what = match how {
                    Stored::Words | Stored::Shuffled | Stored::Bytes => "store",
                    Stored::Word | Stored::Halves | Stored::Loose => "store word",
                    Stored::Stream => "stream",
                    Stored::InPlace => "store in place",
                };
                write!(f, "tail{tail} {what} {at}+{} by {thread}: {}", bytes.len(), Hex(bytes))
            }
            Event::Flush { thread, tail, at, len } => write!(f, "tail{tail} flush {at}+{len} by {thread}"),
            Event::Fence { thread, .. } => write!(f, "fence by {thread}"),
            Event::Sync { tail, at, len } => write!(f, "tail{tail} msync {at}+{len}"),
            Event::TailCreate { tail, len } => write!(f, "tail{tail} create {len} begins"),
            Event::TailCreated { tail } => write!(f, "tail{tail} created"),
            Event::TailRemove { tail } => write!(f, "tail{tail} removed"),
            Event::Poison { tail, at, len } => write!(f, "tail{tail} poison {at}+{len}"),
            _ => unreachable!("not of a tail"),
        }
    }

    fn show_of_files(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::FileCreate { nvme, name, len } => write!(f, "nvme{nvme} {name} create {len} begins"),
            Event::FileCreated { file, done, synced } => {
                let how = match (done, synced) {
                    (false, _) => "not created",
                    (true, true) => "created",
                    (true, false) => "created, directory not flushed",
                };
                write!(f, "file{file} {how}")
            }
            Event::FileRemove { file } => write!(f, "file{file} remove begins"),
            Event::FileRemoved { file, synced: true } => write!(f, "file{file} removed"),
            Event::FileRemoved { file, .. } => write!(f, "file{file} removed, directory not flushed"),
            Event::Write { file, at, bytes } => {
                write!(f, "file{file} write {at}+{} begins: {}", bytes.len(), Hex(bytes))
            }
            Event::Written { write, outcome } => {
                write!(f, "write of event {write} ends: ")?;
                match outcome {
                    Landing::Whole { durable: true } => f.write_str("durable"),
                    Landing::Whole { durable: false } => f.write_str("complete"),
                    Landing::Part { bytes } => write!(f, "{bytes} B and an error"),
                    Landing::Nothing => f.write_str("lost"),
                }
            }
            Event::FileFlush { file, outcome } => write!(f, "file{file} flush: {outcome:?}"),
            Event::Landed { write } => write!(f, "late write {} lands", u64::MAX - write),
            Event::Rot { file, bit } => write!(f, "file{file} bit {bit} rots"),
            Event::Gone { nvme, gone: true } => write!(f, "nvme{nvme} is gone"),
            Event::Gone { nvme, gone: false } => write!(f, "nvme{nvme} comes back"),
            _ => unreachable!("not of a file"),
        }
    }

    fn show_of_objects(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::ObjectBegin { name, change } => {
                let (what, body) = match change {
                    Change::Create(body) => ("create", &body[..]),
                    Change::Put(body) => ("put", &body[..]),
                    Change::Replace { new, .. } => ("replace", &new[..]),
                    Change::Delete => ("delete", &[][..]),
                };
                write!(f, "object {name} {what} {} B: {}", body.len(), Hex(body))
            }
            Event::ObjectApply { request, .. } => write!(f, "object request of event {request} arrives"),
            Event::ObjectEnd { request, answer, .. } => {
                write!(f, "object request of event {request}: {answer}")
            }
            Event::ObjectLook { text } => write!(f, "objects {text}"),
            Event::ObjectSet { name, body: Some(body) } => write!(f, "object {name} set: {} B", body.len()),
            Event::ObjectSet { name, body: None } => write!(f, "object {name} taken out"),
            _ => unreachable!("not of objects"),
        }
    }
}

/// The first bytes.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(16).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        if self.0.len() > 16 { f.write_str("..") } else { Ok(()) }
    }
}
