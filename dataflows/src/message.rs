//! The messages of a block that came from a broker: where each stands there, and what came with its value.
//!
//! Only a dead letter asks for it, and any record may become one until the edge knows its fate. So it is kept for all, in one
//! piece of memory a block: 32 bytes a message, its key and its headers.

use std::ops::Range;

/// What came with the value of a message, as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Original {
    /// `None` when the message has none.
    pub key: Option<Vec<u8>>,
    /// In the order of the message; a header may have no value.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Where a message stands, and what came with its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Its offset in its partition.
    pub offset: u64,
    /// The broker's time, milliseconds since the Unix epoch.
    pub timestamp: Option<i64>,
    /// What came with its value.
    pub original: Original,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Messages {
    rows: Vec<Row>,
    text: Vec<u8>,
}

#[derive(Debug)]
struct Row {
    /// Where the value starts among the bytes of the block.
    value: u32,
    text: u32,
    offset: u64,
    timestamp: Option<i64>,
}

/// A length that stands for nothing at all.
const NOTHING: u32 = u32::MAX;

impl Messages {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The broker's time of the message that came last, if it has one.
    pub fn newest(&self) -> Option<i64> {
        self.rows.last().and_then(|row| row.timestamp)
    }

    /// Adds a message whose value starts at `value` among the bytes of the block. Values come in order.
    pub fn push<'a>(
        &mut self,
        value: u32,
        (offset, timestamp): (u64, Option<i64>),
        key: Option<&[u8]>,
        headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    ) {
        self.rows.push(Row { value, text: self.text.len() as u32, offset, timestamp });
        self.put(key);
        for (name, header) in headers {
            self.put(Some(name.as_bytes()));
            self.put(header);
        }
    }

    /// Where each value stands among the bytes of the block, its offset and its time. One byte stands behind each value, so
    /// that no two start at the same place.
    pub fn values(&self, bytes: usize) -> impl Iterator<Item = (Range<usize>, u64, Option<i64>)> {
        let ends = self.rows.iter().skip(1).map(|row| row.value as usize).chain([bytes]);
        self.rows.iter().zip(ends).map(|(row, end)| (row.value as usize..end - 1, row.offset, row.timestamp))
    }

    fn put(&mut self, part: Option<&[u8]>) {
        let length = part.map_or(NOTHING, |part| part.len() as u32);
        self.text.extend_from_slice(&length.to_le_bytes());
        self.text.extend_from_slice(part.unwrap_or_default());
    }

    /// The message whose value starts at `value`; `None` when the block is not made of messages.
    pub fn at(&self, value: u32) -> Option<Message> {
        let i = self.rows.binary_search_by_key(&value, |row| row.value).ok()?;
        let row = &self.rows[i];
        let end = self.rows.get(i + 1).map_or(self.text.len(), |next| next.text as usize);
        let mut parts = Parts(&self.text[row.text as usize..end]);
        let key = parts.next().flatten().map(Vec::from);
        let mut headers = vec![];
        while let (Some(name), Some(header)) = (parts.next(), parts.next()) {
            headers.push((String::from_utf8_lossy(name.unwrap_or_default()).into_owned(), header.map(Vec::from)));
        }
        Some(Message { offset: row.offset, timestamp: row.timestamp, original: Original { key, headers } })
    }
}

/// The parts of one message.
struct Parts<'a>(&'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = Option<&'a [u8]>;
    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length);
        if length == NOTHING {
            self.0 = rest;
            return Some(None);
        }
        let (part, rest) = rest.split_at_checked(length as usize)?;
        self.0 = rest;
        Some(Some(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_with_a_value_comes_back() {
        let mut messages = Messages::default();
        assert_eq!(messages.at(0), None);
        messages.push(
            0,
            (7, Some(99)),
            Some(b"\xffkey"),
            [("trace", Some(b"1".as_slice())), ("flag", None), ("trace", Some(b""))],
        );
        messages.push(12, (9, None), None, []);
        messages.push(30, (10, Some(-1)), Some(b""), []);
        let headers = vec![("trace".into(), Some(b"1".to_vec())), ("flag".into(), None), ("trace".into(), Some(vec![]))];
        let original = Original { key: Some(b"\xffkey".to_vec()), headers };
        assert_eq!(messages.at(0), Some(Message { offset: 7, timestamp: Some(99), original }));
        assert_eq!(messages.at(12), Some(Message { offset: 9, timestamp: None, original: Original::default() }));
        let empty = Original { key: Some(vec![]), headers: vec![] };
        assert_eq!(messages.at(30), Some(Message { offset: 10, timestamp: Some(-1), original: empty }));
        assert_eq!(messages.at(11), None);
        let values: Vec<_> = messages.values(31).collect();
        assert_eq!(values, [(0..11, 7, Some(99)), (12..29, 9, None), (30..30, 10, Some(-1))]);
    }
}
