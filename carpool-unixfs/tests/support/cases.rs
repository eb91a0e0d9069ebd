//! Runs golden cases: inputs are made by their rules, imported, and compared with what Kubo made.

use std::collections::BTreeMap;

use carpool_unixfs::{Chunking, Metadata, Mtime, Options, OptionsError, Overrides, Profile};
use serde_json::Value;

use super::{
    Blocks, cat,
    content::pieces,
    import::{Add, Item, Node},
    walk::figures,
};

/// How a case went.
pub enum Outcome {
    Passed,
    Skipped(&'static str),
    Failed(String),
}

/// Runs all cases of a file and prints what ran and what was skipped, by group.
pub fn run_all(file: &Value) {
    let mut table: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    for case in file["cases"].as_array().unwrap() {
        let group = case["group"].as_str().unwrap().split('/').next().unwrap();
        let row = table.entry(group).or_default();
        match run(case) {
            Outcome::Passed => row[0] += 1,
            Outcome::Skipped(reason) => {
                row[1] += 1;
                *reasons.entry(reason).or_default() += 1;
            }
            Outcome::Failed(why) => failures.push(format!("{}: {why}", case["id"])),
        }
    }
    println!("{:<20}{:>8}{:>9}", "group", "passed", "skipped");
    for (group, [passed, skipped]) in &table {
        println!("{group:<20}{passed:>8}{skipped:>9}");
    }
    println!("skipped because: {reasons:?}");
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(table.values().map(|row| row[0]).sum::<usize>() > 0, "nothing ran");
}

fn run(case: &Value) -> Outcome {
    let mut flags = Flags::new(case);
    if let Some(reason) = flags.unsupported() {
        return Outcome::Skipped(reason);
    }
    let add = match (flags.add(case), case["error"].as_str()) {
        (Err(_), Some(_)) => return Outcome::Passed,
        (Ok(_), Some(error)) => return Outcome::Failed(format!("not refused: {error}")),
        (Err(error), None) => return Outcome::Failed(error.to_string()),
        (Ok(add), None) => add,
    };
    assert!(flags.0.is_empty(), "unknown flags {:?}", flags.0);
    let input = input(&case["input"]);
    let mut blocks = Blocks::new();
    let root = add.run(&input, &mut blocks);
    compare(case, root.cid, &blocks)
        .and_then(|()| read_back(&input, &add, root.cid, &blocks))
        .map_or_else(Outcome::Failed, |()| Outcome::Passed)
}

fn compare(case: &Value, root: carpool_unixfs::Cid, blocks: &Blocks) -> Result<(), String> {
    let expected = case["root"].as_str().unwrap();
    if root.to_string() != expected {
        return Err(format!("root {root}, expected {expected}"));
    }
    let found = figures(root, blocks);
    let number = |name: &str| case[name].as_u64().unwrap();
    let same = found.blocks == number("blocks")
        && found.bytes == number("bytes")
        && found.nodes == number("nodes")
        && found.depth == number("depth")
        && found.order_sha256 == case["order_sha256"].as_str().unwrap()
        && serde_json::to_value(&found.shape).unwrap() == case["shape"];
    if same && found.blocks == blocks.len() as u64 {
        return Ok(());
    }
    Err(format!("{found:?} of {} stored", blocks.len()))
}

fn read_back(
    input: &Node,
    add: &Add,
    root: carpool_unixfs::Cid,
    blocks: &Blocks,
) -> Result<(), String> {
    let Item::File(pieces) = &input.item else { return Ok(()) };
    if add.wrap {
        return Ok(());
    }
    let bytes = cat(root, blocks).map_err(|error| error.to_string())?;
    if bytes == pieces.concat() { Ok(()) } else { Err("read back otherwise".into()) }
}

/// The flags that have not been understood yet.
struct Flags(Vec<(String, String)>);

impl Flags {
    fn new(case: &Value) -> Self {
        let flags = case["flags"].as_array().unwrap().iter().map(|flag| {
            let flag = flag.as_str().unwrap();
            let (name, value) = flag.split_once('=').unwrap_or((flag, "true"));
            (name.trim_start_matches('-').to_owned(), value.to_owned())
        });
        let config = case["config"].as_object().into_iter().flatten();
        let config = config.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
        Self(flags.chain(config).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|flag| flag.0 == name).map(|flag| &*flag.1)
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|flag| flag.0 == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn number<T: TryFrom<i64>>(&mut self, name: &str) -> Option<T> {
        let value = self.take(name)?;
        T::try_from(value.parse().unwrap()).ok()
    }

    fn is_on(&mut self, name: &str) -> bool {
        self.take(name).is_some_and(|value| value == "true")
    }

    fn unsupported(&self) -> Option<&'static str> {
        let chunker = self.get("chunker").unwrap_or_default();
        if self.get("trickle").is_some() || self.get("UnixFSDAGLayout") == Some("trickle") {
            Some("trickle")
        } else if chunker.starts_with("rabin") || chunker.starts_with("buzhash") {
            Some("content-defined chunker")
        } else if self.get("inline").is_some() {
            Some("inline")
        } else if self.get("hash").is_some_and(|hash| hash != "sha2-256") {
            Some("another hash")
        } else if self.get("mtime-nsecs").is_some() && self.get("mtime").is_none() {
            Some("cannot be said: nanoseconds without seconds")
        } else {
            None
        }
    }

    fn add(&mut self, case: &Value) -> Result<Add, OptionsError> {
        let profile = case["profile"].as_str().unwrap_or("default").parse::<Profile>()?;
        let chunking = self.take("chunker").map(|text| text.parse::<Chunking>()).transpose()?;
        let estimation = self.take("UnixFSHAMTDirectorySizeEstimation");
        let threshold = self.take("UnixFSHAMTDirectorySizeThreshold");
        let mode = self.take("mode").map(|text| go_number(&text) & 0o777).filter(|mode| *mode != 0);
        let nanos = self.number("mtime-nsecs").unwrap_or(0);
        let mtime = self.number("mtime").map(|seconds| Mtime::new(seconds, nanos)).transpose()?;
        let (preserve_mode, preserve_mtime) =
            (self.is_on("preserve-mode"), self.is_on("preserve-mtime"));
        let asked = Overrides {
            cid_version: self.number("cid-version"),
            raw_leaves: self.take("raw-leaves").map(|value| value == "true"),
            chunking,
            max_file_links: self.number("max-file-links"),
            max_directory_links: self.number("max-directory-links"),
            hamt_fanout: self.number("max-hamt-fanout"),
            hamt_threshold: threshold.map(|text| bytes(&text)),
            estimation: estimation.map(|text| text.parse()).transpose()?,
            metadata: preserve_mode || preserve_mtime || mode.is_some() || mtime.is_some(),
        };
        self.take("hash");
        Ok(Add {
            options: Options::new(profile, &asked)?,
            hidden: self.is_on("hidden"),
            empty_dirs: self.take("empty-dirs").is_none_or(|value| value == "true"),
            dereference: self.is_on("dereference-symlinks"),
            wrap: self.is_on("w"),
            preserve_mode,
            preserve_mtime,
            mode,
            mtime,
        })
    }
}

/// Kubo reads modes as Go does: a leading zero means octal.
fn go_number(text: &str) -> u32 {
    u32::from_str_radix(text, if text.starts_with('0') { 8 } else { 10 }).unwrap()
}

fn bytes(text: &str) -> u64 {
    match text.strip_suffix("KiB") {
        Some(kib) => kib.parse::<u64>().unwrap() << 10,
        None => text.strip_suffix('B').unwrap().parse().unwrap(),
    }
}

fn input(input: &Value) -> Node {
    let mut root = Node::directory();
    if !input["file"].is_null() {
        root.item = Item::File(pieces(&input["file"], None));
    } else if let Some(target) = input["symlink"].as_str() {
        root.item = Item::Symlink(target.into());
    } else {
        input["tree"].as_array().unwrap().iter().for_each(|entry| grow(&mut root, entry));
    }
    root.metadata = metadata(input, "root_");
    root
}

fn grow(root: &mut Node, entry: &Value) {
    if let Some(count) = entry["many"].as_u64() {
        return grow_many(root, entry, count);
    }
    let place = |name: &str| entry[name].as_str();
    let (path, item) = if let Some(path) = place("f") {
        (path, Item::File(pieces(&entry["content"], None)))
    } else if let Some(path) = place("l") {
        (path, Item::Symlink(place("target").unwrap().into()))
    } else {
        let node = at(root, place("d").unwrap());
        node.metadata = metadata(entry, "");
        return;
    };
    *at(root, path) = Node { item, metadata: metadata(entry, "") };
}

fn grow_many(root: &mut Node, entry: &Value, count: u64) {
    let width = usize::try_from(entry["width"].as_u64().unwrap()).unwrap();
    let only = entry["only"].as_array();
    let indices: Vec<u64> = only.map_or_else(
        || (0..count).collect(),
        |only| only.iter().map(|index| index.as_u64().unwrap()).collect(),
    );
    let directory = match entry["in"].as_str() {
        None | Some("") => root,
        Some(path) => at(root, path),
    };
    for index in indices {
        let mut name = format!("{}{index:0width$}", entry["prefix"].as_str().unwrap());
        if index + 1 == count {
            let extra = entry["last_extra"].as_u64().unwrap_or(0);
            name.push_str(&"x".repeat(usize::try_from(extra).unwrap()));
        }
        let item = Item::File(pieces(&entry["content"], Some(index)));
        *at(directory, &name) = Node { item, metadata: metadata(entry, "") };
    }
}

/// The node at a path; what is not there yet becomes an empty directory.
fn at<'a>(mut node: &'a mut Node, path: &str) -> &'a mut Node {
    for name in path.split('/') {
        let Item::Directory(entries) = &mut node.item else { panic!("{path} lies in a file") };
        node = entries.entry(name.into()).or_insert_with(Node::directory);
    }
    node
}

fn metadata(value: &Value, prefix: &str) -> Metadata {
    let field = |name: &str| &value[format!("{prefix}{name}")];
    let mode = field("mode").as_str().map(|mode| u32::from_str_radix(mode, 8).unwrap());
    let nanos = u32::try_from(field("mtime_nsecs").as_u64().unwrap_or(0)).unwrap();
    let mtime = field("mtime").as_i64().map(|seconds| Mtime::new(seconds, nanos).unwrap());
    Metadata { mode, mtime }
}
