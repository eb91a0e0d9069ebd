//! The way of a request from server to server (`docs/operating.md`): what keeps peers of each other from
//! asking in circles, and from waiting for each other.

use http::HeaderMap;

/// The header that says which servers a request came through.
pub(super) const HEADER: &str = "car-mirror-via";

/// Servers that one header names; a longer list is not read.
pub(super) const MAX_HOPS: usize = 8;

/// A number that nobody else draws: of a server, or of a fill.
pub(super) type Id = [u8; 16];

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A client, which nobody waits for.
    Client,
    /// A fill of other servers.
    Peer(Via),
    /// The header is there and says nothing that is understood.
    Unreadable,
}

/// The fill for which a request was made, and the servers that passed it on, first the one that a client
/// asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Via {
    pub(super) fill: Id,
    pub(super) by: Vec<Id>,
}

impl Origin {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(HEADER).iter();
        match (values.next(), values.next()) {
            (None, _) => Self::Client,
            (Some(value), None) => {
                let read = value.to_str().ok().and_then(Via::decode);
                read.map_or(Self::Unreadable, Self::Peer)
            }
            (Some(_), Some(_)) => Self::Unreadable,
        }
    }
}

impl Via {
    /// What a fill of `server` says first.
    pub(super) fn begin(fill: Id, server: Id) -> Self {
        Self { fill, by: vec![server] }
    }

    /// What `server` says that passes it on.
    pub(super) fn passed_by(&self, server: Id) -> Self {
        let mut passed = self.clone();
        passed.by.push(server);
        passed
    }

    pub(super) fn encode(&self) -> String {
        let by: Vec<String> = self.by.iter().map(hex).collect();
        format!("v=1; fill={}; by={}", hex(&self.fill), by.join(","))
    }

    fn decode(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("v=1; fill=")?;
        let (fill, by) = rest.split_once("; by=")?;
        let by: Vec<Id> = by.split(',').take(MAX_HOPS + 1).map(id).collect::<Option<_>>()?;
        (by.len() <= MAX_HOPS).then_some(Self { fill: id(fill)?, by })
    }
}

fn hex(id: &Id) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn id(text: &str) -> Option<Id> {
    let digits = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 32 || !text.bytes().all(|byte| digits(&byte)) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILL: Id = [0xab; 16];

    fn through(hops: usize) -> Via {
        Via { fill: FILL, by: (0..hops).map(|n| [u8::try_from(n).unwrap(); 16]).collect() }
    }

    fn read(text: &str) -> Origin {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, text.parse().unwrap());
        Origin::of(&headers)
    }

    #[test]
    fn it_is_read_as_it_was_written_up_to_the_limit() {
        for hops in [1, 2, MAX_HOPS] {
            assert_eq!(read(&through(hops).encode()), Origin::Peer(through(hops)));
        }
        assert_eq!(read(&through(MAX_HOPS + 1).encode()), Origin::Unreadable);
        assert_eq!(Origin::of(&HeaderMap::new()), Origin::Client);
        let (first, second) = ([1; 16], [2; 16]);
        let via = Via::begin(FILL, first).passed_by(second);
        assert_eq!(via, Via { fill: FILL, by: vec![first, second] });
    }

    #[test]
    fn what_is_not_understood_is_no_client() {
        let good = through(1).encode();
        let mut twice = HeaderMap::new();
        twice.append(HEADER, good.parse().unwrap());
        twice.append(HEADER, good.parse().unwrap());
        assert_eq!(Origin::of(&twice), Origin::Unreadable);
        for bad in
            ["", "v=1", "v=2; fill=", &good.to_uppercase(), &good[1..], &good[..good.len() - 1]]
        {
            assert_eq!(read(bad), Origin::Unreadable, "{bad:?}");
        }
        for bad in [format!("{good},"), good.replace("ab", "+b"), good.replace("by=", "by=,")] {
            assert_eq!(read(&bad), Origin::Unreadable, "{bad:?}");
        }
    }
}
