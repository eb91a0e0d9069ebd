//! `carpool car get-dag`: one DAG out of a CAR.

use carpool_core::{Cid, Limits};
use carpool_selector::{Order, Step, Walk};
use carpool_store::BlockStore;
use clap::Args;
use serde_json::json;
use std::ffi::{OsStr, OsString};

use super::{
    args::ReadFlags,
    blocks::CarBlocks,
    writer::{CarWriter, VersionFlag},
};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::{Output, size},
    remote::random_seed,
};

/// Missing blocks that are named one by one.
const MAX_REPORTED: u64 = 20;

/// Take a DAG out of a CAR: the block of a CID and all that it links to, each once.
#[derive(Debug, Args)]
#[command(
    override_usage = "carpool car get-dag [OPTIONS] <FILE> [CID] <OUT>",
    after_help = "\
Examples:
  carpool car get-dag all.car bafy… one.car
  carpool car get-dag --strict all.car bafy… one.car   no output unless every block is there
  carpool car get-dag all.car copy.car                 the DAG of the only root

Every block is hashed. Exit code 4 says that blocks are missing, which are named."
)]
pub(crate) struct GetDagArgs {
    /// The CAR (`-` is standard input), the DAG's root unless the CAR has one root only, and the
    /// CAR to make (`-` is standard output)
    #[arg(value_name = "FILE [CID] OUT", required = true)]
    pub(crate) args: Vec<OsString>,
    /// Write nothing where a block is missing
    #[arg(long)]
    pub(crate) strict: bool,
    /// A part of the DAG: not yet
    #[arg(short = 's', long, value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    #[command(flatten)]
    pub(crate) version: VersionFlag,
    #[command(flatten)]
    pub(crate) read: ReadFlags,
}

pub(super) fn run(args: &GetDagArgs, output: &Output) -> Outcome {
    if args.selector.is_some() {
        let what = "selectors come in a later version; without one the whole DAG is taken";
        return Err(Failure::new(Exit::Usage, what));
    }
    let (file, cid, out) = match &args.args[..] {
        [file, out] => (file, None, out),
        [file, cid, out] => (file, Some(parse(cid)?), out),
        _ => return Err(Failure::new(Exit::Usage, "say FILE [CID] OUT")),
    };
    if out == "-" {
        output.leave_to_data()?;
    }
    let car = CarBlocks::open(file, &args.read, output)?;
    let root = cid.map_or_else(|| only_root(car.roots()), Ok)?;
    let format = args.version.format();
    let writer =
        car.with_input(|input| CarWriter::begin(out, &[input], format, (&[root], false), output))?;
    let mut dag = Dag { car: &car, writer, output, missing: 0 };
    dag.walk(root)?;
    let Dag { writer, missing, .. } = dag;
    let incomplete = || {
        let what = format_args!("{missing} blocks of the DAG are not in the CAR");
        Err(Failure::new(Exit::Incomplete, what))
    };
    if missing > 0 && (args.strict || !car.has(&root)?) {
        return incomplete();
    }
    let written = writer.finish(None)?;
    if out != "-" {
        let (shown, blocks, bytes) = (out.to_string_lossy(), written.blocks, written.bytes);
        let value = json!({
            "root": root.to_string(), "output": shown, "blocks": blocks, "bytes": bytes,
            "missing": missing,
        });
        output.result(&value, format_args!("{shown}: {blocks} blocks, {}", size(bytes)));
    }
    if missing > 0 { incomplete() } else { Ok(()) }
}

fn parse(cid: &OsStr) -> Outcome<Cid> {
    let text = cid.to_string_lossy();
    text.parse().map_err(|error| Failure::new(Exit::Usage, format_args!("{text:?}: {error}")))
}

fn only_root(roots: &[Cid]) -> Outcome<Cid> {
    match roots {
        [root] => Ok(*root),
        _ => {
            let what = format_args!("the CAR has {} roots; say which CID", roots.len());
            Err(Failure::new(Exit::Usage, what))
        }
    }
}

struct Dag<'a> {
    car: &'a CarBlocks,
    writer: CarWriter,
    output: &'a Output,
    missing: u64,
}

impl Dag<'_> {
    fn walk(&mut self, root: Cid) -> Outcome {
        let mut walk = Walk::new([root], Order::DepthFirst, &Limits::default(), random_seed());
        let mut loads = Vec::new();
        loop {
            match walk.poll(|_| true)? {
                Some(Step::Load(cid)) => loads.push(cid),
                Some(Step::Missing { cid, .. }) => self.lacks(&cid),
                Some(Step::Visit(block)) => {
                    self.writer.block(block.cid(), block.data())?;
                }
                None if loads.is_empty() => return Ok(()),
                None => {
                    for (cid, data) in loads.iter().zip(self.car.get_many(&loads)?) {
                        walk.handle_load(cid, data);
                    }
                    loads.clear();
                }
            }
        }
    }

    fn lacks(&mut self, cid: &Cid) {
        self.missing += 1;
        if self.missing <= MAX_REPORTED {
            self.output.warn(format_args!("missing: {cid}"));
        }
    }
}
