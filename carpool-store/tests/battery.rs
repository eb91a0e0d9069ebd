//! Both stores do the same.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]
mod common;

use carpool_core::{Block, Cid, Multihash, codec};
use carpool_store::{BlockStore, Error, Expect, LocalStore, MemoryStore, Names, SetName, Store};
use common::{block, blocks, cids, data, small};
use std::sync::Arc;

fn with_both(test: impl Fn(Arc<dyn Store>)) {
    test(Arc::new(MemoryStore::new()));
    let folder = common::folder();
    test(Arc::new(LocalStore::open(folder.path(), small(16 << 10)).unwrap()));
}

#[test]
fn what_is_put_is_found() {
    with_both(|store| {
        let held = blocks(0..200, 300);
        let absent = *block(1000, 10).cid();
        store.put_many(&held).unwrap();
        assert_eq!(store.get_many(&cids(&held)).unwrap(), data(&held));
        assert_eq!(
            store.get_many(&[absent, *held[3].cid()]).unwrap(),
            [None, Some(held[3].data().clone())]
        );
        assert_eq!(store.has_many(&[absent, *held[3].cid()]).unwrap(), [false, true]);
        store.flush().unwrap();
        assert_eq!(store.get_many(&cids(&held)).unwrap(), data(&held));
    });
}

#[test]
fn one_at_a_time_and_in_any_order() {
    with_both(|store| {
        let all = blocks(0..50, 100);
        all.iter().for_each(|block| store.put(block).unwrap());
        for block in all.iter().rev() {
            assert!(store.has(block.cid()).unwrap());
            assert_eq!(store.get(block.cid()).unwrap().as_ref(), Some(block.data()));
        }
        let twice = [*all[7].cid(), *all[0].cid(), *all[7].cid()];
        let expected = [7, 0, 7].map(|i: usize| Some(all[i].data().clone()));
        assert_eq!(store.get_many(&twice).unwrap(), expected);
    });
}

#[test]
fn empty_batches_and_empty_blocks() {
    with_both(|store| {
        store.put_many(&[]).unwrap();
        assert!(store.get_many(&[]).unwrap().is_empty() && store.has_many(&[]).unwrap().is_empty());
        let empty = Block::new(codec::RAW, "".into());
        store.put(&empty).unwrap();
        store.flush().unwrap();
        assert_eq!(store.get(empty.cid()).unwrap().unwrap().len(), 0);
    });
}

#[test]
fn codec_and_version_do_not_matter() {
    with_both(|store| {
        let v0 = Block::new_v0("node".into());
        store.put(&v0).unwrap();
        for codec in [codec::RAW, codec::DAG_PB, codec::DAG_CBOR, u64::MAX] {
            let other = Cid::new_v1(codec, *v0.cid().hash());
            assert_eq!(store.get(&other).unwrap().as_ref(), Some(v0.data()));
        }
    });
}

#[test]
fn identity_blocks_are_held_always() {
    with_both(|store| {
        let cid = Cid::new_v1(codec::RAW, Multihash::wrap(0, b"here").unwrap());
        assert!(store.has(&cid).unwrap());
        assert_eq!(store.get(&cid).unwrap().unwrap(), "here");
        store.put(&Block::new_unchecked(cid, "here".into())).unwrap();
    });
}

#[test]
fn the_largest_block_and_one_byte_more() {
    with_both(|store| {
        let max = carpool_core::Limits::default().max_block_bytes;
        store.put(&block(0, max)).unwrap();
        assert!(store.has(block(0, max).cid()).unwrap());
        let batch = [block(1, 10), block(1, max + 1)];
        let Err(Error::BlockTooLarge { bytes, max: limit, .. }) = store.put_many(&batch) else {
            panic!("one byte more is refused");
        };
        assert_eq!((bytes, limit), (max as u64 + 1, max as u64));
        assert!(!store.has(batch[0].cid()).unwrap());
    });
}

#[test]
fn names_are_set_by_comparing() {
    with_both(|store| {
        let [a, b, c] = [1, 2, 3].map(|n| *block(n, 10).cid());
        let set = |expect, new| match store.set_name("main", expect, new).unwrap() {
            SetName::Set(entry) => {
                assert_eq!(store.name("main").unwrap().as_ref(), Some(&entry));
                Ok(entry.seq)
            }
            SetName::Conflict { current } => Err(current.map(|entry| entry.root)),
        };
        assert_eq!(set(Expect::Root(a), &b), Err(None));
        assert_eq!(set(Expect::Absent, &a), Ok(1));
        assert_eq!(set(Expect::Absent, &b), Err(Some(a)));
        assert_eq!(set(Expect::Root(b), &c), Err(Some(a)));
        assert_eq!(set(Some(a).into(), &b), Ok(2));
        assert_eq!(set(Expect::Any, &c), Ok(3));
        let other_codec = Cid::new_v1(codec::DAG_CBOR, *c.hash());
        assert_eq!(set(Expect::Root(other_codec), &a), Err(Some(c)));
        assert_eq!(store.name("main").unwrap().unwrap().root, c);
        let history: Vec<_> =
            store.history("main").unwrap().iter().map(|e| (e.seq, e.root)).collect();
        assert_eq!(history, [(3, c), (2, b), (1, a)]);
        assert!(
            store.name("other").unwrap().is_none() && store.history("other").unwrap().is_empty()
        );
    });
}

#[test]
fn names_are_listed_by_their_bytes() {
    with_both(|store| {
        let cid = *block(1, 10).cid();
        for name in ["b", "é", "a/b", "a", "Z"] {
            let _ = store.set_name(name, Expect::Absent, &cid).unwrap();
            let _ = store.set_name(name, Expect::Any, &cid).unwrap();
        }
        let names = store.names().unwrap();
        assert!(names.iter().all(|(_, entry)| entry.seq == 2));
        let names: Vec<_> = names.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["Z", "a", "a/b", "b", "é"]);
    });
}

#[test]
fn the_longest_name_and_one_byte_more() {
    with_both(|store| {
        let cid = *block(1, 10).cid();
        let longest = format!("é{}", "x".repeat(253));
        assert!(matches!(store.set_name(&longest, Expect::Any, &cid), Ok(SetName::Set(_))));
        assert_eq!(store.name(&longest).unwrap().unwrap().root, cid);
        for (name, length) in [(String::new(), 0), ("x".repeat(256), 256)] {
            let refused = store.set_name(&name, Expect::Any, &cid);
            assert!(
                matches!(refused, Err(Error::NameLength { bytes, max: 255 }) if bytes == length)
            );
            assert!(store.name(&name).is_err() && store.history(&name).is_err());
        }
        for name in ["a\nb", "a\tb", "a\0b", "a\u{85}b"] {
            let refused = store.set_name(name, Expect::Any, &cid);
            assert!(matches!(refused, Err(Error::NameControl { at: 1 })), "{name:?}");
        }
    });
}

#[test]
fn recent_roots_come_newest_first_and_once() {
    with_both(|store| {
        let roots = cids(&blocks(0..1100, 10));
        roots[..5].iter().for_each(|root| store.note_root(root).unwrap());
        store.note_root(&roots[1]).unwrap();
        let expected = [1, 4, 3].map(|i: usize| roots[i]);
        assert_eq!(store.recent_roots(3).unwrap(), expected);
        assert_eq!(store.recent_roots(100).unwrap().len(), 5);
        roots.iter().for_each(|root| store.note_root(root).unwrap());
        assert_eq!(store.recent_roots(usize::MAX).unwrap().len(), 1024);
        assert_eq!(store.recent_roots(1).unwrap(), [roots[1099]]);
    });
}

#[test]
fn threads_share_a_store() {
    with_both(|store| {
        std::thread::scope(|scope| {
            for t in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    for n in 0..40 {
                        let batch = blocks((t * 20 + n * 2)..(t * 20 + n * 2 + 10), 200);
                        store.put_many(&batch).unwrap();
                        assert_eq!(store.get_many(&cids(&batch)).unwrap(), data(&batch));
                    }
                });
            }
        });
        let all = blocks(0..140, 200);
        assert_eq!(store.get_many(&cids(&all)).unwrap(), data(&all));
    });
}
