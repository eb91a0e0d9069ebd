//! A CAR of 20 GiB that is made while `carpool car verify -` reads it.

use carpool_car::{header, write_section};
use carpool_core::{Limits, for_each_link};
use carpool_store::BlockStore;
use std::{
    io::{self, BufWriter, Write},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::rate;
use crate::{
    giant::{LEAF_BYTES, Maker},
    program::{carpool, peak_mib},
    report::{Goal, Row},
};

/// 20 GiB.
const LEAVES: u64 = 81_920;

/// How often memory is looked at while the program ends.
const LOOK: Duration = Duration::from_millis(2);

pub(super) fn measure(each: &mut dyn FnMut(Row)) {
    let maker = Maker::new(LEAVES);
    let mut command = Command::new(carpool());
    command.args(["car", "verify", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn().expect("the program starts");
    let pipe = child.stdin.take().expect("it is piped");
    write(&maker, BufWriter::with_capacity(1 << 20, pipe)).expect("the program reads all of it");
    let peak = until_end(child);
    let seconds = begun.elapsed().as_secs_f64();
    let what = "car verify of a CAR of 20 GiB in a pipe";
    let mib = Row::new("stream", format!("{what}: peak memory"), peak, "MiB");
    each(mib.goal(Goal::AtMost(128.0)));
    let bytes = LEAVES * LEAF_BYTES as u64;
    each(Row::new("stream", format!("{what}: rate"), rate(bytes, seconds), "MB/s"));
}

/// All blocks of the DAG, each before those that it links to.
fn write(maker: &Maker, mut out: impl Write) -> io::Result<()> {
    let (mut buffer, mut stack) = (header(&[maker.root]).to_vec(), vec![maker.root]);
    while let Some(cid) = stack.pop() {
        let data = maker.get(&cid).expect("memory reads").expect("it is of the DAG");
        write_section(&mut buffer, &cid, &data);
        out.write_all(&buffer)?;
        buffer.clear();
        let above = stack.len();
        for_each_link(&cid, &data, &Limits::default(), |link| stack.push(link)).expect("a node");
        stack[above..].reverse();
    }
    out.flush()
}

/// The most memory that the program had in use, in MiB, once it has ended well.
fn until_end(mut child: Child) -> f64 {
    let mut peak = f64::NAN;
    loop {
        peak = peak_mib(&child.id().to_string()).unwrap_or(peak);
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            assert!(status.success(), "it finds nothing wrong");
            return peak;
        }
        thread::sleep(LOOK);
    }
}
