use alloc::vec::Vec;

use super::{MAC_BYTES, MAX_GOSSIP_BYTES, SESSION_ID_BYTES, SessionKey};
use crate::Error;

const VERSION: u8 = 1;

/// Begins a message of the session.
pub(super) fn begin(key: &SessionKey, form: u8) -> Vec<u8> {
    let mut out = Vec::from([VERSION, form]);
    out.extend(key.id());
    out
}

/// Ends a message: nobody can make one who does not know the session's name, and none can be changed.
pub(super) fn seal(key: &SessionKey, mut message: Vec<u8>) -> Vec<u8> {
    let mac = key.mac(&message);
    message.extend(mac.as_bytes());
    message
}

/// The body of a message of this session and form.
pub(super) fn open<'a>(key: &SessionKey, form: u8, message: &'a [u8]) -> Result<Reader<'a>, Error> {
    if message.len() > MAX_GOSSIP_BYTES {
        let (count, max) = (message.len() as u64, MAX_GOSSIP_BYTES as u64);
        return Err(Error::TooMany { what: "bytes of a message", count, max });
    }
    let (said, mac) = message
        .len()
        .checked_sub(MAC_BYTES)
        .map(|at| message.split_at(at))
        .ok_or(Error::Gossip { expected: "a message" })?;
    let mac = mac.try_into().map(blake3::Hash::from_bytes).expect("so many were split off");
    let body = said.strip_prefix(&[VERSION, form]).and_then(|rest| rest.strip_prefix(key.id()));
    // The comparison takes the same time wherever they differ.
    match body {
        Some(body) if key.mac(said) == mac => Ok(Reader(body)),
        _ => Err(Error::Forged),
    }
}

/// What a message names its session by, of whatever session it is.
pub(super) fn session_of(message: &[u8]) -> Option<&[u8; SESSION_ID_BYTES]> {
    message.get(2..)?.first_chunk()
}

/// Numbers in the order in which they were written, little-endian.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn bytes(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) =
            self.0.split_at_checked(n).ok_or(Error::Gossip { expected: "more bytes" })?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.bytes(N).map(|bytes| bytes.try_into().expect("as many as were asked for"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn end(&self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Gossip { expected: "its end" }) }
    }
}

/// # Errors
/// [`Error::Gossip`] unless each is greater than the one before: there is one way to write a set.
pub(super) fn ascends<T: PartialOrd + Copy>(last: &mut Option<T>, next: T) -> Result<(), Error> {
    if last.is_some_and(|last| last >= next) {
        return Err(Error::Gossip { expected: "a greater number" });
    }
    *last = Some(next);
    Ok(())
}
