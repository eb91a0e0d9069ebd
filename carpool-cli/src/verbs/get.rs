use serde_json::json;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

use crate::{
    args::GetArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    files::extract,
    output::{Output, size},
};

pub(crate) fn run(args: &GetArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let store = blocks::open_verifying(store, output)?;
    let cid = blocks::resolve(&*store, &args.path)?;
    let target = target(args)?;
    if target.as_os_str() == "-" {
        let mut out = std::io::stdout().lock();
        return blocks::read_file(&*store, cid, |data| {
            out.write_all(data).map_err(|error| Failure::io("standard output", &error))
        });
    }
    let done = extract(&*store, cid, &target, args.force)?;
    let shown = target.display().to_string();
    let value = json!({
        "root": cid.to_string(), "output": shown, "files": done.files, "bytes": done.bytes,
    });
    output.result(&value, format_args!("{shown}: {} files, {}", done.files, size(done.bytes)));
    Ok(())
}

/// Where to write: what was said, or the last name of the path. A name from a path is one name;
/// `..` and the like lead nowhere.
fn target(args: &GetArgs) -> Outcome<PathBuf> {
    if let Some(output) = &args.output {
        return Ok(output.clone());
    }
    let (cid, below) = blocks::parse_path(&args.path)?;
    let last = below.split('/').rfind(|name| !name.is_empty());
    let name = last.map_or_else(|| cid.to_string(), str::to_owned);
    match Path::new(&name).file_name() {
        Some(only) if only == name.as_str() => Ok(PathBuf::from(name)),
        _ => Err(Failure::new(Exit::Usage, "say what to write with -o")),
    }
}
