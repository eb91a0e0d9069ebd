//! Which slot of a shard a name falls into, and how the slot is written before the name
//! ([UnixFS, HAMT](https://specs.ipfs.tech/unixfs/#dag-pb-hamtdirectory)).

use core::fmt::Write as _;

use alloc::string::String;

/// The number of slots of every shard of one directory: a power of two from 8 to 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fanout(u32);

impl Fanout {
    pub(crate) fn new(slots: u64) -> Option<Self> {
        let slots = u32::try_from(slots).ok()?;
        ((8..=1024).contains(&slots) && slots.is_power_of_two()).then_some(Self(slots))
    }

    pub(crate) const fn slots(self) -> u32 {
        self.0
    }

    /// Bits of the hash that choose a slot, at each level.
    pub(crate) const fn bits(self) -> u32 {
        self.0.trailing_zeros()
    }

    /// Levels that 64 bits of hash can tell apart.
    pub(crate) const fn levels(self) -> u32 {
        64 / self.bits()
    }

    /// The bits of `hash` that choose the slots of levels `0..=level`, right-aligned.
    pub(crate) const fn path(self, hash: u64, level: u32) -> u64 {
        hash >> (64 - self.bits() * (level + 1))
    }

    /// The slot of `hash` at `level`, which is below [`Self::levels`].
    #[expect(clippy::cast_possible_truncation, reason = "masked to ten bits at most")]
    pub(crate) const fn slot(self, hash: u64, level: u32) -> u32 {
        self.path(hash, level) as u32 & (self.0 - 1)
    }

    /// Hex digits before each name.
    pub(crate) const fn prefix_len(self) -> usize {
        match self.0 {
            8 | 16 => 1,
            32..=256 => 2,
            _ => 3,
        }
    }

    pub(crate) fn prefix(self, slot: u32) -> String {
        let mut prefix = String::with_capacity(3);
        write!(prefix, "{slot:0width$X}", width = self.prefix_len()).expect("strings take all");
        prefix
    }

    /// The slot that `name` begins with, and what follows it.
    pub(crate) fn split(self, name: &[u8]) -> Option<(u32, &[u8])> {
        let (digits, rest) = name.split_at_checked(self.prefix_len())?;
        let mut slot = 0;
        for digit in digits {
            slot = slot << 4 | upper_hex(*digit)?;
        }
        (slot < self.0).then_some((slot, rest))
    }
}

const fn upper_hex(digit: u8) -> Option<u32> {
    match digit {
        b'0'..=b'9' => Some((digit - b'0') as u32),
        b'A'..=b'F' => Some((digit - b'A') as u32 + 10),
        _ => None,
    }
}

/// Which slots are taken: what a shard's `Data` field holds, big-endian.
#[derive(Clone)]
pub(crate) struct Bitfield([u8; 128]);

impl Bitfield {
    pub(crate) const EMPTY: Self = Self([0; 128]);

    /// Reads a bit field of `fanout` slots; `None` when it is longer than those need.
    pub(crate) fn read(bytes: &[u8], fanout: Fanout) -> Option<Self> {
        let mut all = [0; 128];
        let width = fanout.slots() as usize / 8;
        all[128 - width..].get_mut(width.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
        Some(Self(all))
    }

    pub(crate) fn set(&mut self, slot: u32) {
        self.0[127 - slot as usize / 8] |= 1 << (slot % 8);
    }

    /// The bytes without leading zeros.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        let first = self.0.iter().position(|byte| *byte != 0).unwrap_or(128);
        &self.0[first..]
    }
}

impl PartialEq for Bitfield {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fanout(slots: u64) -> Fanout {
        Fanout::new(slots).unwrap()
    }

    #[test]
    fn prefixes_have_as_many_digits_as_the_last_slot_needs() {
        let widths = [8, 16, 32, 256, 512, 1024].map(|slots| fanout(slots).prefix_len());
        assert_eq!(widths, [1, 1, 2, 2, 3, 3]);
        assert_eq!(fanout(256).prefix(10), "0A");
        assert_eq!(fanout(1024).prefix(1023), "3FF");
    }

    #[test]
    fn only_the_written_form_of_a_slot_is_read() {
        assert_eq!(fanout(256).split(b"0Aname"), Some((10, &b"name"[..])));
        assert_eq!(fanout(8).split(b"7"), Some((7, &b""[..])));
        for wrong in [&b"0a"[..], b"G0", b"0", b""] {
            assert_eq!(fanout(256).split(wrong), None);
        }
        assert_eq!(fanout(8).split(b"8x"), None);
    }

    #[test]
    fn fanouts_outside_the_range_are_none() {
        for wrong in [0, 4, 7, 9, 2048, 1 << 40] {
            assert_eq!(Fanout::new(wrong), None);
        }
    }

    #[test]
    fn slots_come_from_the_top_of_the_hash() {
        let hash = 0xab12_3456_789a_bcde;
        assert_eq!([0, 1, 7].map(|level| fanout(256).slot(hash, level)), [0xab, 0x12, 0xde]);
        assert_eq!(fanout(16).slot(hash, 15), 0xe);
        assert_eq!(fanout(1024).levels(), 6);
    }

    #[test]
    fn bit_fields_are_trimmed_and_bounded() {
        let mut bits = Bitfield::EMPTY;
        assert_eq!(bits.as_bytes(), [0u8; 0]);
        bits.set(9);
        bits.set(0);
        assert_eq!(bits.as_bytes(), [2, 1]);
        assert!(Bitfield::read(&[0, 2, 1], fanout(32)).unwrap() == bits);
        assert!(Bitfield::read(&[0; 5], fanout(32)).is_none());
    }
}
