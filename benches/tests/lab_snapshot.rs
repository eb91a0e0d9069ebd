//! A slice of the laboratory's grid, held to what it was; `UPDATE_SNAPSHOTS=1` rewrites it.

use benches::lab::{ALL, Grid, measure, text};
use std::{env, fs, path::Path};

#[test]
fn the_slice_is_as_it_was() {
    let grid = Grid::snapshot();
    let rows: Vec<_> = grid
        .points
        .iter()
        .flat_map(|point| measure(point, &grid.paths, &ALL).expect("every block comes"))
        .collect();
    let found = text(&rows);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/lab.txt");
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &found).expect("writable");
    }
    let expected = fs::read_to_string(&path).expect("a snapshot");
    let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert_eq!(differs, None, "the first line that differs, found and expected");
    assert_eq!(found.len(), expected.len());
}
