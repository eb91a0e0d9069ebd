mod buffer;
mod cache;
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

pub use decoder::{Decoder, Output};
pub use encoder::{Counts, Encoder, Options, Sending};
