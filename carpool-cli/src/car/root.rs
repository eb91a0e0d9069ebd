use serde_json::json;

use super::{args::RootArgs, input::Input, scan::Scan};
use crate::{failure::Outcome, output::Output};

/// Reads the header and nothing else.
pub(super) fn run(args: &RootArgs, output: &Output) -> Outcome {
    let input = Input::open(&args.file, &args.read.server)?;
    let header = Scan { read: &args.read, verify: false }.header(&input)?;
    for root in &header.roots {
        output.result(&json!({"root": root.to_string()}), root);
    }
    Ok(())
}
