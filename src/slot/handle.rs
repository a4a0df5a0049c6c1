//! Slots as their holders see them.

use std::sync::{Arc, PoisonError};

use serde::Serialize;
use tierlog_tiers::tail::{Mapped, Tail};

use super::table::{held_bytes, why_broken};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::format::{Place, SLOT_NAME_BYTES_MAX, SLOTS_MAX, SlotEntry};
use crate::media::Media;
use crate::number::{Gsn, Lsn};
use crate::read::{Cut, batch_start};

/// How far a slot may hold trimming back; beyond that it is broken, so that the disk does not fill. 0 is without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotLimit {
    /// LSNs between the slot and the ends of the lanes, in all; about the bytes of the frames.
    pub bytes_max: u64,
    /// Milliseconds without an advance while records wait.
    pub ms_max: u64,
}

/// What is known of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotInfo {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub at: Cut,
    /// When it was made, in nanoseconds since 1970.
    pub created: Gsn,
    /// When it was advanced last.
    pub advanced: Gsn,
    /// LSNs that it holds back, in all lanes.
    pub held_bytes: u64,
    /// Its limits; 0 is without.
    pub bytes_max: u64,
    /// See [`SlotLimit`].
    pub ms_max: u64,
    /// Why it was broken, if it was: it holds nothing back any more.
    pub broken: Option<String>,
}

impl SlotInfo {
    pub(crate) fn of(slot: &SlotEntry, media: &Media) -> Self {
        let ends: Vec<Lsn> = media.lanes().map(|lane| media.stable(lane)).collect();
        SlotInfo {
            name: slot.name.clone(),
            at: cut(slot),
            created: slot.created,
            advanced: slot.advanced,
            held_bytes: held_bytes(slot, &ends),
            bytes_max: slot.bytes_max,
            ms_max: slot.ms_max,
            broken: why_broken(slot),
        }
    }
}

/// A consumer's hold on a log: nothing from its position on is trimmed, over restarts too, until it is advanced, dropped
/// by name, or broken by its limit. Dropping this value changes nothing; as long as it is held, a log that was closed stays
/// locked.
#[derive(Debug, Clone)]
pub struct Slot<T: Tail = Mapped> {
    engine: Arc<Engine<T>>,
    name: String,
}

impl<T: Tail> Slot<T> {
    /// Makes a slot that stands at the oldest record there is.
    pub(crate) fn create(engine: &Arc<Engine<T>>, name: &str, limit: SlotLimit) -> Result<Self> {
        let sound = (1..=SLOT_NAME_BYTES_MAX).contains(&name.len()) && !name.contains(char::is_control);
        if !sound {
            let bounds = format!("1 to {SLOT_NAME_BYTES_MAX} bytes, no control characters");
            return Err(Error::Config(format!("{name:?} cannot be a slot: {bounds}")));
        }
        let media = &engine.media;
        let now = Gsn(engine.order.clock().now_ns());
        // What is oldest now stays.
        let _alone = engine.trimming.lock().unwrap_or_else(PoisonError::into_inner);
        engine.slots.change(|slots| {
            if slots.iter().any(|slot| slot.name == name) {
                return Err(Error::Config(format!("there is a slot {name:?} already")));
            }
            if slots.len() == SLOTS_MAX {
                return Err(Error::Config(format!("a log has {SLOTS_MAX} slots at most: drop one")));
            }
            let place = |lane| {
                let keep = media.oldest(lane);
                Place { at: media.position(lane, keep), keep }
            };
            let slot = SlotEntry {
                name: name.into(),
                broken: 0,
                created: now,
                advanced: now,
                bytes_max: limit.bytes_max,
                ms_max: limit.ms_max,
                places: media.lanes().map(place).collect(),
            };
            let ends: Vec<Lsn> = media.lanes().map(|lane| media.stable(lane)).collect();
            let (held, most) = (held_bytes(&slot, &ends), limit.bytes_max);
            if most > 0 && held > most {
                let why = format!("would hold back {held} bytes from the start, and may hold {most}");
                return Err(Error::Config(format!("slot {name:?} {why}: checkpoint first, or allow more")));
            }
            slots.push(slot);
            Ok(())
        })?;
        Ok(Slot { engine: engine.clone(), name: name.into() })
    }

    pub(crate) fn existing(engine: &Arc<Engine<T>>, name: &str) -> Result<Self> {
        let slot = Slot { engine: engine.clone(), name: name.into() };
        slot.entry().map(|_| slot)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it stands: read on from there.
    ///
    /// # Errors
    /// [`Error::SlotBroken`] once it was broken; [`Error::NoSlot`] once it was dropped.
    pub fn position(&self) -> Result<Cut> {
        let slot = self.entry()?;
        check(&slot).map(|()| cut(&slot))
    }

    /// Moves it up to `cut`; lanes that `cut` does not name, or names further back, stay. Durable on return, one write.
    ///
    /// # Errors
    /// [`Error::Config`] for a position beyond what is stable, which a crash could take back; [`Error::Lost`],
    /// [`Error::Trimmed`]; [`Error::SlotBroken`], [`Error::NoSlot`]; I/O errors. It stands where it stood then.
    pub fn advance(&self, cut: &Cut) -> Result<()> {
        let engine = &self.engine;
        if engine.stop.is_signalled() {
            return Err(Error::Closed);
        }
        let mut places = Vec::new();
        for at in cut.iter() {
            engine.check_stable(at, "a slot")?;
            let keep = batch_start(&engine.media, at.lane, at.lsn, engine.media.oldest(at.lane))?;
            places.push(Place { at, keep });
        }
        let now = Gsn(engine.order.clock().now_ns());
        engine.slots.change(|slots| {
            let slot = slots.iter_mut().find(|slot| slot.name == self.name);
            let slot = slot.ok_or_else(|| Error::NoSlot { name: self.name.clone() })?;
            check(slot)?;
            for place in places {
                let old = &mut slot.places[place.at.lane.0 as usize];
                if place.at.lsn > old.at.lsn {
                    *old = Place { keep: place.keep.max(old.keep), ..place };
                }
            }
            slot.advanced = now;
            Ok(())
        })?;
        engine.trim()
    }

    fn entry(&self) -> Result<SlotEntry> {
        let found = self.engine.slots.all().into_iter().find(|slot| slot.name == self.name);
        found.ok_or_else(|| Error::NoSlot { name: self.name.clone() })
    }
}

fn check(slot: &SlotEntry) -> Result<()> {
    match why_broken(slot) {
        Some(why) => Err(Error::SlotBroken { name: slot.name.clone(), why }),
        None => Ok(()),
    }
}

fn cut(slot: &SlotEntry) -> Cut {
    slot.places.iter().map(|place| place.at).collect::<Vec<_>>().into()
}
