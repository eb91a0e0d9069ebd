//! Runs the committed corpus of one target, for `fuzz/coverage.sh`.

use std::{env, fs, io, path::Path};

fn main() -> io::Result<()> {
    let name = env::args().nth(1).unwrap_or_default();
    let found = fuzz::TARGETS.iter().find(|(target, _)| *target == name);
    let Some((_, run)) = found else {
        return Err(io::Error::other(format!("{name:?} is no target")));
    };
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(&name))? {
        run(&fs::read(file?.path())?);
    }
    Ok(())
}
