//! A message as the client holds it: its parts, without a copy.

#![expect(unsafe_code, reason = "it is freed by the client library; each block says why it is sound")]

use super::queue::Topic;
use rdkafka::bindings as ffi;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::{RDKafkaMessage, RDKafkaRespErr};
use std::ffi::{CStr, c_void};
use std::ptr::{NonNull, null, null_mut};
use std::rc::Rc;

/// A message, or a word about its partition.
pub struct Message {
    ptr: NonNull<RDKafkaMessage>,
    /// The client must outlive its messages.
    _topic: Rc<Topic>,
}

impl Message {
    /// # Safety
    /// `ptr` is a message of a client that `topic` keeps alive, and nobody else frees it.
    pub unsafe fn own(ptr: NonNull<RDKafkaMessage>, topic: &Rc<Topic>) -> Message {
        Message { ptr, _topic: topic.clone() }
    }

    fn raw(&self) -> &RDKafkaMessage {
        // SAFETY: it is ours and alive.
        unsafe { self.ptr.as_ref() }
    }

    /// What is wrong, if it is no message; with the client's words for it.
    pub fn trouble(&self) -> Option<(RDKafkaErrorCode, String)> {
        let raw = self.raw();
        if raw.err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        let words = bytes(self, raw.payload, raw.len).map(|words| String::from_utf8_lossy(words).into_owned());
        Some((raw.err.into(), words.unwrap_or_default()))
    }

    /// Its offset; of the end of a partition, the offset that comes next.
    pub fn offset(&self) -> i64 {
        self.raw().offset
    }

    /// Its value.
    pub fn value(&self) -> Option<&[u8]> {
        bytes(self, self.raw().payload, self.raw().len)
    }

    /// Its key.
    pub fn key(&self) -> Option<&[u8]> {
        bytes(self, self.raw().key, self.raw().key_len)
    }

    /// The broker's time, or the producer's, as the topic is set up; milliseconds since the Unix epoch.
    pub fn timestamp(&self) -> Option<i64> {
        // SAFETY: the message is alive; the kind of time is of no interest.
        let at = unsafe { ffi::rd_kafka_message_timestamp(self.ptr.as_ptr(), null_mut()) };
        Some(at).filter(|at| *at >= 0)
    }

    /// Its headers, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let mut headers = null_mut();
        // SAFETY: the message is alive; the headers stay its own.
        let code = unsafe { ffi::rd_kafka_message_headers(self.ptr.as_ptr(), &raw mut headers) };
        let there = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && !headers.is_null();
        (0..).map_while(move |i| {
            let (mut name, mut value, mut length) = (null(), null::<c_void>(), 0);
            if !there {
                return None;
            }
            // SAFETY: the headers live as long as the message; an index behind the last is answered with an error.
            let code = unsafe { ffi::rd_kafka_header_get_all(headers, i, &raw mut name, &raw mut value, &raw mut length) };
            if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return None;
            }
            // SAFETY: names end in 0 and live as long as the message.
            let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap_or("?");
            Some((name, bytes(self, value, length)))
        })
    }
}

/// Bytes that belong to a message.
fn bytes(_owner: &Message, at: *const c_void, length: usize) -> Option<&[u8]> {
    // SAFETY: the library gives a pointer with the number of bytes behind it, which live as long as the message.
    (!at.is_null()).then(|| unsafe { std::slice::from_raw_parts(at.cast(), length) })
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: it is ours, and freed once.
        unsafe { ffi::rd_kafka_message_destroy(self.ptr.as_ptr()) }
    }
}
