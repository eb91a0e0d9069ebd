//! `carpool car recover`: what verifies is saved, and what does not is named.

mod common;
use carpool_core::{Block, codec};
use common::{
    Ran, Room,
    car::{Car, leaves},
    noise,
};
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

fn recover(room: &Room, bytes: &[u8]) -> Ran {
    room.write("in.car", bytes);
    room.run(["--json", "car", "recover", "in.car", "out.car"])
}

fn lost(ran: &Ran) -> Vec<(u64, u64)> {
    let range = |value: &Value| {
        let lost = value.get("lost")?;
        Some((lost["offset"].as_u64()?, lost["end"].as_u64()?))
    };
    ran.objects().iter().filter_map(range).collect()
}

#[track_caller]
fn holds(room: &Room, blocks: &[&Block], roots: &[&Block]) {
    let roots: Vec<_> = roots.iter().map(|root| *root.cid()).collect();
    let expected = blocks.iter().fold(Car::new(&roots), |car, block| car.block(block));
    let bytes = fs::read(room.path("out.car")).expect("an output");
    assert!(bytes == expected.bytes(), "other blocks");
}

fn at(n: usize) -> u64 {
    n as u64
}

#[test]
fn a_good_car_is_copied() {
    let (room, all) = (Room::new(), leaves(5, 100));
    assert!(lost(&recover(&room, &Car::of(&all).bytes()).exits(0)).is_empty());
    holds(&room, &all.iter().collect::<Vec<_>>(), &[&all[0]]);
}

#[test]
fn bytes_that_were_written_over_cost_one_block() {
    let (room, all) = (Room::new(), leaves(5, 100));
    let car = Car::of(&all);
    let mut bytes = car.bytes();
    bytes[car.sections[2].2 + 50] ^= 1;
    let ran = recover(&room, &bytes).exits(3).says("lost");
    assert_eq!(lost(&ran), [(at(car.sections[2].1), at(car.sections[3].1))]);
    holds(&room, &[&all[0], &all[1], &all[3], &all[4]], &[&all[0]]);
}

#[test]
fn bytes_that_are_gone_or_too_many_do_not_stop_it() {
    let (room, all) = (Room::new(), leaves(5, 300));
    let car = Car::of(&all);
    let bytes = car.bytes();
    let (from, inside, next) = (car.sections[1].1, car.sections[1].2 + 9, car.sections[2].1);
    let gone = [&bytes[..inside], &bytes[inside + 20..]].concat();
    let ran = recover(&room, &gone).exits(3);
    assert_eq!(lost(&ran), [(at(from), at(next - 20))]);
    holds(&room, &[&all[0], &all[2], &all[3], &all[4]], &[&all[0]]);
    let more = [&bytes[..next], &noise(9, 777)[..], &bytes[next..]].concat();
    assert_eq!(lost(&recover(&room, &more).exits(3)), [(at(next), at(next + 777))]);
    holds(&room, &all.iter().collect::<Vec<_>>(), &[&all[0]]);
    let mut length = bytes;
    length[from] ^= 0x13;
    recover(&room, &length).exits(3);
    holds(&room, &[&all[0], &all[2], &all[3], &all[4]], &[&all[0]]);
}

#[test]
fn a_lost_header_loses_the_roots() {
    let (room, all) = (Room::new(), leaves(3, 100));
    let car = Car::of(&all);
    let mut bytes = car.bytes();
    bytes[3] ^= 0xff;
    let ran = recover(&room, &bytes).exits(3);
    assert_eq!(lost(&ran), [(0, at(car.sections[0].1))]);
    let root = all[0].cid().to_string();
    room.run(["car", "recover", "in.car", "out.car", "--root", &root]).exits(3);
    holds(&room, &[&all[0], &all[1], &all[2]], &[&all[0]]);
}

#[test]
fn version_2_is_read_whatever_its_header_says() {
    let (room, all) = (Room::new(), leaves(3, 100));
    let car = Car::of(&all);
    let whole: Vec<&Block> = all.iter().collect();
    let v2 = car.v2(0, None);
    // Never finalised: the header is zero.
    let mut bytes = v2.clone();
    bytes[11..51].fill(0);
    recover(&room, &bytes).exits(0);
    holds(&room, &whole, &[&all[0]]);
    // Nonsense.
    bytes[11..51].fill(0xff);
    recover(&room, &bytes).exits(3);
    holds(&room, &whole, &[&all[0]]);
    // Cut off.
    let ran = recover(&room, &v2[..v2.len() - 5]).exits(3);
    assert!(!lost(&ran).is_empty());
    holds(&room, &whole[..2], &[&all[0]]);
    // The index is no damage.
    recover(&room, &car.v2(5, Some(&car.index()))).exits(0);
    holds(&room, &whole, &[&all[0]]);
}

#[test]
fn zeros_at_the_end_are_lost_unless_they_are_padding() {
    let (room, all) = (Room::new(), leaves(2, 100));
    let car = Car::of(&all).raw(&[0; 500]);
    let end = at(car.bytes().len());
    assert_eq!(lost(&recover(&room, &car.bytes()).exits(3)), [(end - 500, end)]);
    room.run(["car", "recover", "--null-padding", "in.car", "out.car"]).exits(0);
    holds(&room, &[&all[0], &all[1]], &[&all[0]]);
}

#[test]
fn where_nothing_verifies_there_is_no_output() {
    let room = Room::new();
    for bytes in [noise(1, 100_000), vec![0; 1000], b"\x00".to_vec()] {
        recover(&room, &bytes).exits(3);
        assert!(!room.path("out.car").exists());
    }
    room.run(["car", "recover", "in.car", "in.car"]).exits(5);
}

/// Every byte of a crafted file looks like the front of a section as large as may be.
#[test]
fn files_that_want_it_to_hash_a_lot_do_not_get_that() {
    let room = Room::new();
    let good = leaves(1, 60);
    let car = Car::of(&good);
    let front = {
        let cid = Block::new(codec::RAW, "x".into()).cid().to_bytes();
        [&[0x80, 0x80, 0x80, 0x03][..], &cid].concat()
    };
    let mut bytes = car.bytes();
    for n in 0..40_000 {
        bytes.extend_from_slice(&front);
        if n % 100 == 0 {
            bytes.extend_from_slice(&car.bytes()[car.sections[0].1..]);
        }
    }
    bytes.resize(bytes.len() + (7 << 20), 0x55);
    let begun = Instant::now();
    recover(&room, &bytes).exits(3);
    assert!(begun.elapsed() < Duration::from_secs(120), "hours, if it were not bounded");
}

#[test]
fn no_odd_car_makes_a_verb_panic_or_hang() {
    let folder = std::env::var_os("CARPOOL_FIXTURES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures")),
        PathBuf::from,
    );
    let Ok(cases) = fs::read_dir(folder.join("../peers/car-bench/robust/cases")) else {
        println!("skipped: no cases");
        return;
    };
    let room = Room::new();
    for case in cases {
        let path = case.expect("an entry").path();
        let name = path.to_str().expect("UTF-8");
        let lines: [&[&str]; 7] = [
            &["car", "debug", name],
            &["car", "concat", name, "-o", "out.car"],
            &["car", "merge", name, "-o", "out.car"],
            &["car", "split", name, "--size", "1KiB", "-o", "p"],
            &["car", "split", name, "--subgraph", "-o", "p"],
            &["car", "diff", "--list", name, name],
            &["car", "recover", name, "out.car"],
        ];
        for line in lines {
            let ran = room.run(line);
            assert!(matches!(ran.code, Some(0 | 3)), "{line:?}: {ran:?}");
        }
        if room.run(["car", "recover", name, "out.car"]).code == Some(0) {
            room.run(["car", "debug", "out.car"]).exits(0);
        }
    }
}
