use carpool_store::{BlockStore, Names};
use carpool_unixfs::{Options, Overrides};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde_json::json;
use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use crate::{
    args::{AddArgs, ImportFlags},
    blocks,
    failure::{Exit, Failure, Outcome},
    files::{Imported, Importer, Selection, Tally, import, survey},
    output::{Output, printable, size},
    progress::{Meter, Reading, Total},
};

pub(crate) fn run(args: &AddArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let options = options(&args.import)?;
    let selection = selection(&args.import, args.hidden.unwrap_or(false), &args.ignore)?;
    let only_hash = args.only_hash.unwrap_or(false);
    let store = if only_hash { None } else { Some(blocks::open(store, output)?) };
    let tally = Arc::new(Tally::default());
    let importer = Importer {
        selection: &selection,
        options: &options,
        empty_folders: args.import.empty_dirs.unwrap_or(true),
        wrap: args.wrap.unwrap_or(false),
        tally: &tally,
    };
    let meter = meter(output, &tally, &args.paths, &selection);
    let imported = import(&importer, &args.paths, store.as_deref().map(|s| s as &dyn BlockStore))?;
    drop(meter);
    for (name, root) in &imported.roots {
        if let Some(store) = &store {
            store.note_root(&root.cid)?;
        }
        let value = json!({
            "root": root.cid.to_string(), "name": name, "bytes": root.size, "dag_bytes": root.tsize,
            "hidden_skipped": imported.hidden_skipped,
        });
        let shown = if args.quieter { String::new() } else { printable(name) };
        let line = format!("{} {shown}", root.cid);
        output.result(&value, line.trim_end());
    }
    if !args.quieter {
        summary(output, &tally, &imported, only_hash);
    }
    problems(output, &imported)
}

/// The import settings that the flags ask for.
pub(crate) fn options(flags: &ImportFlags) -> Outcome<Options> {
    let asked = Overrides {
        cid_version: flags.cid_version,
        raw_leaves: flags.raw_leaves,
        chunking: flags.chunker,
        max_file_links: flags.max_file_links,
        max_directory_links: flags.max_directory_links,
        hamt_fanout: flags.max_hamt_fanout,
        hamt_threshold: None,
        estimation: None,
        metadata: flags.preserve_mode.unwrap_or(false) || flags.preserve_mtime.unwrap_or(false),
    };
    Ok(Options::new(flags.profile, &asked)?)
}

/// What is taken, by the flags and the patterns.
pub(crate) fn selection(
    flags: &ImportFlags,
    hidden: bool,
    patterns: &[String],
) -> Outcome<Selection> {
    Ok(Selection {
        hidden,
        ignore: gitignore(patterns)?,
        dereference: flags.dereference_symlinks.unwrap_or(false),
        mode: flags.preserve_mode.unwrap_or(false),
        mtime: flags.preserve_mtime.unwrap_or(false),
        excluded: Vec::new(),
    })
}

fn gitignore(patterns: &[String]) -> Outcome<Gitignore> {
    let mut builder = GitignoreBuilder::new("");
    for pattern in patterns {
        let added = builder.add_line(None, pattern);
        added.map_err(|error| Failure::new(Exit::Usage, error))?;
    }
    builder.build().map_err(|error| Failure::new(Exit::Usage, error))
}

/// A progress bar for an import. It begins at once; the end becomes known when a look through the
/// same tree has added up the files' lengths.
pub(crate) fn meter(
    output: &Output,
    tally: &Arc<Tally>,
    paths: &[PathBuf],
    selection: &Selection,
) -> Meter {
    let (tally, forecast) = (Arc::clone(tally), output.forecast());
    let (paths, selection) = (paths.to_vec(), selection.clone());
    forecast.begin(move |stop| survey(&paths, &selection, stop));
    output.meter(move || Reading {
        what: "blocks",
        done: tally.blocks.load(Relaxed),
        bytes: tally.bytes.load(Relaxed),
        total: Total::Bytes(forecast.total()),
    })
}

fn summary(output: &Output, tally: &Tally, imported: &Imported, only_hash: bool) {
    let (files, bytes) = (tally.files.load(Relaxed), tally.bytes.load(Relaxed));
    let (new, new_bytes) = (tally.new_blocks.load(Relaxed), tally.new_bytes.load(Relaxed));
    output.note(format_args!("{files} files, {}", size(bytes)));
    if !only_hash {
        output.note(format_args!(
            "{new} new blocks, {}; deduplication saved {}",
            size(new_bytes),
            size(bytes.saturating_sub(new_bytes)),
        ));
    }
    if imported.hidden_skipped > 0 {
        let hidden = imported.hidden_skipped;
        output.note(format_args!("{hidden} hidden entries left out; --hidden takes them"));
    }
}

/// Says what was not taken as it is, and makes it the exit code.
pub(crate) fn problems(output: &Output, imported: &Imported) -> Outcome {
    for problem in &imported.problems {
        let path = problem.path.display().to_string();
        output.warn(format_args!("{}: {}", printable(&path), problem.what));
    }
    match imported.problems.len() {
        0 => Ok(()),
        n => Err(Failure::new(Exit::Io, format_args!("{n} paths were skipped or changed"))),
    }
}
