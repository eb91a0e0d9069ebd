use alloc::vec::Vec;
use carpool_bloom::sketch::{Key, Sketch};
use carpool_core::Cid;

use crate::narrowing::with_bytes;

/// The sketches of one set under the last few keys, updated block by block: a message under a key
/// that was used before costs a copy of cells.
#[derive(Debug)]
pub struct Sketches {
    max_keys: usize,
    cells: usize,
    /// Used last, last.
    kept: Vec<Sketch>,
}

impl Sketches {
    /// Keeps the sketches of the last `max_keys` keys (at least one), of `cells` cells each, which take
    /// 16 bytes a cell in memory.
    #[must_use]
    pub const fn new(max_keys: usize, cells: usize) -> Self {
        Self { max_keys, cells, kept: Vec::new() }
    }

    /// Puts a block into the set, or takes it out.
    pub fn toggle(&mut self, cid: &Cid) {
        with_bytes(cid, |bytes| self.kept.iter_mut().for_each(|sketch| sketch.toggle(bytes)));
    }

    /// Forgets the set and all keys.
    pub fn clear(&mut self) {
        self.kept.clear();
    }

    /// The sketch under `key`. Under one that is not kept it is made now, of the CIDs that `all` gives to
    /// the function it is called with: every one of the set, in some 0.1 µs each.
    pub fn under(&mut self, key: &Key, all: impl FnOnce(&mut dyn FnMut(&[u8]))) -> &Sketch {
        let sketch = match self.kept.iter().position(|sketch| sketch.key() == key) {
            Some(at) => self.kept.remove(at),
            None => self.made(key, all),
        };
        self.kept.push(sketch);
        &self.kept[self.kept.len() - 1]
    }

    fn made(&mut self, key: &Key, all: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Sketch {
        if self.kept.len() >= self.max_keys.max(1) {
            self.kept.remove(0);
        }
        let mut sketch = Sketch::new(*key, self.cells);
        all(&mut |cid| sketch.toggle(cid));
        sketch
    }

    /// How many keys are kept.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.kept.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use carpool_core::{Block, codec};

    fn cid(n: u32) -> Cid {
        *Block::new(codec::RAW, n.to_be_bytes().to_vec().into()).cid()
    }

    fn key(n: u8) -> Key {
        Key::new([n; 16])
    }

    #[test]
    fn a_sketch_that_is_kept_up_is_that_of_the_set() {
        let mut set: Vec<Cid> = (0..100).map(cid).collect();
        let mut sketches = Sketches::new(2, 64);
        let give = |set: &[Cid]| {
            let set = set.to_vec();
            move |each: &mut dyn FnMut(&[u8])| set.iter().for_each(|cid| each(&cid.to_bytes()))
        };
        sketches.under(&key(1), give(&set));
        sketches.toggle(&cid(3));
        sketches.toggle(&cid(1000));
        set.retain(|held| *held != cid(3));
        set.push(cid(1000));
        let kept = sketches.under(&key(1), |_| panic!("it is kept")).clone();
        let mut fresh = Sketches::new(1, 64);
        assert_eq!(kept, *fresh.under(&key(1), give(&set)));
    }

    #[test]
    fn keys_at_the_limit_and_past_it() {
        let mut sketches = Sketches::new(2, 4);
        let mut made = vec![];
        for n in [1, 2, 1, 3, 1, 2] {
            sketches.under(&key(n), |_| made.push(n));
            assert!(sketches.keys() <= 2);
        }
        assert_eq!(made, [1, 2, 3, 2], "the one used longest ago goes");
        assert_eq!(Sketches::new(0, 4).under(&key(1), |_| {}).cells().len(), 4);
    }
}
