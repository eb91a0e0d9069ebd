//! Public CARs and their known verdicts, where they are at hand.

mod samples;

use carpool_car::{Error, Item, Options, Padding};
use carpool_core::{Error::DigestMismatch, Unverified, verify};
use std::{fs, path::Path};

fn hash_failures(items: Vec<Item>) -> usize {
    let claims = items.into_iter().filter_map(|item| match item {
        Item::Header(_) | Item::Behind(_) => None,
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
        let name = field("name");
        let (items, ended) = samples::read(&input, &Options::default());
        match field("expect") {
            // What is wrong with an index is not seen here.
            _ if name.starts_with("index") || name.contains("Index") => {
                assert_eq!(ended, Ok(()), "{name}");
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
    let (items, ended) = samples::read(&input, &Options::default());
    let file = car.file;
    if car.verdict.starts_with("INVALID") || car.verdict.starts_with("SKIP") {
        assert!(ended.is_err(), "{file}: {}", car.verdict);
        return;
    }
    let sections = items.iter().filter(|item| matches!(item, Item::Section(_))).count();
    assert_eq!((ended, sections), (Ok(()), car.sections), "{file}: {}", car.verdict);
    assert_eq!(hash_failures(items), car.hash_failures, "{file}");
    if car.version == "2" {
        let strict = samples::decode(&input, &Options::default().limits).1;
        assert_eq!(strict, Err(Error::Version { version: 2 }), "{file}");
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

#[test]
fn null_padding_ends_the_data_where_asked() {
    let Some(path) = samples::fixture("car/go-car/sample-v1-with-zero-len-section.car") else {
        return;
    };
    let input = fs::read(path).expect("readable");
    let (items, ended) = samples::read(&input, &Options::default());
    assert!(matches!(ended, Err(Error::SectionLength { .. })));
    let mut options = Options::default();
    options.padding = Padding::EndOfData;
    let (padded, ended) = samples::read(&input, &options);
    assert_eq!(ended, Ok(()));
    assert_eq!((items.len(), padded.len()), (1050, 1051));
}

/// The specification's own examples, and their lists of what lies where.
#[test]
fn the_examples_of_the_specification() {
    the_example("car/ipld-specs/carv1-basic.car");
    the_example("car/ipld-specs/carv2-basic.car");
}

fn the_example(name: &str) {
    let Some(path) = samples::fixture(name) else { return };
    let json = fs::read_to_string(path.with_extension("json")).expect("readable");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let input = fs::read(path).expect("readable");
    let (mut items, ended) = samples::read(&input, &Options::default());
    assert_eq!(ended, Ok(()));
    items.retain(|item| !matches!(item, Item::Behind(_)));
    let Item::Header(header) = &items[0] else { unreachable!("the header comes first") };
    // There they are counted from the start of the file.
    let start = header.v2.map_or(0, |header| header.data_offset);
    let blocks = json["blocks"].as_array().expect("a list");
    assert_eq!(items.len(), blocks.len() + 1);
    for (item, block) in items[1..].iter().zip(blocks) {
        let Item::Section(section) = item else { unreachable!("one header") };
        assert_eq!(section.cid.to_string(), block["cid"]["/"].as_str().expect("a CID"));
        assert_eq!(Some(start + section.offset), block["offset"].as_u64());
        assert_eq!(Some(start + section.data_offset), block["blockOffset"].as_u64());
        assert_eq!(Some(section.data.len() as u64), block["blockLength"].as_u64());
    }
}
