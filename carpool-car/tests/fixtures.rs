//! Public CARs and their known verdicts, where they are at hand.

mod samples;

use carpool_car::{Error, Item};
use carpool_core::{Error::DigestMismatch, Limits, Unverified, verify};
use std::{fs, path::Path};

fn limits() -> Limits {
    let mut limits = Limits::default();
    // Some have blocks of 4 MiB and more.
    (limits.max_block_bytes, limits.max_section_bytes) = (32 << 20, 33 << 20);
    limits
}

fn hash_failures(items: Vec<Item>) -> usize {
    let claims = items.into_iter().filter_map(|item| match item {
        Item::Header(_) => None,
        Item::Section(section) => Some(Unverified { cid: section.cid, data: section.data }),
    });
    let verdicts = verify(claims.collect());
    verdicts.iter().filter(|verdict| matches!(verdict, Err(DigestMismatch { .. }))).count()
}

#[test]
fn hex_cases() {
    let Some(path) = samples::fixture("car/hex-cases.json") else { return };
    let text = fs::read_to_string(path).expect("readable");
    let cases: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for case in cases.as_array().expect("a list") {
        let field = |name: &str| case[name].as_str().expect("a string");
        let input = samples::hex(field("hex"));
        let (items, ended) = samples::decode(&input, &Limits::default());
        let name = field("name");
        match field("expect") {
            _ if name.starts_with("index") || name.contains("Index") || name.contains("v2") => {
                assert_eq!(ended, Err(Error::Version { version: 2 }), "{name}");
            }
            "ok" => assert_eq!(ended, Ok(()), "{name}"),
            "verify-error" => {
                assert_eq!((ended, hash_failures(items)), (Ok(()), 1), "{name}");
            }
            _ => assert!(ended.is_err(), "{name}"),
        }
    }
}

struct Listed<'a> {
    file: &'a str,
    version: &'a str,
    sections: usize,
    hash_failures: usize,
    verdict: &'a str,
}

fn listed(line: &str) -> Listed<'_> {
    let cells: Vec<&str> = line.split('\t').collect();
    Listed {
        file: cells[0],
        version: cells[1],
        sections: cells[5].parse().expect("a number"),
        hash_failures: cells[10].parse().expect("a number"),
        verdict: cells[15],
    }
}

fn check(folder: &Path, car: &Listed<'_>) {
    let Ok(input) = fs::read(folder.join(car.file)) else { return };
    let (items, ended) = samples::decode(&input, &limits());
    let file = car.file;
    match car.version {
        "1" if car.verdict.starts_with("valid") => {
            assert_eq!(ended, Ok(()), "{file}");
            assert_eq!(items.len(), car.sections + 1, "{file}");
            assert_eq!(hash_failures(items), car.hash_failures, "{file}");
        }
        "2" if !car.verdict.starts_with("INVALID") => {
            assert_eq!(ended, Err(Error::Version { version: 2 }), "{file}");
        }
        _ => assert!(ended.is_err(), "{file}: {}", car.verdict),
    }
}

#[test]
fn listed_cars() {
    for folder in ["car", "real", "selectors", "unixfs-gateway"] {
        let Some(list) = samples::fixture(&format!("{folder}/CARS.tsv")) else { return };
        let text = fs::read_to_string(&list).expect("readable");
        let folder = list.parent().expect("a file lies in a folder");
        text.lines().skip(1).for_each(|line| check(folder, &listed(line)));
    }
}

/// The specification's own example, and its list of what lies where.
#[test]
fn the_example_of_the_specification() {
    let Some(path) = samples::fixture("car/ipld-specs/carv1-basic.car") else { return };
    let json = fs::read_to_string(path.with_extension("json")).expect("readable");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let (items, ended) = samples::decode(&fs::read(path).expect("readable"), &Limits::default());
    assert_eq!(ended, Ok(()));
    let blocks = json["blocks"].as_array().expect("a list");
    assert_eq!(items.len(), blocks.len() + 1);
    for (item, block) in items[1..].iter().zip(blocks) {
        let Item::Section(section) = item else { unreachable!("one header") };
        assert_eq!(section.cid.to_string(), block["cid"]["/"].as_str().expect("a CID"));
        assert_eq!(Some(section.offset), block["offset"].as_u64());
        assert_eq!(Some(section.data_offset), block["blockOffset"].as_u64());
        assert_eq!(Some(section.data.len() as u64), block["blockLength"].as_u64());
    }
}
