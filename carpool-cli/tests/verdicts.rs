//! What the program says of every odd, broken and hostile CAR on record, held to tables of what it
//! should say (`verdicts/*.tsv`), which have go-car's and js-car's answers beside ours.
#![expect(clippy::panic, reason = "helpers of tests")]

mod common;
use common::{Ran, Room, names};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// The verbs of a row's digits, in order: those that were run of go-car's program.
const VERBS: [&[&str]; 10] = [
    &["root", "in.car"],
    &["inspect", "in.car"],
    &["inspect", "--full", "in.car"],
    &["verify", "in.car"],
    &["list", "in.car"],
    &["index", "in.car", "out/v2.car"],
    &["index", "create", "in.car", "out/alone.idx"],
    &["extract", "-f", "in.car", "-o", "out/file"],
    &["extract", "-f", "-", "-o", "out/pipe"],
    &["debug", "in.car"],
];
/// Seconds are more than any of these takes; this is for those that would take for ever.
const HANGS: Duration = Duration::from_secs(120);

/// A line of a table.
struct Row<'a> {
    case: &'a str,
    /// The exit code of `verify`, and the names of what it finds.
    verify: &'a str,
    /// Our exit codes, one of [`VERBS`] a digit.
    verbs: &'a str,
    go_car: &'a str,
    js_car: &'a str,
}

fn rows(table: &str) -> Vec<Row<'_>> {
    let lines = table.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.map(row).collect()
}

fn row(line: &str) -> Row<'_> {
    let cells: Vec<&str> = line.split('\t').collect();
    let [case, verify, verbs, go_car, js_car, why] = cells[..] else { panic!("{line:?}") };
    assert!(!why.is_empty(), "{line:?}");
    Row { case, verify, verbs, go_car, js_car }
}

/// The folder of fixtures, if it is there.
fn fixtures() -> Option<PathBuf> {
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures").into();
    let folder = env::var_os("CARPOOL_FIXTURES").map_or_else(beside, PathBuf::from);
    let there = folder.join("go-car/robustness.tsv").exists();
    if !there {
        println!("skipped: no fixtures");
    }
    there.then_some(folder)
}

fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Inputs and what others say of them.
struct Record {
    fixtures: PathBuf,
    /// Where the generators have run.
    made: Room,
    hex: BTreeMap<String, Vec<u8>>,
    js_car: BTreeMap<String, String>,
}

impl Record {
    fn open() -> Option<Self> {
        let fixtures = fixtures()?;
        let (hex, js_car) = (BTreeMap::new(), BTreeMap::new());
        let mut record = Self { fixtures, made: Room::new(), hex, js_car };
        record.read_hex();
        record.read_js_car();
        Some(record)
    }

    /// The inputs that are written down, with what js-car says of each.
    fn read_hex(&mut self) {
        let cases = read(&self.fixtures.join("car/hex-cases.json"));
        let cases: Value = serde_json::from_str(&cases).expect("JSON");
        for case in cases.as_array().expect("a list") {
            let field = |name: &str| case[name].as_str().expect("text");
            let name = format!("hex/{}", field("name"));
            self.js_car.insert(name.clone(), field("js_car_5_4_7").to_owned());
            self.hex.insert(name, unhex(field("hex")));
        }
    }

    fn read_js_car(&mut self) {
        let kit = self.fixtures.join("../peers/car-bench/robust/matrix-js.tsv");
        self.read_column(&kit, "odd", "@ipld/car CarBufferReader");
        for folder in names(&self.fixtures) {
            let path = self.fixtures.join(&folder).join("CARS.tsv");
            if path.exists() {
                self.read_column(&path, &folder, "js_car_5.4.7");
            }
        }
    }

    fn read_column(&mut self, table: &Path, folder: &str, name: &str) {
        let table = read(table);
        let mut lines = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let heads = lines.next().expect("a line of names");
        let Some(at) = heads.iter().position(|head| *head == name) else { return };
        self.js_car.extend(lines.map(|l| (format!("{folder}/{}", l[0]), l[at].to_owned())));
    }

    /// Runs a generator of the fixtures; the names of what it makes.
    fn make(&self, folder: &str, script: &str) -> Option<Vec<String>> {
        let folder = self.made.path(folder);
        fs::create_dir(&folder).expect("a folder is made");
        let script = fs::canonicalize(self.fixtures.join("go-car").join(script)).expect("there");
        let ran = Command::new("python3").arg(script).current_dir(&folder).status();
        let Ok(status) = ran else {
            println!("skipped: no python3 to make {}", folder.display());
            return None;
        };
        assert!(status.success());
        Some(names(&folder))
    }

    fn input(&self, case: &str) -> Vec<u8> {
        let (kind, name) = case.split_once('/').expect("a folder and a name");
        let path = match kind {
            "hex" => return self.hex[case].clone(),
            "odd" => self.fixtures.join("../peers/car-bench/robust/cases").join(name),
            "hostile" | "unixfs-hostile" => self.made.path(case),
            _ => self.fixtures.join(case),
        };
        fs::read(&path).unwrap_or_else(|error| panic!("{case}: {error}"))
    }

    /// What js-car said, in the words of the tables: `ok`, `error`, or `-`.
    fn js_car(&self, case: &str) -> &str {
        match self.js_car.get(case) {
            Some(said) if said.starts_with("ok") => "ok",
            Some(said) if said.to_lowercase().starts_with("err") => "error",
            Some(said) if said != "-" => panic!("{case}: {said}"),
            _ => "-",
        }
    }

    /// The cases that go-car's program was run over, with its exit codes.
    fn go_car(&self) -> BTreeMap<String, String> {
        let text = read(&self.fixtures.join("go-car/robustness.tsv"));
        let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
        let codes = |line: &str| {
            let mut cells = line.split('\t');
            let case = cells.next().expect("a name").to_owned();
            (case, cells.filter_map(|cell| cell.chars().next()).collect())
        };
        lines.map(codes).collect()
    }

    /// Holds the program, and the record of the others, to a table.
    fn hold(&self, table: &str) {
        let go_car = self.go_car();
        let mut wrong = Vec::new();
        for row in rows(table) {
            let (verify, verbs) = judge(row.case, &self.input(row.case));
            let theirs = go_car.get(row.case).map_or("-", String::as_str);
            let found = [&verify, &verbs, theirs, self.js_car(row.case)];
            if found != [row.verify, row.verbs, row.go_car, row.js_car] {
                wrong.push(format!("{}\t{}", row.case, found.join("\t")));
            }
        }
        assert!(wrong.is_empty(), "not as in the table:\n{}", wrong.join("\n"));
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(byte).collect()
}

/// Runs every verb over an input: what `verify` finds, and the exit codes.
fn judge(case: &str, input: &[u8]) -> (String, String) {
    let room = Room::new();
    room.write("in.car", input);
    fs::create_dir(room.path("out")).expect("a folder is made");
    let codes: String = VERBS.iter().map(|verb| code(case, &room, verb)).collect();
    // Folders may be deeper than what removes a temporary folder can follow.
    Ran::of(Command::new("rm").arg("-rf").arg(room.path("out"))).exits(0);
    assert_eq!(names(&room.path("")), ["in.car"], "{case}: written elsewhere");
    let ran = bounded(case, &room, &["--json", "car", "verify", "in.car"]);
    let found: BTreeSet<String> = ran.objects().iter().filter_map(finding).collect();
    let code = ran.code.expect("it ends").to_string();
    let words: Vec<String> = [code].into_iter().chain(found).collect();
    (words.join(" "), codes)
}

fn finding(object: &Value) -> Option<String> {
    Some(object["finding"].as_str()?.to_owned())
}

fn code(case: &str, room: &Room, verb: &[&str]) -> String {
    let ran = bounded(case, room, &[&["car"], verb].concat());
    assert!(!ran.err.contains("panicked"), "{case}: {verb:?}: {}", ran.err);
    let code = ran.code.filter(|code| (0..=5).contains(code));
    let code = code.unwrap_or_else(|| panic!("{case}: {verb:?}: {ran:?}"));
    assert!(code == 0 || !ran.err.is_empty(), "{case}: {verb:?}: {code} without a word");
    code.to_string()
}

/// Runs the program, with the input as standard input, and kills it if it does not end.
fn bounded(case: &str, room: &Room, args: &[&str]) -> Ran {
    let mut command = room.command(args);
    let input = fs::File::open(room.path("in.car")).expect("it is there");
    command.stdin(Stdio::from(input)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    let id = child.id().to_string();
    let (done, end) = mpsc::channel();
    let waiting = thread::spawn(move || done.send(common::Running::from(child).ended()));
    let ran = end.recv_timeout(HANGS);
    if ran.is_err() {
        Command::new("kill").args(["-KILL", &id]).status().expect("kill runs");
    }
    let _ = waiting.join();
    ran.unwrap_or_else(|_| panic!("{case}: {args:?} hangs"))
}

const ODD: &str = include_str!("verdicts/odd.tsv");
const GO_CAR: &str = include_str!("verdicts/go-car.tsv");
const UNIXFS: &str = include_str!("verdicts/unixfs.tsv");

fn cases(table: &str) -> Vec<String> {
    let mut cases: Vec<String> = rows(table).iter().map(|row| row.case.to_owned()).collect();
    cases.sort_unstable();
    cases
}

/// What is in a folder, as the tables name it.
fn within(folder: &str, names: &[String]) -> Vec<String> {
    names.iter().map(|name| format!("{folder}/{name}")).collect()
}

#[test]
fn the_odd_cars_of_the_bench_kit() {
    let Some(record) = Record::open() else { return };
    let all = names(&record.fixtures.join("../peers/car-bench/robust/cases"));
    assert_eq!(cases(ODD), within("odd", &all));
    record.hold(ODD);
}

#[test]
fn the_inputs_of_go_cars_table() {
    let Some(record) = Record::open() else { return };
    let ours: BTreeSet<String> = [ODD, GO_CAR, UNIXFS].into_iter().flat_map(cases).collect();
    let missing: Vec<String> = record.go_car().into_keys().filter(|c| !ours.contains(c)).collect();
    assert!(missing.is_empty(), "no verdict on {missing:?}");
    if record.make("hostile", "generate-hostile.py").is_some() {
        record.hold(GO_CAR);
    }
}

#[test]
fn hostile_unixfs() {
    let Some(record) = Record::open() else { return };
    let Some(all) = record.make("unixfs-hostile", "generate-hostile-unixfs.py") else { return };
    assert_eq!(cases(UNIXFS), within("unixfs-hostile", &all));
    record.hold(UNIXFS);
}
