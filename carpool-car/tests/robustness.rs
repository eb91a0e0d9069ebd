//! Our verdict on each of the odd CARs that go-car's program was run over, beside what it said.
//! `cargo test -p carpool-car --test robustness -- --nocapture` prints the table.

mod checking;
mod samples;

use carpool_car::check::{CheckOptions, Class, Finding};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Our verdict in words: the names of what was found, or how many blocks are clean.
fn verdict(file: &[u8]) -> String {
    let (found, report) = checking::check(file, &CheckOptions::default());
    let mut names: Vec<&str> = found.iter().map(Finding::name).collect();
    names.sort_unstable();
    names.dedup();
    let worst = found.iter().map(Finding::class).max().map_or("clean", Class::name);
    format!("{worst} {} {}", report.total.blocks, names.join(" ")).trim_end().to_owned()
}

/// What each of the kit's odd CARs comes to.
const ODD: [(&str, &str); 22] = [
    ("00-good_1_block.car", "clean 1"),
    ("01-duplicate_block.car", "clean 2"),
    ("02-hash_mismatch.car", "damaged 2 hash"),
    // Its bytes are no DAG-PB, which its CID says.
    ("03-CIDv0_block.car", "against policy 2 undecodable"),
    ("04-identity_CID_block.car", "clean 2"),
    ("05-blake3_CID_block.car", "clean 2"),
    ("06-empty_payload_block.car", "clean 2"),
    ("07-zero_length_section_then_EOF__Filecoin_padding_.car", "damaged 1 section"),
    ("08-header_roots___.car", "against policy 1 roots-empty"),
    ("09-truncated_inside_section_varint__0x80_EOF_.car", "damaged 1 truncated"),
    ("10-truncated_after_varint.car", "damaged 1 truncated"),
    ("11-truncated_in_payload.car", "damaged 0 truncated"),
    ("12-section_len___cid_len.car", "damaged 1 section"),
    ("13-section_claims_2_40_bytes.car", "damaged 1 section"),
    ("14-section_claims_900_MiB.car", "damaged 1 section"),
    ("15-non_minimal_varint_len.car", "damaged 1 section"),
    ("16-CID_version_2.car", "damaged 1 section"),
    ("17-multihash_len_100___64_.car", "damaged 1 section"),
    ("18-multihash_len_300___255_.car", "damaged 1 section"),
    ("19-5_MiB_block.car", "clean 2"),
    ("20-header_claims_2_40.car", "damaged 0 header"),
    ("21-CARv2_wrapping_good.car", "clean 1"),
];

#[test]
fn the_odd_cars_of_the_bench_kit() {
    let Some(folder) = samples::fixture("../peers/car-bench/robust/cases") else { return };
    for (name, expected) in ODD {
        let file = fs::read(folder.join(name)).expect("readable");
        assert_eq!(verdict(&file), expected, "{name}");
    }
}

/// Where the inputs of go-car's table lie; those that a script makes lie nowhere.
struct Inputs {
    fixtures: PathBuf,
    hex: BTreeMap<String, Vec<u8>>,
}

impl Inputs {
    fn read(fixtures: &Path) -> Option<Self> {
        let cases = fs::read_to_string(fixtures.join("car/hex-cases.json")).ok()?;
        let cases: serde_json::Value = serde_json::from_str(&cases).expect("JSON");
        let field = |case: &serde_json::Value, name| case[name].as_str().expect("text").to_owned();
        let cases = cases.as_array().expect("a list").iter();
        let hex = cases.map(|case| (field(case, "name"), samples::hex(&field(case, "hex"))));
        Some(Self { fixtures: fixtures.to_owned(), hex: hex.collect() })
    }

    fn get(&self, row: &str) -> Option<Vec<u8>> {
        let (kind, name) = row.split_once('/')?;
        match kind {
            "hex" => self.hex.get(name.trim_end_matches(".car")).cloned(),
            "odd" => {
                let folder = self.fixtures.join("../peers/car-bench/robust/cases");
                fs::read(folder.join(name)).ok()
            }
            _ => fs::read(self.fixtures.join(row)).ok(),
        }
    }
}

/// What go-car's `inspect --full`, `verify` and `list` said: accepted, or not.
fn theirs(cells: &[&str]) -> String {
    let said = |n: usize| if cells[n].starts_with("0/") { "ok" } else { "no" };
    format!("inspect {} verify {} list {}", said(3), said(4), said(5))
}

/// No row makes us panic or hang, and none is clean that go-car finds damaged in all three ways.
#[test]
fn the_inputs_of_go_cars_table() {
    let Some(path) = samples::fixture("go-car/robustness.tsv") else { return };
    let text = fs::read(&path).expect("readable");
    let text = String::from_utf8_lossy(&text);
    let fixtures = path.parent().and_then(Path::parent).expect("two folders down");
    let Some(inputs) = Inputs::read(fixtures) else { return };
    let mut counted = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let Some(file) = inputs.get(cells[0]) else { continue };
        let (ours, theirs) = (verdict(&file), theirs(&cells));
        println!("{}\t{ours}\t{theirs}", cells[0]);
        let refused = theirs == "inspect no verify no list no";
        assert!(!refused || !ours.starts_with("clean"), "{}: {ours}", cells[0]);
        counted += 1;
    }
    assert!(counted > 100, "{counted} inputs");
}

/// A root, and two more blocks, one of them of two bytes of length.
fn base() -> Vec<u8> {
    let blocks = three();
    samples::car(&[*blocks[0].cid()], &blocks)
}

fn three() -> Vec<carpool_core::Block> {
    let block =
        |data: &[u8]| carpool_core::Block::new(carpool_core::codec::RAW, data.to_vec().into());
    vec![block(b"hello"), block(b"world"), block(&[b'x'; 105])]
}

fn offsets() -> Vec<u64> {
    let start = samples::car(&[*three()[0].cid()], &[]).len() as u64;
    vec![start, start + 42, start + 84]
}

fn claims(length: &[u8]) -> Vec<u8> {
    let cid = three()[0].cid().to_bytes();
    [&base()[..], length, &cid].concat()
}

fn with_index(change: impl FnOnce(&mut Vec<([u8; 32], u64)>)) -> Vec<u8> {
    let digest = |block: &carpool_core::Block| {
        <[u8; 32]>::try_from(block.cid().hash().digest()).expect("SHA2-256")
    };
    let mut entries: Vec<_> = three().iter().map(digest).zip(offsets()).collect();
    entries.sort_unstable();
    change(&mut entries);
    samples::wrapped(&base(), [0, 0], &checking::index(&entries))
}

/// As go-car's generator of hostile inputs describes them.
#[test]
fn hostile_inputs() {
    let v2 = samples::wrapped(&base(), [0, 0], &[]);
    let with_size = |size: u64| {
        let mut file = v2.clone();
        file[35..43].copy_from_slice(&size.to_le_bytes());
        file
    };
    let claimed = |buckets: &[u8]| samples::wrapped(&base(), [0, 0], buckets);
    let huge = [&[0x80, 8, 1, 0, 0, 0, 40, 0, 0, 0][..], &(40u64 << 26).to_le_bytes()].concat();
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a section of 33 MiB claimed", claims(b"\x80\x80\x80\x10\x01"), "damaged 3 section"),
        ("8 MiB claimed", claims(b"\x80\x80\x80\x04"), "damaged 3 truncated"),
        ("one more", claims(b"\x81\x80\x80\x04"), "damaged 3 section"),
        ("2^62 claimed", claims(b"\x80\x80\x80\x80\x80\x80\x80\x80\x40"), "damaged 3 section"),
        ("no CAR at all", vec![], "damaged 0 header"),
        ("zeros behind", [&base()[..], &[0; 64]].concat(), "damaged 3 section"),
        ("a whole v2", v2.clone(), "clean 3"),
        ("padding", samples::wrapped(&base(), [13, 0], &[]), "clean 3"),
        ("data of 2^62", with_size(1 << 62), "damaged 3 data-size"),
        ("data of 2^63 - 60", with_size((1 << 63) - 60), "damaged 3 data-size"),
        ("data of 2^64 - 1", with_size(u64::MAX), "damaged 0 header"),
        ("data one byte short", with_size(base().len() as u64 - 1), "damaged 2 truncated"),
        ("cut in a payload", v2[..v2.len() - 50].to_vec(), "damaged 2 data-size"),
        ("cut between sections", v2[..v2.len() - 143].to_vec(), "damaged 2 data-size"),
        ("bytes behind", [&v2[..], b"more"].concat(), "against policy 3 trailing"),
        ("a good index", with_index(|_| {}), "clean 3"),
        (
            "offsets swapped",
            with_index(|e| (e[0].1, e[1].1) = (e[1].1, e[0].1)),
            "damaged 3 index-offset",
        ),
        (
            "offsets of 10^9",
            with_index(|entries| entries.iter_mut().for_each(|entry| entry.1 = 1_000_000_000)),
            "damaged 3 index-offset",
        ),
        ("an entry more", with_index(|e| e.push(([0xff; 32], 59))), "damaged 3 index-extra"),
        ("an entry less", with_index(|e| e.truncate(2)), "damaged 3 index-missing"),
        ("unsorted", with_index(|e| e.reverse()), "damaged 3 index-unsorted"),
        ("an index of 2.5 GiB claimed", claimed(&huge), "damaged 3 index-malformed"),
    ];
    for (name, file, expected) in table {
        assert_eq!(verdict(&file), expected, "{name}");
    }
}
