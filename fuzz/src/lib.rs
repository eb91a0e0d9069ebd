//! What the fuzzer runs, one function a target: each takes any bytes and panics when a promise is
//! broken. `tests/replay.rs` runs the corpus through them on stable; the fuzzer itself is
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --features libfuzzer NAME`.

mod bloom;
mod car_decode;
#[path = "../../carpool-car/tests/reference/mod.rs"]
mod car_reference;
mod choices;
mod cid;
mod http_message;
mod links;
mod mirror_session;
mod unixfs_node;
mod varint;

pub use bloom::bloom;
pub use car_decode::car_decode;
pub use cid::cid;
pub use http_message::http_message;
pub use links::links;
pub use mirror_session::mirror_session;
pub use unixfs_node::unixfs_node;
pub use varint::varint;

/// A target: its name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 8] = [
    ("bloom", bloom),
    ("car_decode", car_decode),
    ("cid", cid),
    ("http_message", http_message),
    ("links", links),
    ("mirror_session", mirror_session),
    ("unixfs_node", unixfs_node),
    ("varint", varint),
];
