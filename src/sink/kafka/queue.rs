//! From the engine's thread to the sink's: bounded in bytes, so that the engine waits when the brokers do not keep up.

use crate::error::Error;
use dataflows::clock::Binding;
use dataflows::edge::Table;
use dataflows::message::Original;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How many bytes may wait. A tick of a million keys has about as many.
const MOST: usize = 64 << 20;

/// What is handed over.
pub(super) enum Item {
    /// Rows of a table, a line each.
    Rows { table: Table, lines: Vec<u8> },
    /// Dead letters, a line each, and what came with the records.
    Letters { lines: Vec<u8>, originals: Vec<Original> },
    /// The end of an epoch, and the certificate up to there.
    Epoch { binding: Box<Binding>, certificate: String },
    /// The run stops.
    Stop,
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Item::Rows { lines, .. } => lines.len(),
            Item::Letters { lines, originals } => {
                let header = |h: &(String, Option<Vec<u8>>)| h.0.len() + h.1.as_ref().map_or(0, Vec::len);
                let original = |o: &Original| o.key.as_ref().map_or(0, Vec::len) + o.headers.iter().map(header).sum::<usize>();
                lines.len() + originals.iter().map(original).sum::<usize>()
            }
            Item::Epoch { binding, .. } => 64 * (1 + binding.blocks.len()),
            Item::Stop => 0,
        }
    }

    fn ends(&self) -> bool {
        matches!(self, Item::Epoch { .. })
    }
}

/// What comes out.
pub(super) enum Next {
    Item(Item),
    /// Nothing until the deadline.
    Nothing,
    /// There is nothing more; whether what is whole shall be committed.
    End(bool),
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    bytes: usize,
    /// Ends of epochs among the items.
    ends: usize,
    closed: Option<bool>,
    failure: Option<Error>,
}

/// See the [module](self).
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over, when there is room.
    ///
    /// # Errors
    /// When the other side has failed.
    pub fn push(&self, item: Item) -> Result<(), Error> {
        let mut state = self.state();
        while state.failure.is_none() && state.bytes > MOST {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        state.bytes += item.bytes();
        state.ends += usize::from(item.ends());
        state.items.push_back(item);
        self.changed.notify_all();
        Ok(())
    }

    /// The next item; waits for it until `deadline`, without one for ever.
    pub fn pop(&self, deadline: Option<Instant>) -> Next {
        let mut state = self.state();
        loop {
            if state.closed == Some(false) {
                return Next::End(false);
            }
            if let Some(item) = state.items.pop_front() {
                state.bytes -= item.bytes();
                state.ends -= usize::from(item.ends());
                self.changed.notify_all();
                return Next::Item(item);
            }
            if state.closed.is_some() {
                return Next::End(true);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                Some(left) if left.is_zero() => return Next::Nothing,
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Whether a whole epoch waits.
    pub fn has_epoch(&self) -> bool {
        self.state().ends > 0
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.state().bytes
    }

    /// Nothing more comes. `commit`: what is whole shall be committed; else all is given up at once.
    pub fn close(&self, commit: bool) {
        self.state().closed.get_or_insert(commit);
        self.changed.notify_all();
    }

    /// The other side has failed; the first failure counts.
    pub fn fail(&self, error: Error) {
        let mut state = self.state();
        state.failure.get_or_insert(error);
        (state.items, state.bytes, state.ends) = (VecDeque::new(), 0, 0);
        self.changed.notify_all();
    }

    /// Whether nothing more is wanted: given up while the other side was busy.
    pub fn given_up(&self) -> bool {
        self.state().closed == Some(false)
    }

    /// Why the other side failed.
    pub fn failure(&self) -> Option<Error> {
        self.state().failure.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn rows(bytes: usize) -> Item {
        Item::Rows { table: Table::Windows, lines: vec![b'x'; bytes] }
    }

    #[test]
    fn a_full_queue_makes_the_engine_wait() {
        let queue = Arc::new(Queue::default());
        queue.push(rows(MOST)).unwrap();
        queue.push(rows(1)).unwrap();
        let (other, (done, told)) = (queue.clone(), std::sync::mpsc::channel());
        let pushing = std::thread::spawn(move || {
            other.push(rows(1)).unwrap();
            done.send(()).unwrap();
        });
        assert!(told.recv_timeout(Duration::from_millis(50)).is_err());
        assert!(matches!(queue.pop(None), Next::Item(_)));
        told.recv().unwrap();
        pushing.join().unwrap();
        assert_eq!(queue.bytes(), 2);
    }

    #[test]
    fn a_failure_ends_the_waiting() {
        let queue = Arc::new(Queue::default());
        queue.push(rows(MOST + 1)).unwrap();
        let other = queue.clone();
        let pushing = std::thread::spawn(move || other.push(rows(1)));
        queue.fail(Error::Output("gone".into()));
        assert_eq!(pushing.join().unwrap(), Err(Error::Output("gone".into())));
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn an_end_comes_behind_what_was_pushed_and_giving_up_at_once() {
        let queue = Queue::default();
        queue.push(rows(1)).unwrap();
        queue.close(true);
        assert!(matches!(queue.pop(None), Next::Item(_)) && matches!(queue.pop(None), Next::End(true)));
        let queue = Queue::default();
        queue.push(rows(1)).unwrap();
        queue.close(false);
        assert!(matches!(queue.pop(None), Next::End(false)));
        assert!(matches!(Queue::default().pop(Some(Instant::now())), Next::Nothing));
    }
}
