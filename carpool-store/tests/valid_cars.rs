//! Every segment is a CARv1 by itself.
mod common;

use carpool_store::{BlockStore, LocalStore};
use common::{blocks, small};

#[test]
fn whatever_the_sizes_of_blocks_and_segments() {
    let folder = common::folder();
    for (n, segment_bytes) in [1024, 5000, 1 << 20].into_iter().enumerate() {
        let store = LocalStore::open(folder.path(), small(segment_bytes)).unwrap();
        let start = n as u64 * 100;
        for (i, len) in [8, 500, 8192, 8193, 40_000].into_iter().enumerate() {
            let start = start + i as u64 * 20;
            store.put_many(&blocks(start..start + 20, len)).unwrap();
        }
    }
    common::check_cars(folder.path(), 300);
}

#[test]
fn a_segment_is_no_longer_than_asked_unless_one_block_is() {
    let folder = common::folder();
    let store = LocalStore::open(folder.path(), small(5000)).unwrap();
    store.put_many(&blocks(0..50, 700)).unwrap();
    store.put_many(&blocks(50..55, 6000)).unwrap();
    for path in common::segments(folder.path()) {
        let len = std::fs::metadata(path).unwrap().len();
        assert!(len <= 5000 || (6000..6150).contains(&len), "{len}");
    }
}

#[test]
fn a_car_that_was_put_into_the_folder_is_taken_in() {
    let (a, b) = (common::folder(), common::folder());
    let all = blocks(0..20, 700);
    common::open(a.path()).put_many(&all).unwrap();
    drop(common::open(b.path()));
    std::fs::copy(&common::segments(a.path())[0], b.path().join("blocks/00000007.car")).unwrap();
    let store = common::open(b.path());
    assert_eq!(store.recovery().blocks, 20);
    assert_eq!(store.get_many(&common::cids(&all)).unwrap(), common::data(&all));
}
