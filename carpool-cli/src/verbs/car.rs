use carpool_car::{Decoder, Item, header, section_prefix};
use carpool_core::{Block, Bytes, Cid, Limits, Unverified, verify};
use carpool_http::gather;
use carpool_selector::{Order, Step, Walk};
use carpool_store::{BlockStore, Names};
use serde_json::json;
use std::{
    fs::{self, File},
    io::{self, BufWriter, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    args::{ExportArgs, ImportArgs},
    blocks,
    failure::{Exit, Failure, Outcome},
    files::beside,
    interrupt::Leftover,
    output::{Output, size},
    progress::{Meter, Reading, Total},
    remote::random_seed,
    verbs::push::dag_bytes,
};

/// Blocks and their bytes, up to now.
#[derive(Debug, Default)]
struct Moved {
    blocks: AtomicU64,
    bytes: AtomicU64,
}

impl Moved {
    fn add(&self, block: &Block) {
        self.blocks.fetch_add(1, Relaxed);
        self.bytes.fetch_add(block.data().len() as u64, Relaxed);
    }

    fn now(&self) -> (u64, u64) {
        (self.blocks.load(Relaxed), self.bytes.load(Relaxed))
    }
}

pub(crate) fn export(args: &ExportArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let store = blocks::open_verifying(store, output)?;
    let progress = Arc::new(Moved::default());
    let meter = meter(output, &progress, dag_bytes(&store, &args.root).unwrap_or(0));
    if args.output.as_os_str() == "-" {
        output.leave_to_data()?;
        return write_stdout(&*store, args.root, &progress);
    }
    write_file(&*store, args.root, &args.output, &progress)?;
    drop(meter);
    let (blocks, bytes) = progress.now();
    let shown = args.output.display().to_string();
    let value =
        json!({"root": args.root.to_string(), "output": shown, "blocks": blocks, "bytes": bytes});
    output.result(&value, format_args!("{shown}: {blocks} blocks, {}", size(bytes)));
    Ok(())
}

fn write_stdout(store: &dyn BlockStore, root: Cid, moved: &Moved) -> Outcome {
    let out = io::stdout().lock();
    if out.is_terminal() {
        let what = "a CAR is no text for a terminal; say -o FILE, or pipe it on";
        return Err(Failure::new(Exit::Usage, what));
    }
    let failed = |error: io::Error| Failure::io("standard output", &error);
    write_car(store, root, BufWriter::with_capacity(1 << 20, out), moved, &failed)
}

/// The file appears whole or not at all; a device or pipe is written to as it is.
fn write_file(store: &dyn BlockStore, root: Cid, path: &Path, moved: &Moved) -> Outcome {
    let failed = |error: io::Error| Failure::io(path.display(), &error);
    let found = path.metadata().ok();
    if found.is_some_and(|found| !found.is_file()) {
        let file = File::options().write(true).open(path).map_err(failed)?;
        return write_car(store, root, BufWriter::with_capacity(1 << 20, file), moved, &failed);
    }
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let part = Leftover::new(beside(path, "part")?);
    let file = File::create(part.path()).map_err(failed)?;
    write_car(store, root, BufWriter::with_capacity(1 << 20, &file), moved, &failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(part.path(), path).map_err(failed)
}

fn meter(output: &Output, moved: &Arc<Moved>, total_bytes: u64) -> Meter {
    let moved = Arc::clone(moved);
    output.meter(move || {
        let (done, bytes) = moved.now();
        Reading { what: "blocks", done, bytes, total: Total::Bytes(total_bytes) }
    })
}

fn write_car(
    store: &dyn BlockStore,
    root: Cid,
    mut out: impl Write,
    moved: &Moved,
    failed: &impl Fn(io::Error) -> Failure,
) -> Outcome {
    let mut walk = Walk::new([root], Order::DepthFirst, &Limits::default(), random_seed());
    let mut loads = Vec::new();
    out.write_all(&header(&[root])).map_err(failed)?;
    loop {
        match walk.poll(|_| true)? {
            Some(Step::Load(cid)) => loads.push(cid),
            Some(Step::Missing { cid, .. }) => {
                let what = format_args!("block {cid} of the DAG is not held; pull it first");
                return Err(Failure::new(Exit::Incomplete, what));
            }
            Some(Step::Visit(block)) => {
                let prefix = section_prefix(block.cid(), block.data().len());
                out.write_all(prefix.as_ref()).map_err(failed)?;
                out.write_all(block.data()).map_err(failed)?;
                moved.add(&block);
            }
            None if loads.is_empty() => break,
            None => {
                for (cid, data) in loads.iter().zip(store.get_many(&loads)?) {
                    walk.handle_load(cid, data);
                }
                loads.clear();
            }
        }
    }
    out.flush().map_err(failed)
}

pub(crate) fn import(args: &ImportArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let store = blocks::open(store, output)?;
    let shown = args.file.display();
    let mut input: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&args.file).map_err(|error| Failure::io(shown, &error))?)
    };
    let moved = Arc::new(Moved::default());
    let length = args.file.metadata().map_or(0, |found| found.len());
    let meter = meter(output, &moved, length);
    let read = read_car(&*store, &mut input, &moved);
    store.flush()?;
    drop(meter);
    let (roots, (blocks, bytes)) = (read?, moved.now());
    output.note(format_args!("{blocks} blocks, {}", size(bytes)));
    if roots.is_empty() {
        let value = json!({"root": null, "blocks": blocks, "bytes": bytes, "complete": true});
        output.result(&value, "the CAR names no root");
    }
    let mut incomplete = 0;
    for root in &roots {
        let found = gather(&*store, &[*root], &Limits::default(), random_seed())?;
        if found.complete {
            store.note_root(root)?;
        }
        incomplete += u64::from(!found.complete);
        let value = json!({
            "root": root.to_string(), "blocks": blocks, "bytes": bytes, "complete": found.complete,
        });
        output.result(&value, root);
    }
    match incomplete {
        0 => Ok(()),
        n => {
            let what =
                format_args!("the DAGs of {n} roots are not all in the CAR, nor held before");
            Err(Failure::new(Exit::Incomplete, what))
        }
    }
}

/// Every block is verified and stored, whatever links to it; those before a fault are kept.
fn read_car(store: &dyn BlockStore, input: &mut dyn Read, moved: &Moved) -> Outcome<Vec<Cid>> {
    let mut decoder = Decoder::new(&Limits::default());
    let mut roots = Vec::new();
    loop {
        let mut chunk = Vec::with_capacity(4 << 20);
        let read = input.take(4 << 20).read_to_end(&mut chunk);
        read.map_err(|error| Failure::io("reading the CAR", &error))?;
        let ended = chunk.is_empty();
        if ended {
            decoder.handle_eof();
        }
        decoder.handle_data(Bytes::from(chunk));
        let (batch, fault) = sections(&mut decoder, &mut roots);
        keep(store, batch, moved)?;
        fault?;
        if ended {
            return Ok(roots);
        }
    }
}

fn sections(decoder: &mut Decoder, roots: &mut Vec<Cid>) -> (Vec<Unverified>, Outcome) {
    let mut batch = Vec::new();
    loop {
        match decoder.poll() {
            Ok(Some(Item::Header(header))) => *roots = header.roots,
            Ok(Some(Item::Section(s))) => batch.push(Unverified { cid: s.cid, data: s.data }),
            Ok(Some(Item::Behind(_))) => {}
            Ok(None) => return (batch, Ok(())),
            Err(error) => return (batch, Err(error.into())),
        }
    }
}

fn keep(store: &dyn BlockStore, batch: Vec<Unverified>, moved: &Moved) -> Outcome {
    let (mut good, mut fault) = (Vec::new(), Ok(()));
    for block in verify(batch) {
        match block {
            Ok(block) if carpool_core::is_identity(block.cid()) => {}
            Ok(block) => good.push(block),
            Err(error) => {
                fault = Err(Failure::from(error));
                break;
            }
        }
    }
    store.put_many(&good)?;
    good.iter().for_each(|block| moved.add(block));
    fault
}
