use carpool_core::Cid;
use carpool_store::LocalStore;
use carpool_unixfs::Node;
use serde_json::json;
use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
};

use crate::{
    args::GetArgs,
    blocks,
    failure::{Exit, Failure, Outcome},
    files::{Extracted, extract},
    output::{Output, size},
    progress::{Meter, Reading, Total},
    verbs::push::dag_bytes,
};

pub(crate) fn run(args: &GetArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let store = blocks::open_verifying(store, output)?;
    let cid = blocks::resolve(&*store, &args.path)?;
    let target = target(args)?;
    if target.as_os_str() == "-" {
        return print(&store, cid, &args.path, output);
    }
    let done = Arc::new(Extracted::default());
    let meter = meter(output, &done, dag_bytes(&store, &cid).unwrap_or(0));
    extract(&*store, cid, &target, args.force, &done)?;
    drop(meter);
    let (files, bytes) = (done.files.load(Relaxed), done.bytes.load(Relaxed));
    let shown = target.display().to_string();
    let value = json!({"root": cid.to_string(), "output": shown, "files": files, "bytes": bytes});
    output.result(&value, format_args!("{shown}: {files} files, {}", size(bytes)));
    Ok(())
}

fn print(store: &LocalStore, cid: Cid, path: &str, output: &Output) -> Outcome {
    output.leave_to_data()?;
    if !matches!(blocks::node(store, &cid)?, Node::Raw(_) | Node::File(_)) {
        let what = format_args!("{path} is no file; say what becomes of it with -o");
        return Err(Failure::new(Exit::Usage, what));
    }
    let mut out = std::io::stdout().lock();
    let failed = |error: std::io::Error| Failure::io("standard output", &error);
    blocks::read_file(store, cid, |data| out.write_all(data).map_err(failed))?;
    out.flush().map_err(failed)
}

fn meter(output: &Output, done: &Arc<Extracted>, total_bytes: u64) -> Meter {
    let done = Arc::clone(done);
    output.meter(move || Reading {
        what: "blocks",
        done: done.blocks.load(Relaxed),
        bytes: done.bytes.load(Relaxed),
        total: Total::Bytes(total_bytes),
    })
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
