//! Peak memory of both sides of a large transfer, each a process of its own.

use serde_json::json;
use std::{env::current_exe, process::Command, sync::Arc};

use super::rate;
use crate::{
    giant::{Forgetter, LEAF_BYTES, Maker},
    loopback,
    program::{Serving, last_object, peak_mib},
    report::{Goal, Row},
};

/// 4 GiB.
const LEAVES: u64 = 16_384;

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    for http2 in [false, true] {
        for (server, client) in
            [("peak-serve-source", "peak-pull"), ("peak-serve-sink", "peak-push")]
        {
            let serving = Serving::start(this(&[server]));
            let flag = if http2 { "--http2" } else { "--http1" };
            let root = serving.said["root"].as_str().unwrap_or_default();
            let said = last_object(this(&[client, serving.url(), flag, root]));
            let what =
                format!("{} of 4 GiB, {}", &client["peak-".len()..], loopback::version(http2));
            let mib = |side: &str, mib: Option<f64>| {
                let row =
                    Row::new("peak", format!("{what}: {side}"), mib.unwrap_or(f64::NAN), "MiB");
                row.goal(Goal::AtMost(128.0))
            };
            each(mib("server", serving.peak_mib()));
            each(mib("client", said["peak_mib"].as_f64()));
            let bytes = LEAVES * LEAF_BYTES as u64;
            let seconds = said["seconds"].as_f64().unwrap_or(f64::NAN);
            each(Row::new("peak", format!("{what}: rate"), rate(bytes, seconds), "MB/s"));
        }
    }
}

fn this(args: &[&str]) -> Command {
    let mut command = Command::new(current_exe().expect("a running program has a path"));
    command.args(args);
    command
}

/// Serves 4 GiB that are made when they are asked for, until killed.
pub fn serve_source() {
    let maker = Maker::new(LEAVES);
    let root = maker.root.to_string();
    let runtime = loopback::runtime(2);
    let url = loopback::serve(&runtime, Arc::new(maker));
    println!("{}", json!({"listening": url, "root": root}));
    runtime.block_on(std::future::pending::<()>());
}

/// Takes whatever is pushed and forgets it, until killed.
pub fn serve_sink() {
    let runtime = loopback::runtime(2);
    let url = loopback::serve(&runtime, Arc::<Forgetter>::default());
    println!("{}", json!({"listening": url}));
    runtime.block_on(std::future::pending::<()>());
}

/// Pulls the 4 GiB and forgets them.
///
/// # Panics
/// When not all of them come.
pub fn pull(url: &str, http2: bool, root: &str) {
    let to = Arc::<Forgetter>::default();
    let root = root.parse().expect("a root is a CID");
    let client = loopback::client(url, http2);
    let pull = client.pull(root, Vec::new(), Arc::clone(&to));
    let pulled = loopback::runtime(2).block_on(pull).expect("the server has all");
    assert_eq!(to.leaves() as u64, LEAVES, "all came");
    println!("{}", json!({"peak_mib": peak_mib("self"), "seconds": pulled.seconds}));
}

/// Pushes 4 GiB that are made when they are asked for.
///
/// # Panics
/// When the server does not take them.
pub fn push(url: &str, http2: bool) {
    let maker = Arc::new(Maker::new(LEAVES));
    let client = loopback::client(url, http2);
    let push = client.push(maker.root, Vec::new(), None, Arc::clone(&maker));
    let pushed = loopback::runtime(2).block_on(push).expect("the server takes all");
    assert!(pushed.totals.blocks_sent > LEAVES, "leaves and nodes");
    println!("{}", json!({"peak_mib": peak_mib("self"), "seconds": pushed.seconds}));
}
