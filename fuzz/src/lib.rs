//! What the fuzzer runs, one function a target: each takes any bytes and panics when a promise is
//! broken. `tests/replay.rs` runs the corpus through them on stable; the fuzzer itself is
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --features libfuzzer NAME`.

mod bloom;
mod car_decode;
mod car_header;
#[path = "../../carpool-car/tests/reference/mod.rs"]
mod car_reference;
mod car_text;
#[path = "../../carpool-cli/src/car/text/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the program uses all of it")]
mod car_text_form;
mod cbor_reader;
mod choices;
mod cid;
mod http_message;
mod http_request;
mod links;
mod mirror_session;
mod session_faults;
mod sink_events;
mod source_events;
mod unixfs_node;
mod varint;

pub use bloom::bloom;
pub use car_decode::car_decode;
pub use car_header::car_header;
pub use car_text::car_text;
pub use cbor_reader::cbor_reader;
pub use cid::cid;
pub use http_message::http_message;
pub use http_request::http_request;
pub use links::links;
pub use mirror_session::mirror_session;
pub use session_faults::session_faults;
pub use sink_events::sink_events;
pub use source_events::source_events;
pub use unixfs_node::unixfs_node;
pub use varint::varint;

/// A target: its name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 15] = [
    ("bloom", bloom),
    ("car_decode", car_decode),
    ("car_header", car_header),
    ("car_text", car_text),
    ("cbor_reader", cbor_reader),
    ("cid", cid),
    ("http_message", http_message),
    ("http_request", http_request),
    ("links", links),
    ("mirror_session", mirror_session),
    ("session_faults", session_faults),
    ("sink_events", sink_events),
    ("source_events", source_events),
    ("unixfs_node", unixfs_node),
    ("varint", varint),
];
