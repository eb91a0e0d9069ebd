//! The lanes of `carpool-hash` against one message at a time.

use std::{hint::black_box, thread};

use super::rate;
use crate::{
    clock::{by_turns, timed_thread},
    messages::Messages,
    report::{Goal, Row},
};

const RUNS: usize = 15;

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    for (messages, goal) in [
        (Messages::equal("256 KiB", 256 << 10), Some(1.85)),
        (Messages::equal("64 KiB", 64 << 10), None),
        (Messages::equal("4 KiB", 4 << 10), None),
        (Messages::equal("1 KiB", 1 << 10), Some(1.5)),
        (Messages::equal("256 B", 256), None),
        (Messages::mixed("100 B to 256 KiB, 8 at once", 256 << 10, 8), None),
        (Messages::mixed("100 B to 256 KiB, 32 at once", 256 << 10, 32), None),
        (Messages::mixed("100 B to 256 KiB, 128 at once", 256 << 10, 128), Some(1.7)),
        (Messages::mixed("100 B to 4 KiB, 128 at once", 4 << 10, 128), None),
    ] {
        one_thread(&messages, goal, each);
        if goal.is_some() {
            two_threads(&messages, each);
        }
    }
}

fn one_thread(messages: &Messages, goal: Option<f64>, each: &mut dyn FnMut(Row)) {
    let lanes = || timed_thread(|| black_box(messages.hash_in_batches())).0;
    let single = || timed_thread(|| black_box(messages.hash_one_by_one())).0;
    let (ours, limit) = by_turns(RUNS, lanes, single);
    let what = format!("{}, one thread", messages.name);
    let row = Row::new("hash", what, rate(messages.bytes(), ours), "MB/s");
    let row = row.beside("sha2, one message at a time", rate(messages.bytes(), limit));
    each(match goal {
        Some(goal) => row.goal(Goal::RatioAtLeast(goal)),
        None => row,
    });
}

/// The processor time of the slower one: that others want the cores too is not counted, that both
/// want the same memory is.
fn two_threads(messages: &Messages, each: &mut dyn FnMut(Row)) {
    let one = || timed_thread(|| black_box(messages.hash_in_batches())).0;
    let two = || {
        thread::scope(|scope| {
            let other = scope.spawn(one);
            one().max(other.join().expect("it hashes"))
        })
    };
    let (ours, limit) = by_turns(RUNS, two, one);
    let what = format!("{}, two threads", messages.name);
    let row = Row::new("hash", what, rate(2 * messages.bytes(), ours), "MB/s");
    let row = row.beside("one thread", rate(messages.bytes(), limit));
    each(row.goal(Goal::RatioAtLeast(1.8)));
}
