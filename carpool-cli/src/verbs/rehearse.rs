//! `sync --dry-run`: what would travel and what would change, while nothing is sent and nothing is
//! written. Of what the server has the folders are read, since only they tell.

use carpool_core::{Cid, CidSet, codec};
use carpool_http::Client;
use carpool_store::{BlockStore, LocalStore};
use carpool_unixfs::{DirectoryBuilder, Metadata, Node, Options, ShardLink};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    args::{DeltaArg, RemoteFlags, StrategyArg},
    blocks,
    comparison::{Change, Count, Status, changes, share},
    failure::{Exit, Outcome},
    folders::Arrival,
    output::{Output, printable, size},
    pretend::Pretend,
    remote::random_seed,
    verbs::receive::shown,
};

/// What is pretended to be written.
pub(super) type Stage = Arc<Pretend<Arc<LocalStore>>>;

pub(super) fn stage(store: &Arc<LocalStore>) -> Stage {
    Arc::new(Pretend::beside(Arc::clone(store)))
}

/// How a server is asked for folders alone: level by level, so that it is not asked for leaves.
pub(super) fn asking(flags: &RemoteFlags) -> RemoteFlags {
    let (strategy, delta) = (StrategyArg::Levels, DeltaArg::Never);
    RemoteFlags { strategy, delta, ..flags.clone() }
}

/// Reads the folders below a root of the server, as far as they are not here.
pub(super) async fn read_folders(client: &Client, stage: &Stage, root: Cid) -> Outcome {
    // Who holds nothing is sent everything at once; who holds a folder, if an empty one, asks level by
    // level.
    let empty = DirectoryBuilder::new(&Options::default(), Metadata::NONE).finish()?.poll();
    let seeds: Vec<Cid> = empty.iter().map(|block| *block.cid()).collect();
    stage.put_many(empty.as_slice())?;
    stage.claim_leaves(true);
    let pulled = client.pull(root, seeds, Arc::clone(stage)).await;
    stage.claim_leaves(false);
    pulled?;
    Ok(())
}

/// Notes how long the leaves below a root are that are not held, as nodes say; counts these, and the
/// nodes that are not held either.
pub(super) fn lacking(stage: &Stage, root: Cid) -> Outcome<Count> {
    let (mut seen, mut left, mut count) =
        (CidSet::with_seed(random_seed()), vec![(root, None)], Count::default());
    while let Some((cid, said)) = left.pop() {
        if !seen.insert(&cid) {
            continue;
        }
        let held = stage.is_beside(&cid)?;
        if cid.codec() == codec::RAW {
            if !held {
                stage.note_length(&cid, said.unwrap_or_default());
            }
        } else {
            left.extend(below(&**stage, &cid)?);
        }
        if !held {
            let bytes = stage.size_many(&[cid])?.pop().flatten();
            count = count.plus(bytes.unwrap_or_default());
        }
    }
    Ok(count)
}

/// The links of a node, and how many bytes lie below each.
fn below(store: &dyn BlockStore, cid: &Cid) -> Outcome<Vec<(Cid, Option<u64>)>> {
    let node = match blocks::node(store, cid) {
        Ok(node) => node,
        // A leaf that was not kept, or something else than files.
        Err(failure) if failure.exit != Exit::Io => return Ok(Vec::new()),
        Err(failure) => return Err(failure),
    };
    Ok(match node {
        Node::Raw(_) | Node::Symlink(_) => Vec::new(),
        Node::File(file) => file.links.iter().map(|link| (link.cid, Some(link.size))).collect(),
        Node::Directory(folder) => {
            folder.entries.iter().map(|entry| (entry.cid, Some(entry.tsize))).collect()
        }
        Node::Shard(shard) => shard
            .links
            .iter()
            .map(|link| match link {
                ShardLink::Entry { entry, .. } => (entry.cid, Some(entry.tsize)),
                ShardLink::Shard { cid, .. } => (*cid, None),
            })
            .collect(),
    })
}

/// Says what a push of `root` would do to a name that points to `before`.
pub(super) fn tell_send(stage: &Stage, before: Option<Cid>, root: Cid, output: &Output) -> Outcome {
    let mut lists = Lists::default();
    changes(&**stage, before, root, |change| lists.note(change))?;
    let travels = match before {
        Some(before) => {
            let share = share(&**stage, before, root)?;
            share.of_b.minus(share.both)
        }
        None => share(&**stage, root, root)?.of_b,
    };
    lists.tell("send", (before, root), travels, None, output);
    Ok(())
}

/// Says what bringing a folder to `root` would do.
pub(super) fn tell_receive(dir: &Path, plan: &Arrival, root: Cid, travels: Count, output: &Output) {
    let all = |paths: &[PathBuf]| paths.iter().map(|path| shown(path)).collect();
    let lists =
        Lists { added: all(&plan.added), changed: all(&plan.changed), removed: all(&plan.removed) };
    for (path, why) in &plan.edits {
        output.warn(format_args!("{}: {why}", shown(&dir.join(path))));
    }
    let edits: Vec<Value> = plan.edits.iter().map(|(path, _)| shown(path).into()).collect();
    if !edits.is_empty() {
        let n = edits.len();
        output.warn(format_args!("{n} paths would be lost, so nothing would be touched"));
    }
    lists.tell("receive", (None, root), travels, Some(edits), output);
}

#[derive(Default)]
struct Lists {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
}

impl Lists {
    fn note(&mut self, change: Change) {
        match change.status() {
            Status::Added => self.added.push(change.path),
            Status::Modified | Status::Retyped => self.changed.push(change.path),
            Status::Removed => self.removed.push(change.path),
        }
    }

    fn tell(
        &self,
        direction: &str,
        (before, root): (Option<Cid>, Cid),
        travels: Count,
        edits: Option<Vec<Value>>,
        output: &Output,
    ) {
        let mut value = json!({
            "dry_run": true, "direction": direction, "root": root.to_string(),
            "before": before.map(|before| before.to_string()),
            "added": self.added, "changed": self.changed, "removed": self.removed,
            "blocks": travels.blocks, "bytes": travels.bytes,
        });
        if let Some(edits) = edits {
            value["local_edits"] = edits.into();
        }
        let mut text = Vec::new();
        for (letter, paths) in [('A', &self.added), ('M', &self.changed), ('D', &self.removed)] {
            text.extend(paths.iter().map(|path| {
                format!("{letter} {}", printable(if path.is_empty() { "." } else { path }))
            }));
        }
        let (added, changed, removed) = (self.added.len(), self.changed.len(), self.removed.len());
        text.push(format!(
            "{root}: would {direction} {} blocks, {}; {added} added, {changed} changed, {removed} removed",
            travels.blocks,
            size(travels.bytes),
        ));
        output.result(&value, text.join("\n"));
    }
}
