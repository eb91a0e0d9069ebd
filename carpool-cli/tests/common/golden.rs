//! What go-car's `car` made of fixed inputs.

use std::{env, fs, path::PathBuf};

/// A file of the go-car fixtures; `None`, said aloud, where there are none.
pub fn go_car(name: &str) -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures");
    let root = env::var_os("CARPOOL_FIXTURES").map_or_else(|| default.into(), PathBuf::from);
    let path = root.join("go-car").join(name);
    if !path.is_file() {
        eprintln!("skipped: no fixtures");
        return None;
    }
    Some(path)
}

/// The text of one.
pub fn text(name: &str) -> String {
    go_car(name).map(|path| fs::read_to_string(path).expect("it is read")).unwrap_or_default()
}
