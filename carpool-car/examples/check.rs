//! Says everything that is wrong with a CAR of either version, from a file or a pipe.
//! `cargo run --example check -- < FILE`

use carpool_car::check::{Check, CheckOptions, Checking};
use carpool_core::Limits;
use std::io::{Read, stdin};

fn main() -> std::io::Result<()> {
    let mut check = Check::new(CheckOptions::default());
    let mut input = stdin().lock();
    loop {
        match check.poll() {
            // Here is where threads would come in.
            Checking::Batch(batch) => check.handle_verdicts(batch.verify(&Limits::default())),
            Checking::Part(part) => check.handle_compared(part.compare()),
            // Nothing is spilled unless `CheckOptions::memory` says so, and a pipe is read once.
            Checking::Spill(_) => {}
            Checking::Read(_) => check.handle_read(&[]),
            Checking::Finding(finding) => println!("{}: {finding}", finding.name()),
            Checking::Wait => {
                let mut chunk = Vec::with_capacity(1 << 20);
                input.by_ref().take(1 << 20).read_to_end(&mut chunk)?;
                if chunk.is_empty() {
                    check.handle_eof();
                }
                check.handle_data(chunk.into());
            }
            Checking::Done => break,
        }
    }
    println!("{:?}", check.report());
    Ok(())
}
