//! Which link of an old node stands where one of a new node stands.

use alloc::{collections::BTreeMap, vec::Vec};
use carpool_core::{Bytes, Cid, CidMap, Limits, cid_exact, codec, for_each_link_bytes};

use super::record::Form;

/// A link of a new or an old node.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) cid: Cid,
    /// Where its digest begins; none where it cannot be taken.
    pub(super) digest: Option<usize>,
    /// A hash of its name, where it has one.
    name: Option<u64>,
    /// The old link at its place.
    pub(crate) pair: Pair,
}

/// What an old node has at the place of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pair {
    /// Nothing.
    None,
    /// The same block.
    Same(usize),
    /// A block of the same name.
    Named(usize),
    /// A block between the same neighbours.
    Next(usize),
}

impl Pair {
    pub(crate) const fn link(self) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Same(link) | Self::Named(link) | Self::Next(link) => Some(link),
        }
    }
}

impl Link {
    pub(crate) const fn has_name(&self) -> bool {
        self.name.is_some()
    }
}

/// The links of a block in their order; none where the strict scanner finds a fault.
pub(crate) fn links_of(cid: &Cid, data: &Bytes, limits: &Limits) -> Vec<Link> {
    let mut links = Vec::new();
    let each = |bytes: &[u8]| {
        let Ok(link) = cid_exact(bytes) else { return };
        let start = bytes.as_ptr().addr() - data.as_ptr().addr();
        let end = start + bytes.len();
        let name = match cid.codec() {
            codec::DAG_PB => name_behind(&data[end..]),
            _ => key_before(&data[..start]),
        };
        let digest = Form::of(&link).map(|_| end - 32);
        links.push(Link { cid: link, digest, name: name.map(hash), pair: Pair::None });
    };
    if for_each_link_bytes(cid, data, limits, each).is_err() {
        links.clear();
    }
    links
}

/// The name of a DAG-PB link, the field that follows the CID; an empty one is none.
fn name_behind(rest: &[u8]) -> Option<&[u8]> {
    let (&len, rest) = rest.strip_prefix(&[0x12])?.split_first()?;
    let (len, rest) = match len {
        0 => return None,
        1..0x80 => (usize::from(len), rest),
        _ => {
            let (&high, rest) = rest.split_first()?;
            (usize::from(len & 0x7f) | usize::from(high) << 7, rest)
        }
    };
    rest.get(..len)
}

/// The key of a DAG-CBOR link in a map, or the end of it: the shortest piece before the link whose head says
/// that it is text.
fn key_before(before: &[u8]) -> Option<&[u8]> {
    // Tag 42, a byte string of one byte of length, and the zero before the CID.
    let before = before.get(..before.len().checked_sub(5)?)?;
    (1..24.min(before.len())).find_map(|len| {
        let (rest, key) = before.split_at(before.len() - len);
        let is_head = rest.last().is_some_and(|head| usize::from(*head) == 0x60 + len);
        (is_head && key.iter().all(u8::is_ascii_graphic)).then_some(key)
    })
}

fn hash(name: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    name.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Pairs each link that the old node has not: with the old link of its name, else with the one that
/// stands between the same neighbours. Returns how many these are.
pub(crate) fn pair(links: &mut [Link], by_cid: &CidMap<usize>, olds: &[Link], seed: u64) -> usize {
    let mut at = CidMap::with_seed(seed);
    for (n, old) in olds.iter().enumerate() {
        at.insert_absent(&old.cid, || n);
    }
    let mut taken: Vec<bool> = olds.iter().map(|old| by_cid.contains(&old.cid)).collect();
    let names = names(olds, &taken);
    let mut missing = 0;
    for link in &mut *links {
        if let Some(same) = at.get(&link.cid) {
            link.pair = Pair::Same(*same);
            continue;
        }
        missing += 1;
        let named = link.name.and_then(|name| names.get(&name).copied().flatten());
        if let Some(named) = named.filter(|n| !taken[*n]) {
            taken[named] = true;
            link.pair = Pair::Named(named);
        }
    }
    pair_in_order(links, &taken);
    missing
}

/// The old links that may be meant by a name: those whose name no other has.
fn names(olds: &[Link], taken: &[bool]) -> BTreeMap<u64, Option<usize>> {
    let mut names = BTreeMap::new();
    for (n, old) in olds.iter().enumerate().filter(|(n, _)| !taken[*n]) {
        if let Some(name) = old.name {
            names.entry(name).and_modify(|only| *only = None).or_insert(Some(n));
        }
    }
    names
}

fn pair_in_order(links: &mut [Link], taken: &[bool]) {
    let mut next = 0;
    for link in links {
        if let Some(paired) = link.pair.link() {
            next = paired + 1;
            continue;
        }
        while taken.get(next) == Some(&true) {
            next += 1;
        }
        if next < taken.len() {
            link.pair = Pair::Next(next);
        }
        next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use carpool_core::{Block, cbor};

    fn leaf(text: &str) -> Cid {
        *Block::new(codec::RAW, Bytes::copy_from_slice(text.as_bytes())).cid()
    }

    /// A directory in DAG-PB: names, and what they link to.
    fn directory(entries: &[(&str, &str)]) -> Block {
        let mut data = vec![];
        for (name, text) in entries {
            let cid = leaf(text).to_bytes();
            let len = |n: usize| u8::try_from(n).expect("short");
            data.extend([0x12, len(cid.len() + name.len() + 6), 0x0a, len(cid.len())]);
            data.extend_from_slice(&cid);
            data.extend([0x12, len(name.len())]);
            data.extend_from_slice(name.as_bytes());
            data.extend([0x18, 1]);
        }
        data.extend([0x0a, 2, 8, 1]);
        Block::new(codec::DAG_PB, data.into())
    }

    fn map(entries: &[(&str, &str)]) -> Block {
        let mut data = vec![];
        cbor::write_head(&mut data, cbor::MAP, entries.len() as u64);
        for (key, text) in entries {
            cbor::write_head(&mut data, cbor::TEXT, key.len() as u64);
            data.extend_from_slice(key.as_bytes());
            cbor::write_link(&mut data, &leaf(text));
        }
        Block::new(codec::DAG_CBOR, data.into())
    }

    fn list(texts: &[&str]) -> Block {
        let mut data = vec![];
        cbor::write_head(&mut data, cbor::ARRAY, texts.len() as u64);
        texts.iter().for_each(|text| cbor::write_link(&mut data, &leaf(text)));
        Block::new(codec::DAG_CBOR, data.into())
    }

    fn pairs(new: &Block, old: &Block) -> Vec<Pair> {
        let links = |block: &Block| links_of(block.cid(), block.data(), &Limits::default());
        let (mut new, old) = (links(new), links(old));
        let mut by_cid = CidMap::with_seed(0);
        new.iter().enumerate().for_each(|(n, link)| {
            by_cid.insert_absent(&link.cid, || n);
        });
        pair(&mut new, &by_cid, &old, 0);
        new.iter().map(|link| link.pair).collect()
    }

    #[test]
    fn names_go_before_neighbours() {
        let old = [("a", "1"), ("b", "2"), ("c", "3")];
        let new = [("a", "1"), ("aa", "4"), ("b", "5"), ("c", "3")];
        let found = pairs(&directory(&new), &directory(&old));
        assert_eq!(found, [Pair::Same(0), Pair::None, Pair::Named(1), Pair::Same(2)]);
        let old = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")];
        let found = pairs(&map(&[("a", "1"), ("c", "5"), ("d", "4")]), &map(&old));
        assert_eq!(found, [Pair::Same(0), Pair::Named(2), Pair::Same(3)]);
    }

    #[test]
    fn without_names_neighbours_tell() {
        let found = pairs(&list(&["1", "x", "y", "4"]), &list(&["1", "2", "3", "4"]));
        assert_eq!(found, [Pair::Same(0), Pair::Next(1), Pair::Next(2), Pair::Same(3)]);
        let found = pairs(&list(&["1", "x", "y"]), &list(&["1", "2"]));
        assert_eq!(found, [Pair::Same(0), Pair::Next(1), Pair::None]);
    }

    /// A name that several have says nothing.
    #[test]
    fn names_that_are_shared_say_nothing() {
        let old = directory(&[("a", "1"), ("a", "2")]);
        let found = pairs(&directory(&[("a", "3"), ("a", "4")]), &old);
        assert_eq!(found, [Pair::Next(0), Pair::Next(1)]);
    }
}
