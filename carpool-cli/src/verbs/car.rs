use carpool_car::{Decoder, Item, header, section_prefix};
use carpool_core::{Block, Bytes, Cid, Limits, Unverified, verify};
use carpool_http::gather;
use carpool_selector::{Order, Step, Walk};
use carpool_store::{BlockStore, Names};
use serde_json::json;
use std::{
    fs::File,
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use crate::{
    args::{ExportArgs, ImportArgs},
    blocks,
    failure::{Exit, Failure, Outcome},
    output::{Output, size},
    remote::random_seed,
};

/// Blocks and their bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    blocks: u64,
    bytes: u64,
}

pub(crate) fn export(args: &ExportArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let store = blocks::open_verifying(store, output)?;
    if args.output.as_os_str() == "-" {
        let out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
        return write_car(&*store, args.root, out).map(drop);
    }
    let moved = write_file(&*store, args.root, &args.output)?;
    let shown = args.output.display().to_string();
    let value = json!({
        "root": args.root.to_string(), "output": shown, "blocks": moved.blocks, "bytes": moved.bytes,
    });
    output.result(&value, format_args!("{shown}: {} blocks, {}", moved.blocks, size(moved.bytes)));
    Ok(())
}

/// The file appears whole or not at all.
fn write_file(store: &dyn BlockStore, root: Cid, path: &Path) -> Outcome<Moved> {
    let failed = |error: io::Error| Failure::io(path.display(), &error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut part = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    let moved = write_car(store, root, BufWriter::with_capacity(1 << 20, part.as_file_mut()))?;
    part.as_file().sync_all().map_err(failed)?;
    readable(part.as_file()).map_err(failed)?;
    part.persist(path).map_err(|error| failed(error.error))?;
    Ok(moved)
}

/// A temporary file is its owner's alone; a result is like any file.
#[cfg(unix)]
fn readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &File) -> io::Result<()> {
    Ok(())
}

fn write_car(store: &dyn BlockStore, root: Cid, mut out: impl Write) -> Outcome<Moved> {
    let failed = |error: io::Error| Failure::io("writing the CAR", &error);
    let mut walk = Walk::new([root], Order::DepthFirst, &Limits::default(), random_seed());
    let (mut moved, mut loads) = (Moved::default(), Vec::new());
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
                moved.blocks += 1;
                moved.bytes += block.data().len() as u64;
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
    out.flush().map_err(failed)?;
    Ok(moved)
}

pub(crate) fn import(args: &ImportArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let store = blocks::open(store, output)?;
    let shown = args.file.display();
    let mut input: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&args.file).map_err(|error| Failure::io(shown, &error))?)
    };
    let read = read_car(&*store, &mut input);
    store.flush()?;
    let (roots, moved) = read?;
    output.note(format_args!("{} blocks, {}", moved.blocks, size(moved.bytes)));
    let mut incomplete = 0;
    for root in &roots {
        let found = gather(&*store, &[*root], &Limits::default(), random_seed())?;
        if found.complete {
            store.note_root(root)?;
        }
        incomplete += u64::from(!found.complete);
        let value = json!({
            "root": root.to_string(), "blocks": moved.blocks, "bytes": moved.bytes,
            "complete": found.complete,
        });
        output.result(&value, root);
    }
    match incomplete {
        0 => Ok(()),
        n => {
            let what = format_args!("the DAGs of {n} roots are not all in the CAR, nor held before");
            Err(Failure::new(Exit::Incomplete, what))
        }
    }
}

/// Every block is verified and stored, whatever links to it; those before a fault are kept.
fn read_car(store: &dyn BlockStore, input: &mut dyn Read) -> Outcome<(Vec<Cid>, Moved)> {
    let mut decoder = Decoder::new(&Limits::default());
    let (mut roots, mut moved) = (Vec::new(), Moved::default());
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
        keep(store, batch, &mut moved)?;
        fault?;
        if ended {
            return Ok((roots, moved));
        }
    }
}

fn sections(decoder: &mut Decoder, roots: &mut Vec<Cid>) -> (Vec<Unverified>, Outcome) {
    let mut batch = Vec::new();
    loop {
        match decoder.poll() {
            Ok(Some(Item::Header(header))) => *roots = header.roots,
            Ok(Some(Item::Section(s))) => batch.push(Unverified { cid: s.cid, data: s.data }),
            Ok(None) => return (batch, Ok(())),
            Err(error) => return (batch, Err(error.into())),
        }
    }
}

fn keep(store: &dyn BlockStore, batch: Vec<Unverified>, moved: &mut Moved) -> Outcome {
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
    moved.blocks += good.len() as u64;
    moved.bytes += good.iter().map(|block: &Block| block.data().len() as u64).sum::<u64>();
    store.put_many(&good)?;
    fault
}
