use alloc::{format, string::String, vec::Vec};
use carpool_core::Cid;

use super::{MAX_HEADER_BYTES, MAX_HELD, SESSION_BYTES};
use crate::{
    planner::Step,
    sketch::{CellRange, NamedKey},
};

const VERSION: &str = "v=1";

/// What the header of a request says: in a pull, roots that the sink holds with all that lies below
/// them, and in a push, how the sink may answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The root of the DAG that is transferred: in a pull where the message beside the header wants others, in
    /// a push where its body is no CAR.
    pub root: Option<Cid>,
    /// In a pull, the one CID that the message beside the header wants, which may come late: a source
    /// that knows a held root answers without it.
    pub want: Option<Cid>,
    /// The roots that the sink holds, the best first; at most [`MAX_HELD`] count. In a push those are presumed that
    /// the body is held against.
    pub held: Vec<Cid>,
    /// In a push, whether the name that it is about has to point to the first of the held roots, which is
    /// told otherwise before the body is read.
    pub expects_name: bool,
    /// In a pull, blocks below held roots that turned out not to be there: no delta may be against them.
    pub lost: Vec<Cid>,
    /// The session under which the source may remember what it sends.
    pub session: Option<[u8; SESSION_BYTES]>,
    /// In a push, how the sink is to say what it lacks: the source reads the extended message.
    pub ask: Option<Step>,
    /// In a push, the key of sketches that the source drew.
    pub key: Option<NamedKey>,
    /// In a push, the cells that the source needs, under that key.
    pub cells: Option<CellRange>,
    /// In a push, whether the filter of the answer before stays in force for a bitmap, so that the
    /// sink need not send it again.
    pub keeps_filter: bool,
    /// In a pull, the plan of a pool as text, which `carpool-pool` reads: the source sends its share alone.
    pub pool: Option<String>,
    /// Beside a plan, what the source may do of what others of the pool say.
    pub gossips: Gossips,
}

/// What a source of a pool may do beside sending its share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gossips {
    /// Nothing.
    #[default]
    No,
    /// It leaves out what others promise, and says what it lacks and when its share is sent.
    Minds,
    /// The same, and it goes on with what nobody promises.
    TakesOver,
}

impl Gossips {
    const fn parameter(self) -> &'static str {
        match self {
            Self::No => "",
            Self::Minds => "; gossip=2",
            Self::TakesOver => "; gossip=1",
        }
    }

    /// What is not known here is not done.
    fn from_value(value: &str) -> Self {
        match value {
            "1" => Self::TakesOver,
            "2" => Self::Minds,
            _ => Self::No,
        }
    }
}

impl Offer {
    /// The header's value.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut value = String::from(VERSION);
        if let Some(root) = &self.root {
            value += &format!("; root={root}");
        }
        if let Some(want) = &self.want {
            value += &format!("; want={want}");
        }
        for (i, cid) in self.held.iter().take(MAX_HELD).enumerate() {
            value += &if i == 0 { format!("; held={cid}") } else { format!(",{cid}") };
        }
        value += &lost(&self.lost);
        if self.expects_name {
            value += "; expects=name";
        }
        if let Some(session) = self.session {
            value += &format!("; session={:032x}", u128::from_be_bytes(session));
        }
        if let Some(step) = self.ask {
            value += &format!("; ask={}", step.token());
        }
        value += &sketches(self.key, self.cells);
        if self.keeps_filter {
            value += "; keeps=filter";
        }
        if let Some(plan) = &self.pool {
            value += &format!("; pool={plan}");
        }
        value += self.gossips.parameter();
        value
    }

    /// Reads a header's value. `None` for one that is too long, of another version, or damaged: then
    /// the request is one without a header.
    #[must_use]
    pub fn decode(value: &str) -> Option<Self> {
        let mut offer = Self::default();
        for (key, value) in parameters(value)? {
            match key {
                "root" => offer.root = Some(value.parse().ok()?),
                "want" => offer.want = Some(value.parse().ok()?),
                "held" => offer.held = cids(value)?,
                "session" => offer.session = Some(session(value)?),
                // A step that is not known here is one that nobody can be asked for.
                "ask" => offer.ask = Step::from_token(value),
                "key" => offer.key = Some(NamedKey::decode(value)?),
                "cells" => offer.cells = Some(CellRange::decode(value)?),
                "lost" => offer.lost = cids(value)?,
                "expects" => offer.expects_name = value == "name",
                "pool" => offer.pool = Some(String::from(value)),
                "gossip" => offer.gossips = Gossips::from_value(value),
                "keeps" => offer.keeps_filter = value == "filter",
                _ => {}
            }
        }
        Some(offer)
    }
}

/// What the header of an answer says; that there is one says that extended requests are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whether what was sent is the difference to a root that the request named.
    pub used_held: bool,
    /// In a pull, a key of sketches that the source drew for this sink.
    pub key: Option<NamedKey>,
    /// In a pull, the cells that the source needs: nothing was sent yet.
    pub cells: Option<CellRange>,
    /// Whether the source remembers what it sends here for the session that the request named.
    pub memory: Memory,
    /// Whether pushes may bring delta bodies.
    pub takes_deltas: bool,
    /// Whether pulls may bring the plan of a pool.
    pub plans: Plans,
}

/// What a source does with the plan of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plans {
    /// It does not read it.
    #[default]
    No,
    /// It sends its share.
    Shares,
    /// The same, and it hears what other sources say, and says what it does.
    Gossips,
}

/// What a source remembers of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// Nothing.
    #[default]
    None,
    /// What it sends from here on: it knows of no round before.
    Begun,
    /// What it sends, and what it sent in the rounds before.
    Kept,
}

impl Answer {
    /// The header's value.
    #[must_use]
    pub fn encode(&self) -> String {
        let used = if self.used_held { "; used=held" } else { "" };
        let memory = match self.memory {
            Memory::None => "",
            Memory::Begun => "; session=new",
            Memory::Kept => "; session=kept",
        };
        let takes = if self.takes_deltas { "; takes=delta" } else { "" };
        let plans = match self.plans {
            Plans::No => "",
            Plans::Shares => "; pool=1",
            Plans::Gossips => "; pool=1; gossip=1",
        };
        format!("{VERSION}{used}{memory}{takes}{}{plans}", sketches(self.key, self.cells))
    }

    /// As [`Offer::decode`].
    #[must_use]
    pub fn decode(value: &str) -> Option<Self> {
        let (mut answer, mut gossips) = (Self::default(), false);
        for (key, value) in parameters(value)? {
            match (key, value) {
                ("used", "held") => answer.used_held = true,
                ("takes", "delta") => answer.takes_deltas = true,
                ("pool", "1") => answer.plans = Plans::Shares,
                ("gossip", "1") => gossips = true,
                ("session", "new") => answer.memory = Memory::Begun,
                ("session", "kept") => answer.memory = Memory::Kept,
                ("key", key) => answer.key = Some(NamedKey::decode(key)?),
                ("cells", cells) => answer.cells = Some(CellRange::decode(cells)?),
                _ => {}
            }
        }
        if gossips && answer.plans == Plans::Shares {
            answer.plans = Plans::Gossips;
        }
        Some(answer)
    }
}

fn sketches(key: Option<NamedKey>, cells: Option<CellRange>) -> String {
    let key = key.map(|key| format!("; key={}", key.encode()));
    let cells = cells.map(|cells| format!("; cells={}", cells.encode()));
    key.unwrap_or_default() + &cells.unwrap_or_default()
}

/// What a header says of blocks that turned out not to be there, of which the first [`MAX_HELD`] count.
#[must_use]
pub fn lost(cids: &[Cid]) -> String {
    let mut value = String::new();
    for (i, cid) in cids.iter().take(MAX_HELD).enumerate() {
        value += &if i == 0 { format!("; lost={cid}") } else { format!(",{cid}") };
    }
    value
}

/// The blocks of which the header of an answer to a push says that they are not there: no delta may be against
/// them.
#[must_use]
pub fn lost_of(value: &str) -> Vec<Cid> {
    let said = parameters(value).and_then(|mut said| said.find(|(key, _)| *key == "lost"));
    said.and_then(|(_, value)| cids(value)).unwrap_or_default()
}

/// The parameters behind the version.
fn parameters(value: &str) -> Option<impl Iterator<Item = (&str, &str)>> {
    let mut parts = value.split(';').map(str::trim);
    let known = value.len() <= MAX_HEADER_BYTES && parts.next() == Some(VERSION);
    known.then(|| parts.filter_map(|part| part.split_once('=')))
}

/// 32 hexadecimal digits, and nothing else.
fn session(value: &str) -> Option<[u8; SESSION_BYTES]> {
    let digits = value.len() == 2 * SESSION_BYTES && value.bytes().all(|c| c.is_ascii_hexdigit());
    let number = digits.then(|| u128::from_str_radix(value, 16).ok()).flatten()?;
    Some(number.to_be_bytes())
}

fn cids(value: &str) -> Option<Vec<Cid>> {
    value.split(',').take(MAX_HELD).map(|cid| cid.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};
    use carpool_bloom::sketch::Key;
    use carpool_core::{Block, codec};

    fn cid(name: u8) -> Cid {
        *Block::new(codec::DAG_CBOR, vec![name].into()).cid()
    }

    const NAMED: NamedKey = NamedKey { number: 5, key: Key::new([0x1f; 16]) };

    #[test]
    fn headers_come_back() {
        for offer in [
            Offer::default(),
            Offer {
                ask: Some(Step::Sketch),
                key: Some(NAMED),
                cells: Some(CellRange::BEGIN),
                ..Offer::default()
            },
            Offer {
                root: Some(cid(1)),
                held: vec![cid(2)],
                session: Some([7; 16]),
                ..Offer::default()
            },
            Offer { held: (0..16).map(cid).collect(), lost: vec![cid(3)], ..Offer::default() },
            Offer { want: Some(cid(1)), held: vec![cid(2)], ..Offer::default() },
            Offer {
                root: Some(cid(1)),
                held: vec![cid(2)],
                expects_name: true,
                ..Offer::default()
            },
            Offer { ask: Some(Step::Bitmaps), keeps_filter: true, ..Offer::default() },
            Offer { root: Some(cid(1)), pool: Some("00.3.1.20.100-50".into()), ..Offer::default() },
            Offer { gossips: Gossips::Minds, pool: Some("p".into()), ..Offer::default() },
            Offer { gossips: Gossips::TakesOver, pool: Some("p".into()), ..Offer::default() },
        ] {
            let value = offer.encode();
            assert!(value.len() <= MAX_HEADER_BYTES);
            assert_eq!(Offer::decode(&value), Some(offer));
        }
        for memory in [Memory::None, Memory::Begun, Memory::Kept] {
            for (used_held, key) in [(false, None), (true, None), (true, Some(NAMED))] {
                let cells = key.map(|_| CellRange::BEGIN);
                for (takes_deltas, plans) in
                    [(false, Plans::No), (true, Plans::Shares), (true, Plans::Gossips)]
                {
                    let answer = Answer { used_held, memory, key, cells, takes_deltas, plans };
                    assert_eq!(Answer::decode(&answer.encode()), Some(answer));
                }
            }
        }
    }

    #[test]
    fn gossip_that_is_not_known_is_none() {
        for (value, gossips) in [
            ("v=1; pool=p", Gossips::No),
            ("v=1; pool=p; gossip=1", Gossips::TakesOver),
            ("v=1; pool=p; gossip=2", Gossips::Minds),
            ("v=1; pool=p; gossip=3", Gossips::No),
            ("v=1; pool=p; gossip=", Gossips::No),
        ] {
            let offer = Offer::decode(value).expect("version 1");
            assert_eq!(offer.gossips, gossips, "{value}");
            assert!(value.starts_with(&offer.encode()), "{value}");
        }
    }

    #[test]
    fn who_gossips_takes_plans() {
        for (value, plans) in [
            ("v=1; gossip=1", Plans::No),
            ("v=1; pool=1; gossip=2", Plans::Shares),
            ("v=1; gossip=1; pool=1", Plans::Gossips),
        ] {
            assert_eq!(Answer::decode(value).map(|answer| answer.plans), Some(plans), "{value}");
        }
    }

    #[test]
    fn what_is_lost_stands_beside_an_answer() {
        let both = vec![cid(1), cid(2)];
        let value = Answer::default().encode() + &lost(&both);
        assert_eq!(lost_of(&value), both);
        assert_eq!(Answer::decode(&value), Some(Answer::default()));
        let many: Vec<Cid> = (0..17).map(cid).collect();
        assert_eq!(lost_of(&(Answer::default().encode() + &lost(&many))), many[..MAX_HELD]);
        for value in ["", "v=1", "v=2; lost=x", "v=1; lost=x"] {
            assert_eq!(lost_of(value), []);
        }
    }

    #[test]
    fn a_header_that_is_not_understood_is_none() {
        let long = "x".repeat(MAX_HEADER_BYTES - VERSION.len() - 3);
        let table = [
            ("", false),
            ("v=2", false),
            ("v=1", true),
            ("v=1; new=thing; held=", false),
            ("v=1; new=thing", true),
            ("v=1; held=nonsense", false),
            ("v=1; root=nonsense", false),
            ("v=1; key=5.1f", false),
            ("v=1; cells=0.0", false),
            ("v=1; session=0123456789abcdef0123456789ABCDEF", true),
            ("v=1; session=0123456789abcdef0123456789abcde", false),
            ("v=1; session=+123456789abcdef0123456789abcdef", false),
            (&format!("v=1; x={long}"), false),
            (&format!("v=1; x={}", &long[1..]), true),
        ];
        for (value, read) in table {
            assert_eq!(Offer::decode(value).is_some(), read, "{value:.40}");
        }
    }

    #[test]
    fn roots_beyond_the_limit_do_not_count() {
        let held: Vec<Cid> = (0..17).map(cid).collect();
        let value =
            format!("v=1; held={}", held.iter().map(Cid::to_string).collect::<Vec<_>>().join(","));
        assert_eq!(Offer::decode(&value).map(|offer| offer.held.len()), Some(MAX_HELD));
    }

    #[test]
    fn a_step_that_is_not_known_is_not_asked_for() {
        for (value, ask) in [
            ("v=1; ask=interior", Some(Step::InteriorFilter)),
            ("v=1; ask=telepathy", None),
            ("v=1; ask=", None),
        ] {
            assert_eq!(Offer::decode(value).map(|offer| offer.ask), Some(ask), "{value}");
        }
    }
}
