//! What is tried, a file each.

mod bitmaps;
mod bloom;
mod deferral;
mod full;
mod held_roots;
mod iblt;
mod naive;
mod peer;
mod planned;
mod sketches;
mod wants;

pub use bitmaps::Bitmaps;
pub use bloom::Bloom;
pub use deferral::Deferral;
pub use full::Full;
pub use held_roots::HeldRoots;
pub use iblt::Iblt;
pub use naive::Naive;
pub use peer::Peer;
pub use planned::Planned;
pub use sketches::Sketches;
pub use wants::Wants;
