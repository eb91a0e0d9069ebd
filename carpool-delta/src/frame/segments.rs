use alloc::{collections::VecDeque, vec::Vec};
use carpool_core::Bytes;

use super::record::{Context, Record};
use crate::{
    cursor::put,
    limits::{CONTROL_WINDOW, LITERALS_WINDOW, SEGMENT_BYTES, SEGMENT_DECODED, VERSION},
    stream::Deflating,
};

/// Puts records and what they refer to into segments.
#[derive(Debug)]
pub(super) struct Segments {
    control_stream: Deflating,
    literals_stream: Deflating,
    pub(super) context: Context,
    control: Vec<u8>,
    literals: Vec<u8>,
    plain: Vec<Bytes>,
    plain_len: usize,
    /// Bytes that the segment decodes to.
    decoded: usize,
    out: VecDeque<Bytes>,
    /// Bytes of all parts, before they were compressed.
    written: usize,
}

/// What goes with a record.
#[derive(Debug, Default)]
pub(super) struct Payload<'a> {
    pub(super) literals: &'a [u8],
    pub(super) plain: Bytes,
}

impl Segments {
    pub(super) fn new(level: i32) -> Self {
        Self {
            control_stream: Deflating::new(level, CONTROL_WINDOW),
            literals_stream: Deflating::new(level, LITERALS_WINDOW),
            context: Context::default(),
            control: Vec::new(),
            literals: Vec::new(),
            plain: Vec::new(),
            plain_len: 0,
            decoded: 0,
            written: 0,
            out: VecDeque::from([Bytes::from_static(&[VERSION])]),
        }
    }

    /// Adds a record, and ends the segment where it is full.
    pub(super) fn push(&mut self, record: &Record, payload: Payload<'_>) {
        let before = self.control.len();
        record.write(&mut self.control, &mut self.context);
        self.written += self.control.len() - before + payload.literals.len() + payload.plain.len();
        self.literals.extend_from_slice(payload.literals);
        self.plain_len += payload.plain.len();
        if !payload.plain.is_empty() {
            self.plain.push(payload.plain);
        }
        if let Record::Block { len, .. } = record {
            self.decoded += len;
        }
        let longest = self.control.len().max(self.literals.len()).max(self.plain_len);
        if longest >= SEGMENT_BYTES || self.decoded >= SEGMENT_DECODED {
            self.end_segment();
        }
    }

    /// Ends the segment, unless it is empty.
    pub(super) fn end_segment(&mut self) {
        if self.control.is_empty() {
            return;
        }
        let (mut control, mut literals) = (Vec::new(), Vec::new());
        self.control_stream.flush(&self.control, &mut control);
        self.literals_stream.flush(&self.literals, &mut literals);
        let mut head = Vec::new();
        put(&mut head, control.len());
        put(&mut head, literals.len());
        put(&mut head, self.plain_len);
        head.extend_from_slice(&control);
        head.extend_from_slice(&literals);
        self.out.push_back(head.into());
        self.out.extend(self.plain.drain(..));
        self.control.clear();
        self.literals.clear();
        (self.plain_len, self.decoded) = (0, 0);
    }

    /// Ends the body.
    pub(super) fn end(&mut self) {
        self.end_segment();
        self.out.push_back(Bytes::from_static(&[0; 3]));
    }

    /// Bytes of all parts so far, before they were compressed.
    pub(super) const fn written(&self) -> usize {
        self.written
    }

    /// The next bytes of the body.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        self.out.pop_front()
    }

    /// Bytes of memory that its streams have.
    pub(super) fn memory(&self) -> usize {
        let buffers = self.control.capacity() + self.literals.capacity();
        self.control_stream.memory() + self.literals_stream.memory() + buffers
    }
}
