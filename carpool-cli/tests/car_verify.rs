//! `car verify`: every finding by its name, its place and its exit code.

mod common;
use common::{
    Ran, Room,
    car::{Car, index, leaves, unsorted_index},
    dag,
};
use serde_json::Value;
use std::{fs, process::Stdio};

/// Verifies `bytes`, as a file and through a pipe, which must come to the same; the findings.
#[track_caller]
fn findings(bytes: &[u8], flags: &[&str], exit: i32) -> Vec<Value> {
    let room = Room::new();
    let path = room.write("a.car", bytes);
    let args = [&["--json", "car", "verify"], flags].concat();
    let file = room.run([&args[..], &["a.car"]].concat()).exits(exit).objects();
    let mut piped = room.command([&args[..], &["-"]].concat());
    piped.stdin(Stdio::from(fs::File::open(path).expect("it is there")));
    let piped = Ran::of(&mut piped).exits(exit).objects();
    let names = |all: &[Value]| all.iter().map(|one| one["finding"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&file), names(&piped));
    file
}

/// As [`findings`] where there is one beside the verdict: its name and place.
#[track_caller]
fn finding(bytes: &[u8], flags: &[&str], exit: i32) -> (String, Option<u64>) {
    let all = findings(bytes, flags, exit);
    assert_eq!(all.len(), 2, "{all:?}");
    (all[0]["finding"].as_str().expect("a name").to_owned(), all[0]["offset"].as_u64())
}

fn car() -> Car {
    Car::of(&leaves(3, 1000))
}

#[test]
fn a_good_file_is_clean() {
    let v2 = car().v2(0, Some(&car().index()));
    for bytes in [car().bytes(), v2] {
        let all = findings(&bytes, &[], 0);
        assert_eq!(all[0]["verdict"], "clean");
        assert_eq!(all[0]["blocks"], 3);
    }
}

#[test]
fn hash() {
    let blocks = leaves(3, 1000);
    let car = Car::of(&blocks[..1]).section(blocks[1].cid(), b"other").block(&blocks[2]);
    let at = Some(car.sections[1].1 as u64);
    assert_eq!(finding(&car.bytes(), &[], 3), ("hash".to_owned(), at));
    let all = findings(&car.bytes(), &[], 3);
    assert_eq!(all[1]["last_good"]["cid"], blocks[2].cid().to_string());
}

#[test]
fn truncated_where_and_by_how_much() {
    let bytes = car().bytes();
    let at = Some(car().sections[2].1 as u64);
    assert_eq!(finding(&bytes[..bytes.len() - 1], &[], 3), ("truncated".to_owned(), at));
    let all = findings(&bytes[..bytes.len() - 1], &[], 3);
    assert_eq!(
        (&all[0]["expected"], &all[0]["actual"]),
        (&"1038 bytes".into(), &"1037 bytes".into())
    );
}

#[test]
fn padding_is_a_matter_of_policy_and_what_follows_it_is_not() {
    let padded = car().raw(&[0; 100]);
    let at = Some(car().bytes().len() as u64);
    assert_eq!(finding(&padded.bytes(), &[], 5), ("padding".to_owned(), at));
    findings(&padded.bytes(), &["--allow-padding"], 0);
    assert_eq!(finding(&padded.raw(&[1]).bytes(), &["--allow-padding"], 3).0, "section");
}

#[test]
fn roots() {
    let leaf = &leaves(1, 10)[0];
    let none = Car::new(&[]).block(leaf).bytes();
    assert_eq!(finding(&none, &[], 5).0, "roots-empty");
    findings(&none, &["--allow-empty-roots"], 0);
    let absent = Car::new(&[*leaves(2, 10)[1].cid()]).block(leaf).bytes();
    assert_eq!(finding(&absent, &[], 4).0, "root-absent");
    findings(&absent, &["--allow-absent-roots"], 0);
}

#[test]
fn links() {
    let file = dag::file("hello");
    let folder = dag::folder(&[(b"a", *file.cid())]);
    let car = Car::of(&[folder]);
    let all = findings(&car.bytes(), &[], 4);
    assert_eq!(all[0]["finding"], "link-absent");
    assert_eq!(all[0]["cid"], file.cid().to_string());
    assert_eq!(all[0]["offset"], car.sections[0].1);
    findings(&car.bytes(), &["--no-links"], 0);
    findings(&car.block(&file).bytes(), &[], 0);
}

#[test]
fn duplicates_only_where_asked() {
    let blocks = leaves(1, 10);
    let car = Car::of(&blocks).block(&blocks[0]);
    assert_eq!(findings(&car.bytes(), &[], 0)[0]["duplicates"], 1);
    let at = Some(car.sections[1].1 as u64);
    assert_eq!(finding(&car.bytes(), &["--no-duplicates"], 5), ("duplicate".to_owned(), at));
}

fn entries(car: &Car) -> Vec<(Vec<u8>, u64)> {
    let entry =
        |(cid, offset, _): &_| (carpool_core::Cid::hash(cid).digest().to_vec(), *offset as u64);
    car.sections.iter().map(|(cid, offset, at)| entry(&(*cid, *offset, *at))).collect()
}

#[test]
fn the_index() {
    let car = car();
    let of = |entries| car.v2(0, Some(&index(entries)));
    let mut wrong = entries(&car);
    wrong[1].1 += 1;
    let at = Some(51 + car.sections[1].1 as u64);
    assert_eq!(finding(&of(wrong), &[], 3), ("index-offset".to_owned(), at));
    let mut missing = entries(&car);
    missing.pop();
    assert_eq!(finding(&of(missing), &[], 3).0, "index-missing");
    let mut extra = entries(&car);
    extra.push((vec![7; 32], 1));
    assert_eq!(finding(&of(extra), &[], 3).0, "index-extra");
    let mut unsorted = entries(&car);
    unsorted.sort_unstable();
    unsorted.swap(0, 1);
    let unsorted = car.v2(0, Some(&unsorted_index(&unsorted)));
    assert_eq!(finding(&unsorted, &[], 3).0, "index-unsorted");
    let malformed = car.v2(0, Some(&[1, 2, 3]));
    assert_eq!(finding(&malformed, &[], 3).0, "index-malformed");
    assert_eq!(finding(&car.v2(0, None), &["--require-index"], 5).0, "index-absent");
    findings(&car.v2(0, None), &[], 0);
}

#[test]
fn the_size_of_a_carv2() {
    let v2 = car().v2(3, None);
    let last = car().sections[2].1;
    let cut = &v2[..54 + last];
    assert_eq!(finding(cut, &[], 3), ("data-size".to_owned(), Some(cut.len() as u64)));
    let trailing = [&v2[..], b"more"].concat();
    assert_eq!(finding(&trailing, &[], 5), ("trailing".to_owned(), Some(v2.len() as u64)));
    findings(&trailing, &["--allow-trailing"], 0);
}

#[test]
fn no_header() {
    assert_eq!(finding(b"", &[], 3).0, "header");
    assert_eq!(finding(b"no car at all", &[], 3).0, "header");
}

#[test]
fn sections_longer_than_a_window_on_any_number_of_threads() {
    let bytes = Car::of(&leaves(3, 5 << 20)).bytes();
    for threads in ["1", "3"] {
        findings(&bytes, &["--threads", threads, "--sort-memory", "0"], 0);
    }
    assert_eq!(finding(&bytes, &["--max-section", "1000"], 3).0, "section");
}

#[test]
fn what_cannot_be_read_is_not_damaged() {
    let block = carpool_core::Block::new(carpool_core::codec::DAG_CBOR, "\u{ff}".into());
    let car = Car::of(&[block]).bytes();
    assert_eq!(finding(&car, &[], 5).0, "undecodable");
    findings(&car, &["--no-links"], 0);
}

#[test]
fn an_index_under_another_hash_function() {
    let car = car();
    let mut bytes = car.v2(0, Some(&car.index()));
    let at = bytes.len() - car.index().len() + 6;
    assert_eq!(bytes[at], 0x12);
    bytes[at] = 0x1b;
    let names: Vec<_> = findings(&bytes, &[], 3).iter().map(|one| one["finding"].clone()).collect();
    let expected = [["index-extra"; 3], ["index-missing"; 3]].concat();
    assert_eq!(names[..6], expected);
}

#[test]
fn a_block_with_wrong_bytes_is_not_what_is_linked_to() {
    let file = dag::file("hello");
    let folder = dag::folder(&[(b"a", *file.cid())]);
    let car = Car::of(&[folder]).section(file.cid(), b"other");
    let all = findings(&car.bytes(), &[], 3);
    assert_eq!((&all[0]["finding"], &all[1]["finding"]), (&"hash".into(), &"link-absent".into()));
    assert_eq!(all[1]["cid"], file.cid().to_string());
}

#[test]
fn all_findings_are_counted_and_so_many_are_told() {
    let blocks = leaves(30, 10);
    let car = Car::of(&blocks).v2(0, Some(&index(vec![])));
    let all = findings(&car, &["--max-findings", "4"], 3);
    assert_eq!(all.len(), 5);
    assert_eq!(all[4]["findings"]["index-missing"], 30);
}
