//! Standard input and pipes: read by a thread of their own, since a read may wait for ever and a worker must not.

use super::file::fill;
use dataflows::clock::{Pull, Pulled};
use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use timely::scheduling::SyncActivator;

/// Chunks that wait for the worker.
const QUEUE: usize = 16;

type Chunk = Result<Vec<u8>, String>;

/// Opens the pipe on the thread that reads it: opening waits for the writer.
type Open = Box<dyn FnOnce(SyncSender<Chunk>, SyncActivator) + Send>;

/// A pipe. Its thread starts when it is known whom to wake.
pub struct Pipe {
    open: Option<Open>,
    chunks: Option<Receiver<Chunk>>,
    consumed: u64,
}

impl Pipe {
    /// A pipe that is opened by `open`.
    pub fn new<R: Read>(open: impl FnOnce() -> std::io::Result<R> + Send + 'static) -> Pipe {
        let open: Open = Box::new(move |chunks, wake| {
            read_all(open, &chunks, &wake);
            drop(chunks); // before the last wake: the worker must find the end
            let _ = wake.activate(); // nobody to wake when the run is over
        });
        Pipe { open: Some(open), chunks: None, consumed: 0 }
    }
}

/// Sends what there is, to the end or to the first error.
fn read_all<R: Read>(open: impl FnOnce() -> std::io::Result<R>, chunks: &SyncSender<Chunk>, wake: &SyncActivator) {
    let mut from = match open() {
        Ok(from) => from,
        Err(e) => {
            let _ = chunks.send(Err(e.to_string())); // nobody listens when the run is over
            return;
        }
    };
    loop {
        let mut bytes = vec![];
        let (chunk, last) = match fill(&mut from, &mut bytes) {
            Ok(0) => return,
            Ok(_) => (Ok(bytes), false),
            Err(e) => (Err(e.to_string()), true),
        };
        if chunks.send(chunk).is_err() || wake.activate().is_err() || last {
            return;
        }
    }
}

impl Pull for Pipe {
    fn pull(&mut self, into: &mut Vec<u8>) -> Result<Pulled, String> {
        let Some(chunks) = &self.chunks else { return Ok(Pulled::End) };
        match chunks.try_recv() {
            Ok(chunk) => {
                let chunk = chunk?;
                self.consumed += chunk.len() as u64;
                into.extend_from_slice(&chunk);
                Ok(Pulled::Some)
            }
            Err(TryRecvError::Empty) => Ok(Pulled::Woken),
            Err(TryRecvError::Disconnected) => Ok(Pulled::End),
        }
    }
    fn consumed(&self) -> u64 {
        self.consumed
    }
    fn wake_by(&mut self, wake: SyncActivator) {
        if let Some(open) = self.open.take() {
            let (send, receive) = sync_channel(QUEUE);
            self.chunks = Some(receive);
            std::thread::spawn(move || open(send, wake));
        }
    }
}
