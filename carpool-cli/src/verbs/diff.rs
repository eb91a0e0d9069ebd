use carpool_core::Cid;
use carpool_store::{LocalStore, Names};
use serde_json::{Value, json};
use std::path::PathBuf;

use crate::{
    args::DiffArgs,
    blocks,
    comparison::{Change, Cost, Count, Kind, Share, Status, changes, costs, share},
    failure::{Exit, Failure, Outcome},
    output::{Output, printable, size},
};

pub(crate) fn run(args: &DiffArgs, store: Option<PathBuf>, output: &Output) -> Outcome {
    let store = blocks::open(store, output)?;
    let (a, b) = (root(&store, &args.a)?, root(&store, &args.b)?);
    let mut tally = Tally::default();
    let paths = changes(&*store, Some(a), b, |change| {
        tally.count(&change);
        output.result(&change_json(&change), change_line(&change));
    })?;
    let share = share(&*store, a, b)?;
    let mut value = summary_json(a, b, paths.then_some(&tally), &share);
    let mut text = summary_text(paths.then_some(&tally), &share);
    if args.stat && share.missing == 0 {
        let (costs, counts) = costs(&*store, a, b, &share.in_a)?;
        value["encodings"] = costs.iter().map(cost_json).collect();
        value["delta_blocks"] = json!({
            "plain": counts.plain.blocks, "compressed": counts.compressed.blocks,
            "copies": counts.copies.blocks, "prefix": counts.prefix.blocks, "names_computed": counts.computed,
        });
        text.push("to send the second to who holds the first:".to_owned());
        text.extend(costs.iter().map(|cost| cost_line(cost, costs[0].bytes)));
    }
    output.result(&value, text.join("\n"));
    match share.missing {
        0 => Ok(()),
        n => Err(Failure::new(Exit::Incomplete, format_args!("{n} blocks are not held"))),
    }
}

/// A CID, a path below one, or a name of the store.
fn root(store: &LocalStore, text: &str) -> Outcome<Cid> {
    match blocks::parse_path(text) {
        Ok(_) => blocks::resolve(store, text),
        Err(_) => match store.name(text) {
            Ok(Some(entry)) => Ok(entry.root),
            _ => {
                let what = format_args!("{text:?} begins with no CID, and is no name of the store");
                Err(Failure::new(Exit::Usage, what))
            }
        },
    }
}

#[derive(Default)]
struct Tally {
    added: u64,
    modified: u64,
    removed: u64,
    retyped: u64,
    bytes_added: u64,
    bytes_removed: u64,
}

impl Tally {
    fn count(&mut self, change: &Change) {
        *match change.status() {
            Status::Added => &mut self.added,
            Status::Modified => &mut self.modified,
            Status::Removed => &mut self.removed,
            Status::Retyped => &mut self.retyped,
        } += 1;
        self.bytes_added += change.after.map_or(0, |(_, bytes)| bytes);
        self.bytes_removed += change.before.map_or(0, |(_, bytes)| bytes);
    }
}

fn change_json(change: &Change) -> Value {
    let kind = |side: Option<(Kind, u64)>| side.map(|(kind, _)| kind.name());
    let bytes = |side: Option<(Kind, u64)>| side.map(|(_, bytes)| bytes);
    json!({
        "status": change.status().letter().to_string(),
        "path": change.path,
        "kind_before": kind(change.before), "kind_after": kind(change.after),
        "bytes_before": bytes(change.before), "bytes_after": bytes(change.after),
    })
}

fn change_line(change: &Change) -> String {
    let Change { path, before, after } = change;
    let said = match (before, after) {
        (Some((Kind::Folder, _)), Some((Kind::Folder, _))) => "mode or time".to_owned(),
        (Some((was, _)), Some((is, _))) if was != is => format!("{} → {}", was.name(), is.name()),
        (Some((_, was)), Some((_, is))) => format!("{} → {}", size(*was), size(*is)),
        (Some((kind, bytes)), None) | (None, Some((kind, bytes))) => match kind {
            Kind::Folder => "empty folder".to_owned(),
            Kind::File | Kind::Symlink | Kind::Other => size(*bytes),
        },
        (None, None) => String::new(),
    };
    let path = if path.is_empty() { "." } else { path };
    format!("{} {}  ({said})", change.status().letter(), printable(path))
}

fn summary_json(a: Cid, b: Cid, tally: Option<&Tally>, share: &Share) -> Value {
    let count = |count: Count| json!({"blocks": count.blocks, "bytes": count.bytes});
    let paths = tally.map(|tally| {
        json!({
            "added": tally.added, "modified": tally.modified, "removed": tally.removed,
            "retyped": tally.retyped, "bytes_added": tally.bytes_added,
            "bytes_removed": tally.bytes_removed,
        })
    });
    json!({
        "a": a.to_string(), "b": b.to_string(), "same": a == b, "paths": paths,
        "of_a": count(share.of_a), "of_b": count(share.of_b), "both": count(share.both),
        "only_a": count(share.of_a.minus(share.both)), "only_b": count(share.of_b.minus(share.both)),
        "shared": shared(share), "blocks_missing": share.missing,
    })
}

/// Of the bytes of the second those that the first has too.
#[expect(clippy::cast_precision_loss, reason = "a share is told to a few digits")]
fn shared(share: &Share) -> f64 {
    if share.of_b.bytes == 0 { 1.0 } else { share.both.bytes as f64 / share.of_b.bytes as f64 }
}

fn summary_text(tally: Option<&Tally>, share: &Share) -> Vec<String> {
    let count = |what: &str, count: Count| {
        format!("{what}: {} blocks, {}", count.blocks, size(count.bytes))
    };
    let paths = tally.map(|tally| {
        let Tally { added, modified, removed, retyped, bytes_added, bytes_removed } = tally;
        let retyped =
            if *retyped > 0 { format!(", {retyped} of another kind") } else { String::new() };
        let (more, less) = (size(*bytes_added), size(*bytes_removed));
        format!("{added} added, {modified} changed, {removed} removed{retyped}; {less} → {more}")
    });
    let both = count("in both", share.both);
    let both = format!("{both}, {:.1} % of the second's bytes", shared(share) * 100.0);
    let only_a = count("only in the first", share.of_a.minus(share.both));
    let only_b = count("only in the second", share.of_b.minus(share.both));
    paths.into_iter().chain([only_a, only_b, both]).collect()
}

#[expect(clippy::cast_precision_loss, reason = "seconds are told to a few digits")]
fn cost_json(cost: &Cost) -> Value {
    let seconds = cost.micros as f64 / 1e6;
    json!({"encoding": cost.encoding, "bytes": cost.bytes, "seconds": seconds})
}

#[expect(clippy::cast_precision_loss, reason = "a share is told to a few digits")]
fn cost_line(cost: &Cost, plain: u64) -> String {
    let what = match cost.encoding {
        "plain" => "blocks as they are",
        "zstd" => "one zstd stream",
        _ => "delta",
    };
    let share = cost.bytes as f64 * 100.0 / plain.max(1) as f64;
    let Cost { bytes, .. } = cost;
    format!("  {what:<18} {:>12}  {share:5.1} %  ({bytes} bytes)", size(*bytes))
}
