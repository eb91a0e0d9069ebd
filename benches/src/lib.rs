//! What the criterion benches and the program `numbers` share: whole transfers in memory, trees to
//! import, a relay that delays, and a table that shows each number beside its limit.
//!
//! A number alone says more about the machine than about the code. So every measurement here runs
//! by turns with its limit (hashing the same bytes, say), and the ratio is what counts.

pub mod cases;
pub mod clock;
pub mod folder;
pub mod giant;
pub mod lab;
pub mod loopback;
pub mod memory;
pub mod messages;
pub mod program;
pub mod relay;
pub mod report;
pub mod tree;
