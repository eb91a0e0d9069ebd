use alloc::{string::String, vec::Vec};
use carpool_core::{Cid, may_link};
use core::fmt::Write;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{Error, rendezvous};

/// Bytes of a session's name: a number that the sink draws at random, and a secret of its own and its sources.
pub const SESSION_BYTES: usize = 16;

/// Members of a plan, and sources of a pool.
pub const MAX_MEMBERS: usize = 64;

/// What a sink tells an aware source: who shares the work, and how much of it each takes. From it every party
/// knows who sends a block, without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    session: [u8; SESSION_BYTES],
    epoch: u32,
    me: u8,
    /// The weights of the members, and behind them the reserve.
    weights: Vec<u32>,
    /// The same of an earlier plan, under which another answer to the reader is under way; or none.
    earlier: Vec<u32>,
}

impl Plan {
    /// The plan of an epoch for its reader, who is the member at `me`. Weights are of any unit, such as KiB a
    /// second; who weighs 0 sends nothing. Nobody sends the leaves that fall to the `reserve`, which weighs
    /// like a member: the sink asks for them by name, of whoever is done first.
    ///
    /// # Errors
    /// [`Error::Members`] for none or more than [`MAX_MEMBERS`], [`Error::Plan`] where none weighs anything or
    /// `me` is none of them.
    pub fn new(
        session: [u8; SESSION_BYTES],
        epoch: u32,
        me: u8,
        reserve: u32,
        mut weights: Vec<u32>,
    ) -> Result<Self, Error> {
        if weights.is_empty() || weights.len() > MAX_MEMBERS {
            return Err(Error::Members { members: weights.len() as u64, max: MAX_MEMBERS as u64 });
        }
        if weights.iter().all(|weight| *weight == 0) {
            return Err(Error::Plan { expected: "a member of some weight" });
        }
        if usize::from(me) >= weights.len() {
            return Err(Error::Plan { expected: "its reader among the members" });
        }
        weights.push(reserve);
        Ok(Self { session, epoch, me, weights, earlier: Vec::new() })
    }

    /// The plan less what an earlier one gave to its reader, under which another answer is on its way: the
    /// reserve weighed the same in it, and the members these `weights`.
    ///
    /// # Errors
    /// [`Error::Plan`] where there are not as many of them as there are members.
    pub fn beside(mut self, mut weights: Vec<u32>) -> Result<Self, Error> {
        if weights.len() != self.weights().len() {
            return Err(Error::Plan { expected: "as many earlier weights as members" });
        }
        weights.push(self.reserve());
        self.earlier = weights;
        Ok(self)
    }

    /// The same plan for another reader, who has to be a member.
    pub(crate) fn read_by(&self, me: u8) -> Self {
        Self { me, ..self.clone() }
    }

    /// The session's name.
    #[must_use]
    pub const fn session(&self) -> &[u8; SESSION_BYTES] {
        &self.session
    }

    /// The epoch: a number that grows with each new plan of a session.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The place of the plan's reader.
    #[must_use]
    pub const fn me(&self) -> u8 {
        self.me
    }

    /// What each member weighs.
    #[must_use]
    pub fn weights(&self) -> &[u32] {
        &self.weights[..self.weights.len() - 1]
    }

    /// What the reserve weighs.
    #[must_use]
    pub fn reserve(&self) -> u32 {
        self.weights.last().copied().unwrap_or_default()
    }

    /// The place of the member that sends this block; `None` of a leaf of the reserve. The same in every epoch of a session as long as nobody's
    /// weight changes: who loses weight loses blocks, and nobody else does.
    #[must_use]
    pub fn owner(&self, cid: &Cid) -> Option<usize> {
        self.owner_by(&self.weights, cid)
    }

    fn owner_by(&self, weights: &[u32], cid: &Cid) -> Option<usize> {
        let members = weights.len() - 1;
        let of = if may_link(cid) { &weights[..members] } else { weights };
        rendezvous::owner(self.key(cid), of).filter(|place| *place < members)
    }

    /// Whether the plan's reader sends this block: it owns it, and did not by the [earlier](Self::beside) weights.
    #[must_use]
    pub fn is_mine(&self, cid: &Cid) -> bool {
        self.sends(usize::from(self.me), cid)
    }

    /// Whether the member at this place would send this block if it was the reader.
    pub(crate) fn sends(&self, member: usize, cid: &Cid) -> bool {
        let is = self.owner(cid) == Some(member);
        is && (self.earlier.is_empty() || self.owner_by(&self.earlier, cid) != Some(member))
    }

    fn key(&self, cid: &Cid) -> u64 {
        let (low, _) = self.session.split_first_chunk().expect("16 bytes have 8");
        // CIDs of other versions and codecs name the same bytes, which are sent once.
        xxh3_64_with_seed(cid.hash().digest(), u64::from_le_bytes(*low))
    }

    /// As a parameter of a header: `session.epoch.me.reserve.weight-weight…`, the session in 32 hexadecimal digits,
    /// and behind a further point the earlier weights where there are any.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let session = u128::from_be_bytes(self.session);
        let _ = write!(text, "{session:032x}.{}.{}.{}", self.epoch, self.me, self.reserve());
        for weights in [&self.weights, &self.earlier].into_iter().filter(|of| !of.is_empty()) {
            for (place, weight) in weights[..weights.len() - 1].iter().enumerate() {
                let _ = write!(text, "{}{weight}", if place == 0 { "." } else { "-" });
            }
        }
        text
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::Plan`] for other text.
    pub fn decode(text: &str) -> Result<Self, Error> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(MALFORMED);
        let (session, epoch, me) = (next()?, next()?, next()?);
        let (reserve, weights) = (next()?, next()?);
        let earlier = parts.next();
        if parts.next().is_some() {
            return Err(MALFORMED);
        }
        let me = u8::try_from(number(me)?).map_err(|_| MALFORMED)?;
        let session = session_of(session).ok_or(MALFORMED)?;
        let plan = Self::new(session, number(epoch)?, me, number(reserve)?, weights_of(weights)?)?;
        match earlier {
            Some(earlier) => plan.beside(weights_of(earlier)?),
            None => Ok(plan),
        }
    }
}

const MALFORMED: Error = Error::Plan { expected: "session.epoch.member.reserve.weights[.earlier]" };

fn number(text: &str) -> Result<u32, Error> {
    digits(text).ok_or(MALFORMED)
}

fn weights_of(text: &str) -> Result<Vec<u32>, Error> {
    let members = text.split('-').count();
    if members > MAX_MEMBERS {
        return Err(Error::Members { members: members as u64, max: MAX_MEMBERS as u64 });
    }
    text.split('-').map(number).collect()
}

/// A decimal number without a sign.
fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn session_of(text: &str) -> Option<[u8; SESSION_BYTES]> {
    let digits = text.len() == 2 * SESSION_BYTES && text.bytes().all(|c| c.is_ascii_hexdigit());
    let number = digits.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec};
    use carpool_core::{Block, codec};

    const SESSION: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    #[test]
    fn plans_come_back_as_text() {
        let plan = Plan::new(SESSION, 3, 1, 20, vec![100, 50, 0]).unwrap();
        let text = "000102030405060708090a0b0c0d0e0f.3.1.20.100-50-0";
        assert_eq!(plan.encode(), text);
        assert_eq!(Plan::decode(text), Ok(plan));
    }

    #[test]
    fn beside_an_earlier_plan_goes_what_is_new() {
        let before = Plan::new(SESSION, 0, 1, 2, vec![5, 5, 5]).unwrap();
        let after = Plan::new(SESSION, 1, 1, 2, vec![0, 5, 5]).unwrap();
        let beside = after.clone().beside(vec![5, 5, 5]).unwrap();
        let text = "000102030405060708090a0b0c0d0e0f.1.1.2.0-5-5.5-5-5";
        assert_eq!(beside.encode(), text);
        assert_eq!(Plan::decode(text), Ok(beside.clone()));
        let mut moved = 0;
        for n in 0..300_u32 {
            let cid = *Block::new(codec::RAW, n.to_le_bytes().to_vec().into()).cid();
            assert_eq!(beside.owner(&cid), after.owner(&cid));
            assert_eq!(beside.is_mine(&cid), after.is_mine(&cid) && !before.is_mine(&cid));
            moved += u32::from(beside.is_mine(&cid));
        }
        assert!((25..75).contains(&moved), "a sixth: {moved}");
        assert!(after.beside(vec![1]).is_err());
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        let sid = "000102030405060708090a0b0c0d0e0f";
        for text in [
            "",
            sid,
            &format!("{sid}.0.0"),
            &format!("{sid}.0.0.0."),
            &format!("{sid}.0.0.1"),
            &format!("{sid}.0.0.0.1.1.1"),
            &format!("{sid}.0.0.0.1."),
            &format!("{sid}.0.0.0.1.1-1"),
            &format!("{sid}.0.0.0.1.-1"),
            &format!("{sid}.0.0.0.+1"),
            &format!("{sid}.0.0.0.4294967296"),
            &format!("{sid}.0.0.4294967296.1"),
            &format!("{sid}.4294967296.0.0.1"),
            &format!("{sid}.0.256.0.1"),
            &format!("{sid}.0.1.0.1"),
            &format!("{sid}.0.0.0.0-0"),
            &format!("{}.0.0.0.1", &sid[1..]),
            &format!("+{}.0.0.0.1", &sid[1..]),
        ] {
            assert!(Plan::decode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn members_at_the_limit_and_one_past_it() {
        let of = |members| Plan::new(SESSION, 0, 0, 0, vec![1; members]);
        assert!(of(MAX_MEMBERS).is_ok());
        assert_eq!(of(MAX_MEMBERS + 1), Err(Error::Members { members: 65, max: 64 }));
        assert_eq!(of(0), Err(Error::Members { members: 0, max: 64 }));
        let text = of(MAX_MEMBERS).unwrap().encode();
        assert!(Plan::decode(&text).is_ok());
        assert!(matches!(Plan::decode(&format!("{text}-1")), Err(Error::Members { .. })));
    }

    #[test]
    fn versions_of_a_cid_have_one_owner() {
        let plan = Plan::new(SESSION, 0, 0, 0, vec![1; 8]).unwrap();
        for n in 0..100 {
            let old = Block::new_v0(vec![n].into());
            let new = Block::new(codec::DAG_PB, vec![n].into());
            assert_eq!(plan.owner(old.cid()), plan.owner(new.cid()));
        }
    }

    #[test]
    fn nobody_sends_the_reserve_and_all_of_it_are_leaves() {
        let with = Plan::new(SESSION, 0, 0, 1, vec![4, 4]).unwrap();
        let without = Plan::new(SESSION, 0, 0, 0, vec![4, 4]).unwrap();
        let mut reserved = 0;
        for n in 0..2_000_u32 {
            for codec in [codec::RAW, codec::DAG_CBOR] {
                let cid = *Block::new(codec, n.to_le_bytes().to_vec().into()).cid();
                match with.owner(&cid) {
                    None if codec == codec::RAW => reserved += 1,
                    owner => assert_eq!(owner, without.owner(&cid), "it takes from all alike"),
                }
            }
        }
        assert!((180..270).contains(&reserved), "a ninth: {reserved}");
    }

    #[test]
    fn an_epoch_moves_nothing_by_itself() {
        let of = |epoch| Plan::new(SESSION, epoch, 0, 1, vec![3, 2, 1]).unwrap();
        for n in 0..100 {
            let cid = *Block::new(codec::RAW, vec![n].into()).cid();
            assert_eq!(of(0).owner(&cid), of(9).owner(&cid));
        }
    }
}
