//! Several handles, as of several processes, write to one store at once.
mod common;

use carpool_store::{BlockStore, Error, Expect, LocalStore, Names, Recovery, SetName};
use common::{block, blocks, cids, data, open, small};

#[test]
fn each_appends_to_a_segment_of_its_own_and_sees_the_others_blocks() {
    let folder = common::folder();
    std::thread::scope(|scope| {
        for t in 0..4 {
            let path = folder.path();
            scope.spawn(move || {
                let store = LocalStore::open(path, small(20_000)).unwrap();
                for n in 0..10 {
                    // Neighbours overlap by half.
                    let start = t * 50 + n * 10;
                    store.put_many(&blocks(start..start + 10, 300)).unwrap();
                    store.flush().unwrap();
                }
            });
        }
    });
    let all = blocks(0..250, 300);
    let store = open(folder.path());
    assert_eq!(store.recovery(), Recovery::default());
    assert_eq!(store.get_many(&cids(&all)).unwrap(), data(&all));
    assert_eq!((store.stats().unwrap().blocks, store.scrub().unwrap().blocks), (250, 250));
}

#[test]
fn a_flush_shows_blocks_to_others() {
    let folder = common::folder();
    let (a, b) = (open(folder.path()), open(folder.path()));
    let all = blocks(0..10, 100);
    a.put_many(&all[..5]).unwrap();
    b.put_many(&all[5..]).unwrap();
    a.flush().unwrap();
    b.flush().unwrap();
    for store in [&a, &b] {
        assert_eq!(store.get_many(&cids(&all)).unwrap(), data(&all));
    }
    assert_eq!(common::segments(folder.path()).len(), 2);
}

#[test]
fn a_flush_makes_safe_what_it_left_out_because_another_has_it() {
    let (folder, copy) = (common::folder(), common::folder());
    let (a, b) = (open(folder.path()), open(folder.path()));
    let all = blocks(0..10, 100);
    a.put_many(&all).unwrap();
    assert_eq!(a.stats().unwrap().blocks, 10); // commits, and does not sync
    b.put_many(&all).unwrap();
    assert_eq!(common::segments(folder.path()).len(), 1);
    b.flush().unwrap();
    common::copy_store(folder.path(), copy.path());
    let store = open(copy.path());
    assert_eq!(store.recovery(), Recovery::default());
    assert_eq!(store.get_many(&cids(&all)).unwrap(), data(&all));
}

#[test]
fn a_segment_is_reused_when_its_writer_is_gone() {
    let folder = common::folder();
    for n in 0..5 {
        open(folder.path()).put(&block(n, 100)).unwrap();
    }
    assert_eq!(common::segments(folder.path()).len(), 1);
}

#[test]
fn one_of_many_wins_a_name() {
    let folder = common::folder();
    let stores: Vec<_> = (0..4).map(|_| open(folder.path())).collect();
    let roots = cids(&blocks(0..4, 10));
    let won: usize = std::thread::scope(|scope| {
        let set = |(store, root)| {
            let set = move || LocalStore::set_name(store, "main", Expect::Absent, root).unwrap();
            scope.spawn(set)
        };
        let threads: Vec<_> = stores.iter().zip(&roots).map(set).collect();
        let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
        outcomes.filter(|outcome| matches!(outcome, SetName::Set(_))).count()
    });
    assert_eq!(won, 1);
    let current = stores[0].name("main").unwrap();
    assert!(stores.iter().all(|store| store.name("main").unwrap() == current));
}

#[test]
fn the_index_is_not_rebuilt_under_others() {
    let folder = common::folder();
    let store = open(folder.path());
    assert!(matches!(LocalStore::rebuild_index(folder.path()), Err(Error::InUse { .. })));
    drop(store);
    assert!(LocalStore::rebuild_index(folder.path()).unwrap().rebuilt);
}
