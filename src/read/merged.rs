//! Reading all lanes in the order of their stamps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use super::cut::Cut;
use super::lane::{Head, Record};
use crate::error::Result;
use crate::media::Media;
use crate::number::{Gsn, Lsn};

/// How long a follower sleeps between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Reads all lanes merged by (GSN, lane, LSN); a lending iterator.
///
/// What it gives is closed under order: nothing that comes before a record is published after it was given, so a
/// follower passes idle lanes without waiting for them.
#[derive(Debug)]
pub struct Merged {
    media: Arc<Media>,
    heads: Vec<Head>,
    /// Loaded heads.
    order: BinaryHeap<Reverse<(Gsn, usize, Lsn)>>,
    /// Heads that had nothing when last looked at.
    idle: Vec<usize>,
    /// Heads that could not be read.
    broken: Vec<usize>,
    closed: Gsn,
    stream: Option<u32>,
}

impl Merged {
    pub(crate) fn new(media: &Arc<Media>, from: &Cut) -> Result<Self> {
        let heads: Vec<Head> =
            media.lanes().map(|lane| Head::new(media, lane, from.lane(lane))).collect::<Result<_>>()?;
        let idle = (0..heads.len()).collect();
        let order = BinaryHeap::with_capacity(heads.len());
        let mut merged = Merged {
            media: media.clone(),
            heads,
            order,
            idle,
            broken: Vec::new(),
            closed: Gsn(0),
            stream: None,
        };
        merged.refresh()?;
        Ok(merged)
    }

    /// Leaves out all records but one stream's.
    #[must_use]
    pub fn stream(mut self, stream: u32) -> Self {
        self.stream = Some(stream);
        self
    }

    /// The next record of those published when this was last out of records, or `None`: the call after a `None` looks
    /// again.
    ///
    /// # Errors
    /// [`Error::Corrupt`](crate::Error::Corrupt) where bytes that count are damaged in every tier; I/O errors.
    #[expect(clippy::should_implement_trait, reason = "a record is lent, which Iterator cannot say")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>> {
        let found = match self.advance()? {
            None => {
                self.refresh()?;
                self.advance()?
            }
            found => found,
        };
        Ok(found.map(|(head, index)| self.heads[head].record(index)))
    }

    /// The next record, waiting up to `wait` for one.
    ///
    /// # Errors
    /// As for [`next`](Merged::next).
    pub fn follow(&mut self, wait: Duration) -> Result<Option<Record<'_>>> {
        let until = self.media.env.now() + wait;
        loop {
            if let Some((head, index)) = self.advance()? {
                return Ok(Some(self.heads[head].record(index)));
            }
            if self.media.env.now() >= until {
                return Ok(None);
            }
            self.refresh()?;
            if self.order.is_empty() {
                self.media.env.sleep(LOOK_EVERY);
            }
        }
    }

    /// Where reading goes on, lane by lane: give it to a later reader.
    pub fn position(&self) -> Cut {
        self.heads.iter().map(Head::position).collect::<Vec<_>>().into()
    }

    /// Moves behind the next record at or below the closed stamp.
    fn advance(&mut self) -> Result<Option<(usize, usize)>> {
        while let Some(head) = self.broken.pop() {
            self.load(head)?;
        }
        while let Some(Reverse((_, head, _))) = self.order.peek().copied() {
            while let Some(index) = self.heads[head].take() {
                if self.stream.is_none_or(|stream| self.heads[head].group.items[index].stream == stream) {
                    return Ok(Some((head, index)));
                }
            }
            self.order.pop();
            self.heads[head].pass();
            self.load(head)?;
        }
        Ok(None)
    }

    fn load(&mut self, head: usize) -> Result<()> {
        match self.heads[head].load(self.closed) {
            Ok(true) => {
                let group = &self.heads[head].group;
                self.order.push(Reverse((group.gsn, head, group.start)));
                Ok(())
            }
            Ok(false) => {
                self.idle.push(head);
                Ok(())
            }
            // Nothing is given out past a lane that cannot be read: the next call meets the same error.
            Err(error) => {
                self.broken.push(head);
                Err(error)
            }
        }
    }

    /// Closes what was published meanwhile, and looks at the lanes that had nothing.
    fn refresh(&mut self) -> Result<()> {
        self.closed = self.media.closed();
        let mut result = Ok(());
        for head in std::mem::take(&mut self.idle) {
            result = result.and(self.load(head));
        }
        result
    }
}
