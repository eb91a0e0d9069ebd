//! Tries ways to find out what a sink lacks: `docs/diffing.md` says how and what came of it.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use benches::lab::{
    ALL, Change, Edit, Grid, Point, Recorded, Row, Shape, Side, Strategy, Versions,
    bytes_against_d, goals, json, measure, measure_versions, text, time_against_rtt,
};
use carpool_mirror::planner;
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

const USAGE: &str = "\
usage: difflab [OPTION]…

  --strategy S        this one; can be given again; else all
  --shape W           wide (174 links), wide1024, k32, k8, binary, chain,
                      trie (hash-array, 32 links)
  --n N               leaves, or entries of a chain; 1000000
  --leaf BYTES        bytes of a leaf; 1024
  --change C          replace, insert, append, move, copy
  --d D               changed leaves, or `all`; 1000. In a chain the last D entries are new
  --clustered         changed leaves are neighbours
  --scattered         they are anywhere (the default)
  --rtt MS            round trip; 50
  --bandwidth MBPS    megabits a second, each way; 100
  --grid small|full   many points and paths in place of one; of one shape where --shape is given
  --cars OLD NEW      two versions that were made elsewhere, in CARs, in place of a shape
  --figures           the two figures of the book, as SVG; needs --out
  --goals             at how many points of the grid goals are reached, in place of the table
  --json              JSON in place of text
  --out DIR           files there in place of the table here: table.txt, table.json, goals.md";

struct Asked {
    strategies: Vec<&'static dyn Strategy>,
    point: Point,
    path: planner::Path,
    grid: Option<Grid>,
    /// The grid is of the point's shape alone.
    shaped: bool,
    cars: Option<[PathBuf; 2]>,
    figures: bool,
    goals: bool,
    json: bool,
    out: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Some(asked) = Asked::parse(std::env::args().skip(1)) else {
        let names: Vec<_> = ALL.iter().map(|strategy| strategy.name()).collect();
        eprintln!("{USAGE}\n\nstrategies: {}", names.join(", "));
        return ExitCode::from(2);
    };
    match run(&asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("difflab: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Asked {
    fn parse(mut args: impl Iterator<Item = String>) -> Option<Self> {
        let edit = Edit { change: Change::Replace, d: 1000, clustered: false };
        let point = Point { shape: Shape::Tree(174), n: 1_000_000, leaf_bytes: 1024, edit };
        let path = planner::Path { rtt_micros: 50_000, bytes_per_second: 12_500_000 };
        let mut asked = Self {
            strategies: vec![],
            point,
            path,
            grid: None,
            shaped: false,
            cars: None,
            figures: false,
            goals: false,
            json: false,
            out: None,
        };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--clustered" => asked.point.edit.clustered = true,
                "--scattered" => asked.point.edit.clustered = false,
                "--figures" => asked.figures = true,
                "--goals" => asked.goals = true,
                "--json" => asked.json = true,
                "--cars" => asked.cars = Some([args.next()?.into(), args.next()?.into()]),
                option => asked.set(option, &args.next()?)?,
            }
        }
        asked.point.edit.d = asked.point.edit.d.min(match asked.point.edit.change {
            Change::Replace | Change::Move | Change::Copy => asked.point.n,
            Change::Insert | Change::Append => u64::MAX >> 16,
        });
        if asked.strategies.is_empty() {
            asked.strategies = ALL.to_vec();
        }
        (asked.point.n > 0 && (!asked.figures || asked.out.is_some())).then_some(asked)
    }

    fn set(&mut self, option: &str, value: &str) -> Option<()> {
        let Point { shape, n, leaf_bytes, edit } = &mut self.point;
        match option {
            "--strategy" => {
                self.strategies.push(*ALL.iter().find(|strategy| strategy.name() == value)?);
            }
            "--shape" => (*shape, self.shaped) = (named(&Shape::ALL, value)?, true),
            "--change" => edit.change = named(&Change::ALL, value)?,
            "--n" => *n = value.parse().ok().filter(|n| *n <= 1 << 40)?,
            "--leaf" => *leaf_bytes = value.parse().ok()?,
            "--d" if value == "all" => edit.d = *n,
            "--d" => edit.d = value.parse().ok()?,
            "--rtt" => self.path.rtt_micros = times(value, 1e3)?,
            "--bandwidth" => self.path.bytes_per_second = times(value, 125e3)?,
            "--grid" if value == "small" => self.grid = Some(Grid::small()),
            "--grid" if value == "full" => self.grid = Some(Grid::full()),
            "--out" => self.out = Some(value.into()),
            _ => return None,
        }
        Some(())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn times(value: &str, by: f64) -> Option<u64> {
    value.parse::<f64>().ok().map(|value| (value * by).round() as u64)
}

fn named<T: Copy>(all: &[(&str, T)], name: &str) -> Option<T> {
    all.iter().find(|(candidate, _)| *candidate == name).map(|(_, value)| *value)
}

fn run(asked: &Asked) -> Result<(), Box<dyn Error>> {
    if asked.figures {
        return figures(asked);
    }
    let rows = match &asked.cars {
        Some(cars) => recorded(asked, cars)?,
        None => rows(asked)?,
    };
    match &asked.out {
        None if asked.goals => print!("{}", verdicts(&rows)),
        None if asked.json => println!("{}", json(&rows)),
        None => print!("{}", text(&rows)),
        Some(folder) => write(folder, &rows)?,
    }
    Ok(())
}

/// Rows between two writings of what there is: a grid that is stopped leaves what it had.
const ROWS: usize = 20_000;

fn rows(asked: &Asked) -> Result<Vec<Row>, Box<dyn Error>> {
    let grid = asked.grid.clone();
    let mut grid =
        grid.unwrap_or_else(|| Grid { points: vec![asked.point], paths: vec![asked.path] });
    if asked.grid.is_some() && asked.shaped {
        grid.points.retain(|point| point.shape == asked.point.shape);
    }
    let (mut rows, mut written) = (Vec::new(), 0);
    for (n, point) in grid.points.iter().enumerate() {
        if asked.grid.is_some() {
            eprintln!("{} of {}: {point}", n + 1, grid.points.len());
        }
        let mut measured = measure(point, &grid.paths, &asked.strategies)?;
        measured.sort_by_key(|row| (row.path.rtt_micros, row.path.bytes_per_second));
        rows.append(&mut measured);
        if let Some(folder) = asked.out.as_ref().filter(|_| rows.len() > written + ROWS) {
            written = rows.len();
            write(folder, &rows)?;
        }
    }
    Ok(rows)
}

fn write(folder: &Path, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("table.txt"), text(rows))?;
    fs::write(folder.join("table.json"), json(rows).to_string())?;
    fs::write(folder.join("goals.md"), verdicts(rows))?;
    Ok(())
}

fn recorded(asked: &Asked, [old, new]: &[PathBuf; 2]) -> Result<Vec<Row>, Box<dyn Error>> {
    let versions = Recorded::read(&fs::read(old)?, &fs::read(new)?)?;
    let totals = versions.totals(Side::Old);
    let point = Point {
        shape: Shape::Recorded,
        n: totals.blocks - totals.interior,
        leaf_bytes: versions.leaf_bytes(),
        edit: Edit { d: 0, ..asked.point.edit },
    };
    Ok(measure_versions(&point, &versions, &[asked.path], &asked.strategies)?)
}

fn verdicts(rows: &[Row]) -> String {
    let head = "| goal | reached at | asked for | | worst |\n|---|---:|---:|---|---|\n".to_owned();
    goals(rows).iter().fold(head, |out, verdict| out + &format!("{verdict}\n"))
}

/// Bytes against changed leaves in a tree of a million leaves, and time against the round trip.
fn figures(asked: &Asked) -> Result<(), Box<dyn Error>> {
    let folder = asked.out.as_ref().ok_or("--figures needs --out")?;
    fs::create_dir_all(folder)?;
    let drawn: Vec<_> = asked.strategies.iter().copied().filter(|s| s.name() != "full").collect();
    let mut rows = Vec::new();
    for d in [1, 10, 100, 1_000, 10_000, 100_000] {
        let point = Point { edit: Edit { d, ..asked.point.edit }, ..asked.point };
        rows.extend(measure(&point, &[asked.path], &drawn)?);
    }
    let Point { shape, n, edit, .. } = asked.point;
    let what = format!("{}, {n} leaves, {}", shape.name(), edit.change.name());
    fs::write(folder.join("bytes.svg"), bytes_against_d(&what, &rows).svg())?;
    let paths = [1, 5, 20, 50, 100, 150, 300]
        .map(|ms| planner::Path { rtt_micros: ms * 1000, ..asked.path });
    let rows = measure(&asked.point, &paths, &drawn)?;
    let rate = asked.path.bytes_per_second / 125_000;
    let what = format!("{what} of {}, {rate} Mb/s", edit.d);
    fs::write(folder.join("time.svg"), time_against_rtt(&what, &rows).svg())?;
    Ok(())
}
