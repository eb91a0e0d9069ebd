//! Rateless set difference: sketches whose size follows what differs and not what is held
//! (Yang, Gilad and Alizadeh, *Practical Rateless Set Reconciliation*, SIGCOMM 2024), keyed.

mod cell;
mod decoder;
mod key;
mod mapping;

pub use cell::{Cell, Sketch};
pub use decoder::Decoder;
pub use key::{Key, Symbol};
