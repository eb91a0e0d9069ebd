use serde_json::{Value, json};
use std::fmt::Write;

use super::Row;

/// Rows as text, a head for each point and path.
#[must_use]
pub fn text(rows: &[Row]) -> String {
    let mut out = String::new();
    let mut last = None;
    for row in rows {
        let here = Some((row.point, row.path));
        if last != here {
            head(&mut out, row);
            last = here;
        }
        line(&mut out, row);
    }
    out
}

fn head(out: &mut String, row: &Row) {
    let Row { point, path, truth, .. } = row;
    let (rtt, rate) = (path.rtt_micros / 1000, path.bytes_per_second / 125_000);
    writeln!(
        out,
        "\n{point}, {rtt} ms, {rate} Mb/s: {} blocks missing ({} leaves), CAR {} B, bound {:.0} B",
        truth.missing, truth.leaves, truth.car, truth.bound
    )
    .expect("strings take all");
    writeln!(
        out,
        "  {:<12} {:>10} {:>13} {:>7} {:>10} {:>6} {:>6} {:>10} {:>11}",
        "strategy", "up B", "down B", "rounds", "ms", "dup", "copies", "loads", "comparisons"
    )
    .expect("strings take all");
}

fn line(out: &mut String, row: &Row) {
    let Row { strategy, up, down, rounds, duplicates, copies, loads, comparisons, note, .. } = row;
    let ms = row.seconds * 1e3;
    let line = format!(
        "  {strategy:<12} {up:>10} {down:>13} {rounds:>7} {ms:>10.1} {duplicates:>6} {copies:>6} {loads:>10} \
         {comparisons:>11}  {note}"
    );
    writeln!(out, "{}", line.trim_end()).expect("strings take all");
}

/// Rows as JSON, one object each.
#[must_use]
pub fn json(rows: &[Row]) -> Value {
    rows.iter().map(object).collect()
}

fn object(row: &Row) -> Value {
    let Row { point, path, truth, .. } = row;
    json!({
        "shape": point.shape.name(), "n": point.n, "leaf_bytes": point.leaf_bytes,
        "change": point.edit.change.name(), "d": point.edit.d, "clustered": point.edit.clustered,
        "rtt_micros": path.rtt_micros, "bytes_per_second": path.bytes_per_second,
        "strategy": row.strategy, "up": row.up, "down": row.down, "rounds": row.rounds,
        "seconds": row.seconds, "duplicates": row.duplicates, "copies": row.copies, "loads": row.loads,
        "comparisons": row.comparisons, "note": row.note, "missing": truth.missing,
        "missing_leaves": truth.leaves, "missing_links": truth.links, "lost": truth.lost, "lost_links": truth.lost_links, "car": truth.car,
        "bound": truth.bound,
    })
}
