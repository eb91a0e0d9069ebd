//! `car list`: CIDs in the order of the file, or the paths of the UnixFS in it.

use carpool_core::{Cid, Limits, codec};
use carpool_unixfs::{List, Node};
use clap::Args;
use serde_json::{Value, json};
use std::ffi::OsString;

use super::{
    args::ReadFlags,
    blocks::CarBlocks,
    dag_pb,
    input::Input,
    lines::Lines,
    multicodec::codec_name,
    scan::{Event, Found, Scan},
};
use crate::{
    blocks::next_entry,
    failure::{Exit, Failure, Outcome},
    output::Output,
};

/// Folders in folders at most.
const MAX_DEPTH: usize = 4096;

/// Bytes of a path at most.
const MAX_PATH: usize = 64 << 10;

/// List the CIDs of a CAR, or the files in it.
#[derive(Debug, Args)]
#[command(after_help = "\
Blocks are hashed; the list ends at the first that is damaged (exit code 3), or, of a URL or with
--trust, is that of the file's own words. With --unixfs, paths are below the roots.

Examples:
  carpool car list site.car
  carpool car list site.car -v
  carpool car ls --unixfs site.car
  curl -s https://host/site.car | carpool --json car list -")]
pub(crate) struct ListArgs {
    /// The CAR: a file, `-` for standard input, or an http(s) URL
    #[arg(default_value = "-")]
    file: OsString,
    /// Where the list goes [default: standard output]
    out: Option<OsString>,
    /// Say more of each block: its codec, and the links of DAG-PB
    #[arg(short, long)]
    verbose: bool,
    /// Print the paths of files and folders
    #[arg(long)]
    unixfs: bool,
    /// Print the paths of files and folders, each after its CID
    #[arg(long)]
    unixfs_blocks: bool,
    /// Do not hash the blocks
    #[arg(long)]
    trust: bool,
    #[command(flatten)]
    read: ReadFlags,
}

pub(super) fn run(args: &ListArgs, output: &Output) -> Outcome {
    let input = Input::open(&args.file, &args.read.server)?;
    let mut lines = Lines::open(args.out.as_deref(), &[&input], output)?;
    if args.unixfs || args.unixfs_blocks {
        let input = input.seekable(|what| output.note(what))?;
        unixfs(args, &CarBlocks::of(input, &args.read)?, &mut lines)?;
    } else {
        blocks(args, &input, &mut lines)?;
    }
    lines.finish()
}

fn blocks(args: &ListArgs, input: &Input, lines: &mut Lines) -> Outcome {
    let mut data_offset = 0;
    let scanned = Scan { read: &args.read, verify: !args.trust }.run(input, |event| match event {
        Event::Header(header) => {
            data_offset = header.v2.map_or(0, |v2| v2.data_offset);
            Ok(())
        }
        Event::Block(found) => block(args, &found, data_offset, lines),
        Event::Fault(fault) => Err(fault.into()),
    });
    match scanned {
        // What came before is right, and is told all the same.
        Err(failure) if args.out.is_none() => lines.flush().and(Err(failure)),
        scanned => scanned,
    }
}

fn block(args: &ListArgs, found: &Found, data_offset: u64, lines: &mut Lines) -> Outcome {
    let section = &found.section;
    if let Some(wrong) = &found.wrong {
        let at = data_offset + section.offset;
        return Err(Failure::new(Exit::Damaged, format_args!("{wrong}; at byte {at}")));
    }
    let value = || {
        json!({
            "cid": section.cid.to_string(),
            "codec": codec_name(section.cid.codec()),
            "offset": data_offset + section.offset,
            "data_offset": data_offset + section.data_offset,
            "bytes": section.data.len(),
        })
    };
    if !args.verbose {
        return lines.result(value, section.cid);
    }
    let mut line = format!("{}: {}", codec_name(section.cid.codec()), section.cid);
    if section.cid.codec() == codec::DAG_PB {
        line += &dag_pb::describe(&section.data);
    }
    lines.result(value, line)
}

/// The folders that are being listed, outermost first, each with the path to it.
fn unixfs(args: &ListArgs, store: &CarBlocks, lines: &mut Lines) -> Outcome {
    let limits = Limits::default();
    for root in store.roots() {
        let mut open: Vec<(String, List)> = Vec::new();
        open.extend(folder(store, root, &limits)?.map(|list| (String::new(), list)));
        while let Some((prefix, list)) = open.last_mut() {
            let Some(entry) = next_entry(store, list)? else {
                open.pop();
                continue;
            };
            let name = String::from_utf8_lossy(&entry.name);
            let path =
                if prefix.is_empty() { name.into_owned() } else { format!("{prefix}/{name}") };
            lines.result(|| path_json(&entry.cid, &path), path_line(args, &entry.cid, &path))?;
            if let Some(list) = folder(store, &entry.cid, &limits)? {
                if open.len() == MAX_DEPTH || path.len() > MAX_PATH {
                    let what = format_args!("{}: paths are deeper than is followed", entry.cid);
                    return Err(Failure::new(Exit::Refused, what));
                }
                open.push((path, list));
            }
        }
    }
    Ok(())
}

fn path_json(cid: &Cid, path: &str) -> Value {
    json!({"path": path, "cid": cid.to_string()})
}

fn path_line(args: &ListArgs, cid: &Cid, path: &str) -> String {
    let path = crate::output::printable(path);
    if args.unixfs_blocks { format!("{cid} {path}") } else { path }
}

/// The entries of a folder; `None` for everything else that UnixFS has.
fn folder(store: &CarBlocks, cid: &Cid, limits: &Limits) -> Outcome<Option<List>> {
    if cid.codec() == codec::RAW {
        return Ok(None);
    }
    let node = crate::blocks::node(store, cid)?;
    Ok(match node {
        Node::Directory(_) | Node::Shard(_) => Some(List::new(*cid, limits)),
        Node::File(_) | Node::Raw(_) | Node::Symlink(_) => None,
    })
}
