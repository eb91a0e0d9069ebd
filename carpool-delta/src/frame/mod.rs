mod buffer;
mod cache;
mod counts;
mod decoder;
mod encoder;
mod held;
mod links;
mod nodes;
pub(crate) mod pairs;
mod places;
mod record;
mod segments;
mod waiting;

pub use counts::{Counts, Tally};
pub use decoder::{Decoder, Output};
pub use encoder::{Encoder, Options, Sending};
