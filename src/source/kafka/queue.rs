//! The queue of one partition: the one place that speaks to the client library below its safe surface, because only there it
//! hands out messages in batches and one queue a partition.
//!
//! What must hold: a queue is freed before its topic, and a topic before its client. Each value here keeps what it needs alive.

#![expect(unsafe_code, reason = "the safe surface of the client has no batches; each block says why it is sound")]

use super::message::Message;
use crate::kafka::client::Logged;
use rdkafka::bindings as ffi;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::{RDKafkaQueue, RDKafkaTopic};
use std::ffi::{CString, c_void};
use std::ptr::{NonNull, null_mut};
use std::rc::Rc;
use std::sync::Arc;
use timely::scheduling::SyncActivator;

/// A topic of a client, for reading.
pub struct Topic {
    ptr: NonNull<RDKafkaTopic>,
    /// Dropped after `ptr` is let go.
    client: Arc<BaseConsumer<Logged>>,
}

impl Topic {
    /// `None` when the client refuses the name.
    pub fn new(client: Arc<BaseConsumer<Logged>>, name: &str) -> Option<Topic> {
        let name = CString::new(name).ok()?;
        // SAFETY: the client is alive, the name ends in 0 and is copied; no configuration means the client's.
        let ptr = unsafe { ffi::rd_kafka_topic_new(client.client().native_ptr(), name.as_ptr(), null_mut()) };
        Some(Topic { ptr: NonNull::new(ptr)?, client })
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: made by `rd_kafka_topic_new`, freed once; queues that use it keep it alive.
        unsafe { ffi::rd_kafka_topic_destroy(self.ptr.as_ptr()) }
    }
}

/// A partition that is being read.
pub struct Queue {
    ptr: NonNull<RDKafkaQueue>,
    partition: i32,
    started: bool,
    /// What the client's threads hold of us: given back when they can no longer use it.
    wake: *const SyncActivator,
    /// Dropped last.
    topic: Rc<Topic>,
}

/// Called by the client's threads when something comes into an empty queue.
unsafe extern "C" fn woken(_client: *mut ffi::rd_kafka_t, wake: *mut c_void) {
    // SAFETY: `wake` is the pointer that `Queue::new` registered. It is valid until the callback is taken away, which waits for
    // the lock of the queue, under which we are called.
    let wake = unsafe { &*wake.cast::<SyncActivator>() };
    let _ = wake.activate(); // nobody to wake when the run is over
}

impl Queue {
    /// A queue for a partition, which is not read yet. `wake` is activated when something comes.
    pub fn new(topic: Rc<Topic>, partition: i32, wake: SyncActivator) -> Option<Queue> {
        // SAFETY: the client is alive.
        let ptr = NonNull::new(unsafe { ffi::rd_kafka_queue_new(topic.client.client().native_ptr()) })?;
        let wake = Arc::into_raw(Arc::new(wake));
        // SAFETY: the queue is alive; `wake` stays valid until `drop` takes the callback away.
        unsafe { ffi::rd_kafka_queue_cb_event_enable(ptr.as_ptr(), Some(woken), wake.cast_mut().cast()) };
        Some(Queue { ptr, partition, started: false, wake, topic })
    }

    /// Reads from `offset` on; what is in the queue from before is dropped. False when the client refuses.
    pub fn start(&mut self, offset: i64) -> bool {
        self.stop();
        // SAFETY: topic and queue are alive and of the same client.
        let code =
            unsafe { ffi::rd_kafka_consume_start_queue(self.topic.ptr.as_ptr(), self.partition, offset, self.ptr.as_ptr()) };
        self.started = code == 0;
        self.started
    }

    fn stop(&mut self) {
        if std::mem::take(&mut self.started) {
            // SAFETY: the topic is alive, and the partition was started.
            unsafe { ffi::rd_kafka_consume_stop(self.topic.ptr.as_ptr(), self.partition) };
        }
    }

    /// Takes what is in the queue, at most so many, behind those in `into`. Does not wait.
    pub fn take(&self, most: usize, into: &mut impl Extend<Message>) -> usize {
        let mut taken = vec![null_mut(); most];
        // SAFETY: the queue is alive, and `taken` has room for so many pointers.
        let count = unsafe { ffi::rd_kafka_consume_batch_queue(self.ptr.as_ptr(), 0, taken.as_mut_ptr(), most) };
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: the library wrote so many messages, which are ours now.
        into.extend(taken.into_iter().take(count).filter_map(NonNull::new).map(|ptr| unsafe { Message::own(ptr, &self.topic) }));
        count
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.stop();
        // SAFETY: the queue is alive; without a callback nobody uses `wake` any more, which came from `Arc::into_raw`.
        unsafe {
            ffi::rd_kafka_queue_cb_event_enable(self.ptr.as_ptr(), None, null_mut());
            ffi::rd_kafka_queue_destroy(self.ptr.as_ptr());
            drop(Arc::from_raw(self.wake));
        }
    }
}
