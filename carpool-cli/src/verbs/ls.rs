use carpool_core::Limits;
use carpool_unixfs::List;
use serde_json::json;
use std::path::PathBuf;

use crate::{args::LsArgs, blocks, failure::Outcome, output::Output};

pub(crate) fn run(args: &LsArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let store = blocks::open(store, output)?;
    let cid = blocks::resolve(&*store, &args.path)?;
    let mut entries = List::new(cid, &Limits::default());
    while let Some(entry) = blocks::next_entry(&*store, &mut entries)? {
        let name = String::from_utf8_lossy(&entry.name);
        let value = json!({"name": name, "cid": entry.cid.to_string(), "dag_bytes": entry.tsize});
        output.result(&value, format_args!("{} {:>12} {}", entry.cid, entry.tsize, printable(&name)));
    }
    Ok(())
}

/// Control characters in a stranger's names do not reach the terminal.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
