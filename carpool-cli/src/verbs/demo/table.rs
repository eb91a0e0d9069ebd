use carpool_core::Cid;
use carpool_http::Totals;
use serde_json::json;

use super::Baseline;
use crate::output::{Output, size};

/// A transfer beside what it would have cost in other ways.
pub(super) struct Row {
    what: String,
    root: Cid,
    totals: Totals,
    baseline: Baseline,
}

impl Row {
    pub(super) fn new(
        what: impl Into<String>,
        root: Cid,
        totals: &Totals,
        baseline: &Baseline,
    ) -> Self {
        Self { what: what.into(), root, totals: *totals, baseline: *baseline }
    }

    fn bytes(&self) -> u64 {
        self.totals.bytes_sent + self.totals.bytes_received
    }
}

/// Bytes count both ways, with HTTP's own; the other columns are computed from the same DAG.
pub(super) fn print(output: &Output, rows: &[Row]) {
    let widest = rows.iter().map(|row| row.what.len()).max().unwrap_or(0);
    output.say(format_args!(
        "\n{:widest$}  {:>20}  {:>20}  {:>20}",
        "bytes and rounds", "carpool", "sending everything", "asking by levels"
    ));
    for row in rows {
        let cell = |bytes, rounds| format!("{} in {rounds}", size(bytes));
        let line = format!(
            "{:widest$}  {:>20}  {:>20}  {:>20}",
            row.what,
            cell(row.bytes(), row.totals.rounds),
            cell(row.baseline.everything, 1),
            cell(row.baseline.level_by_level, row.baseline.levels),
        );
        output.result(&json(row), line);
    }
}

fn json(row: &Row) -> serde_json::Value {
    json!({
        "step": row.what,
        "root": row.root.to_string(),
        "rounds": row.totals.rounds,
        "requests": row.totals.requests,
        "bytes_sent": row.totals.bytes_sent,
        "bytes_received": row.totals.bytes_received,
        "blocks_sent": row.totals.blocks_sent,
        "blocks_received": row.totals.blocks_received,
        "everything_bytes": row.baseline.everything,
        "level_by_level_bytes": row.baseline.level_by_level,
        "level_by_level_rounds": row.baseline.levels,
    })
}
