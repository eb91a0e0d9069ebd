//! What a source said in the session of a pool, as the sink that listens is answered (`docs/pool-session.md`).

use bytes::Bytes;
use carpool_pool::{Error, MAX_GOSSIP_BYTES};
use std::time::Duration;

/// Bytes of an answer: all that a server of ours can have said is less.
pub(crate) const MAX_BYTES: usize = MAX_GOSSIP_BYTES;
/// Messages in one.
pub(crate) const MAX_MESSAGES: usize = 1 << 12;
/// How long an answer waits for a message.
pub(crate) const WAIT: Duration = Duration::from_secs(10);

/// Messages, sealed as they were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// The number of the first one that is not in here.
    pub(crate) next: u64,
    pub(crate) messages: Vec<Bytes>,
}

impl Said {
    /// The number, and each message behind its length; all numbers are little-endian.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = self.next.to_le_bytes().to_vec();
        for message in &self.messages {
            let bytes = u32::try_from(message.len()).expect("within the limit of messages");
            out.extend(bytes.to_le_bytes());
            out.extend_from_slice(message);
        }
        out
    }

    /// Reads what [`encode`](Self::encode) wrote; of the messages nothing is checked.
    ///
    /// # Errors
    /// [`Error::TooMany`] past a limit, [`Error::Gossip`] for other bytes.
    pub(crate) fn decode(body: impl Into<Bytes>) -> Result<Self, Error> {
        let mut body = body.into();
        check("bytes of messages", body.len(), MAX_BYTES)?;
        let next = u64::from_le_bytes(number(&mut body)?);
        let mut messages = Vec::new();
        while !body.is_empty() {
            check("messages", messages.len() + 1, MAX_MESSAGES)?;
            let bytes = u32::from_le_bytes(number(&mut body)?) as usize;
            if bytes == 0 {
                return Err(Error::Gossip { expected: "a message" });
            }
            messages.push(take(&mut body, bytes)?);
        }
        Ok(Self { next, messages })
    }
}

fn number<const N: usize>(body: &mut Bytes) -> Result<[u8; N], Error> {
    take(body, N).map(|bytes| bytes.as_ref().try_into().expect("as many as were asked for"))
}

fn take(body: &mut Bytes, bytes: usize) -> Result<Bytes, Error> {
    if body.len() < bytes {
        return Err(Error::Gossip { expected: "more bytes" });
    }
    Ok(body.split_to(bytes))
}

fn check(what: &'static str, count: usize, max: usize) -> Result<(), Error> {
    let (count, max) = (count as u64, max as u64);
    if count > max { Err(Error::TooMany { what, count, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(next: u64, messages: &[&[u8]]) -> Said {
        Said { next, messages: messages.iter().map(|it| Bytes::copy_from_slice(it)).collect() }
    }

    #[test]
    fn answers_come_back() {
        for said in [Said::default(), said(7, &[b"x"]), said(u64::MAX, &[b"a", &[0; 1000], b"b"])] {
            assert_eq!(Said::decode(said.encode()), Ok(said));
        }
        assert_eq!(said(1, &[b"xy"]).encode(), b"\x01\0\0\0\0\0\0\0\x02\0\0\0xy");
    }

    #[test]
    fn malformed_ones_are_refused() {
        let whole = said(5, &[b"one", b"two"]).encode();
        let ends = [8, 8 + 4 + 3];
        for bytes in 0..whole.len() {
            assert_eq!(
                Said::decode(whole[..bytes].to_vec()).is_ok(),
                ends.contains(&bytes),
                "{bytes}"
            );
        }
        for (what, length) in [("no message", 0_u32), ("beyond the end", 4), ("far", u32::MAX)] {
            let body = [&whole[..8], &length.to_le_bytes(), b"one"].concat();
            assert!(matches!(Said::decode(body), Err(Error::Gossip { .. })), "{what}");
        }
    }

    /// Whatever was changed, what is read is written in the same way.
    #[test]
    fn changed_ones_are_refused_or_come_back() {
        let whole = said(5, &[b"one", b"three", &[0; 9]]).encode();
        let (mut read, mut refused) = (0, 0);
        for at in 0..whole.len() {
            for byte in 0..=u8::MAX {
                let mut body = whole.clone();
                body[at] = byte;
                match Said::decode(body.clone()) {
                    Ok(said) => {
                        assert_eq!(said.encode(), body);
                        read += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(read > 1000 && refused > 1000, "{read} and {refused}");
    }

    #[test]
    fn messages_at_the_limit_and_one_past_it() {
        let of = |count| Said { next: 0, messages: vec![Bytes::from_static(b"x"); count] };
        let most = of(MAX_MESSAGES);
        assert_eq!(Said::decode(most.encode()), Ok(most));
        let (count, max) = (MAX_MESSAGES as u64 + 1, MAX_MESSAGES as u64);
        let refused = Error::TooMany { what: "messages", count, max };
        assert_eq!(Said::decode(of(MAX_MESSAGES + 1).encode()), Err(refused));
    }

    #[test]
    fn bytes_at_the_limit_and_one_past_it() {
        let of = |bytes: usize| said(0, &[&vec![1; bytes - 8 - 4]]).encode();
        assert!(Said::decode(of(MAX_BYTES)).is_ok());
        let (count, max) = (MAX_BYTES as u64 + 1, MAX_BYTES as u64);
        let refused = Error::TooMany { what: "bytes of messages", count, max };
        assert_eq!(Said::decode(of(MAX_BYTES + 1)), Err(refused));
    }
}
