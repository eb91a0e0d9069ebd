//! Whatever is done, a store holds what a map would hold.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
mod common;

use carpool_core::{Bytes, Cid};
use carpool_store::{Expect, LocalStore, MemoryStore, SetName, Store};
use common::{block, small};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Op {
    Put(Vec<(u64, usize)>),
    Get(Vec<u64>),
    Flush,
    Reopen,
    Rebuild,
    SetName(u8, Option<u8>, u8),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let number = 0..60_u64;
    let len = prop_oneof![Just(8_usize), 8..200_usize, Just(9000)];
    let op = prop_oneof![
        6 => prop::collection::vec((number.clone(), len), 0..12).prop_map(Op::Put),
        4 => prop::collection::vec(number, 0..20).prop_map(Op::Get),
        1 => Just(Op::Flush),
        1 => Just(Op::Reopen),
        1 => Just(Op::Rebuild),
        3 => (0..3_u8, prop::option::of(0..3_u8), 0..3_u8)
            .prop_map(|(name, expect, new)| Op::SetName(name, expect, new)),
    ];
    prop::collection::vec(op, 1..25)
}

#[derive(Default)]
struct Model {
    blocks: BTreeMap<Cid, Bytes>,
    names: BTreeMap<u8, Vec<Cid>>,
}

fn root(n: u8) -> Cid {
    *block(u64::from(n), 8).cid()
}

impl Model {
    fn apply(&mut self, store: &dyn Store, op: &Op) {
        match op {
            Op::Put(blocks) => {
                let blocks: Vec<_> = blocks.iter().map(|&(n, len)| block(n, len)).collect();
                store.put_many(&blocks).unwrap();
                self.blocks.extend(blocks.iter().map(|b| (*b.cid(), b.data().clone())));
            }
            Op::Get(numbers) => {
                let cids: Vec<_> = numbers.iter().map(|&n| *block(n, 8).cid()).collect();
                let expected: Vec<_> = cids.iter().map(|c| self.blocks.get(c).cloned()).collect();
                assert_eq!(store.get_many(&cids).unwrap(), expected);
            }
            Op::Flush => store.flush().unwrap(),
            Op::Reopen | Op::Rebuild => {}
            Op::SetName(name, expect, new) => self.set_name(store, *name, *expect, *new),
        }
    }

    fn set_name(&mut self, store: &dyn Store, name: u8, expect: Option<u8>, new: u8) {
        let history = self.names.entry(name).or_default();
        let expect = expect.map(root);
        let allowed = history.last().copied() == expect;
        let set = store.set_name(&format!("n{name}"), Expect::from(expect), &root(new)).unwrap();
        assert_eq!(matches!(set, SetName::Set(_)), allowed);
        if allowed {
            history.push(root(new));
        }
    }

    fn check(&self, store: &dyn Store) {
        let cids: Vec<_> = self.blocks.keys().copied().collect();
        let expected: Vec<_> = self.blocks.values().cloned().map(Some).collect();
        assert_eq!(store.get_many(&cids).unwrap(), expected);
        for (name, roots) in &self.names {
            let history = store.history(&format!("n{name}")).unwrap();
            assert!(history.iter().rev().map(|entry| &entry.root).eq(roots));
        }
    }
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_local_store_is_a_map(ops in ops()) {
        let folder = common::folder();
        let mut store = LocalStore::open(folder.path(), small(3000)).unwrap();
        let mut model = Model::default();
        for op in &ops {
            if matches!(op, Op::Reopen | Op::Rebuild) {
                drop(store);
                if matches!(op, Op::Rebuild) {
                    LocalStore::rebuild_index(folder.path()).unwrap();
                }
                store = LocalStore::open(folder.path(), small(3000)).unwrap();
            }
            model.apply(&store, op);
        }
        model.check(&store);
        prop_assert_eq!(store.stats().unwrap().blocks, model.blocks.len() as u64);
    }

    #[test]
    fn the_memory_store_is_a_map(ops in ops()) {
        let store = MemoryStore::new();
        let mut model = Model::default();
        ops.iter().for_each(|op| model.apply(&store, op));
        model.check(&store);
        prop_assert_eq!(store.len(), model.blocks.len());
    }
}
