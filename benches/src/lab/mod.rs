//! A laboratory of ways to find out what a sink lacks: `docs/diffing.md` is its book.
//!
//! A [`Point`] is two versions of a DAG, made as far as somebody looks at them; a [`Strategy`] moves
//! what differs and leaves a [`Transcript`], which is replayed over every path.

mod chain;
mod change;
mod figure;
mod goals;
mod grid;
mod node;
mod point;
mod recorded;
mod shape;
pub mod strategies;
mod strategy;
mod table;
mod transcript;
mod tree;
mod trie;
mod versions;

pub use chain::Chain;
pub use change::{Change, Edit};
pub use figure::{Figure, Line, bytes_against_d, time_against_rtt};
pub use goals::{Verdict, goals};
pub use grid::Grid;
pub use node::{CID_BYTES, Node};
pub use point::{Incomplete, Point, Row, Truth, measure, measure_versions};
pub use recorded::Recorded;
pub use shape::Shape;
pub use strategy::{ALL, FilterModel, Sink, Source, Strategy, request};
pub use table::{json, text};
pub use transcript::{Round, Transcript, section};
pub use tree::Tree;
pub use trie::Trie;
pub use versions::{Side, Totals, Versions};
