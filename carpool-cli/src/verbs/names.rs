use carpool_store::Names;
use serde_json::json;
use std::path::PathBuf;

use crate::{blocks, failure::Outcome, output::Output};

pub(crate) fn run(store: Option<PathBuf>, output: &Output) -> Outcome {
    let store = blocks::open(store, output)?;
    for (name, entry) in store.names()? {
        let value = json!({"name": name, "root": entry.root.to_string(), "seq": entry.seq});
        output.result(&value, format_args!("{} {name}", entry.root));
    }
    Ok(())
}
