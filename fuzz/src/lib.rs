//! What the fuzzer runs, one function a target: each takes any bytes and panics when a promise is
//! broken. `tests/replay.rs` runs the corpus through them on stable; the fuzzer itself is
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run --features libfuzzer NAME`.

mod bitmap;
mod bloom;
mod car_check;
#[path = "../../carpool-car/tests/checking/mod.rs"]
mod car_checking;
mod car_decode;
mod car_header;
mod car_index;
mod car_index_lookup;
#[path = "../../carpool-car/tests/index_reference/mod.rs"]
mod car_index_reference;
#[path = "../../carpool-car/tests/index_samples/mod.rs"]
mod car_index_samples;
mod car_indexer;
mod car_reader;
#[path = "../../carpool-car/tests/reference/mod.rs"]
mod car_reference;
mod car_text;
#[path = "../../carpool-cli/src/car/text/mod.rs"]
#[expect(unused_imports, reason = "the program uses all of it")]
mod car_text_form;
mod car_v2_header;
mod cbor_reader;
mod choices;
mod cid;
mod delta_bases;
#[path = "../../carpool-delta/tests/common/mod.rs"]
mod delta_common;
mod delta_copies;
mod delta_frame;
mod delta_prefix;
mod difference;
mod extension;
mod hash_lanes;
mod http_message;
mod http_request;
mod links;
mod mirror_session;
mod pool_engine;
mod pool_gossip;
mod pool_plan;
mod reconciliation;
mod session_faults;
mod sharded_index;
mod sink_events;
mod sketch;
mod source_events;
mod unixfs_node;
mod varint;

pub use bitmap::bitmap;
pub use bloom::bloom;
pub use car_check::car_check;
pub use car_decode::car_decode;
pub use car_header::car_header;
pub use car_index::car_index;
pub use car_index_lookup::car_index_lookup;
pub use car_indexer::car_indexer;
pub use car_reader::car_reader;
pub use car_text::car_text;
pub use car_v2_header::car_v2_header;
pub use cbor_reader::cbor_reader;
pub use cid::cid;
pub use delta_bases::delta_bases;
pub use delta_copies::delta_copies;
pub use delta_frame::delta_frame;
pub use delta_prefix::delta_prefix;
pub use difference::difference;
pub use extension::extension;
pub use hash_lanes::hash_lanes;
pub use http_message::http_message;
pub use http_request::http_request;
pub use links::links;
pub use mirror_session::mirror_session;
pub use pool_engine::pool_engine;
pub use pool_gossip::pool_gossip;
pub use pool_plan::pool_plan;
pub use reconciliation::reconciliation;
pub use session_faults::session_faults;
pub use sharded_index::sharded_index;
pub use sink_events::sink_events;
pub use sketch::sketch;
pub use source_events::source_events;
pub use unixfs_node::unixfs_node;
pub use varint::varint;

/// A target: its name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 35] = [
    ("bitmap", bitmap),
    ("bloom", bloom),
    ("car_check", car_check),
    ("car_decode", car_decode),
    ("car_header", car_header),
    ("car_index", car_index),
    ("car_index_lookup", car_index_lookup),
    ("car_indexer", car_indexer),
    ("car_reader", car_reader),
    ("car_v2_header", car_v2_header),
    ("car_text", car_text),
    ("cbor_reader", cbor_reader),
    ("cid", cid),
    ("delta_bases", delta_bases),
    ("delta_copies", delta_copies),
    ("delta_frame", delta_frame),
    ("delta_prefix", delta_prefix),
    ("difference", difference),
    ("extension", extension),
    ("hash_lanes", hash_lanes),
    ("http_message", http_message),
    ("http_request", http_request),
    ("links", links),
    ("mirror_session", mirror_session),
    ("pool_engine", pool_engine),
    ("pool_gossip", pool_gossip),
    ("pool_plan", pool_plan),
    ("reconciliation", reconciliation),
    ("session_faults", session_faults),
    ("sharded_index", sharded_index),
    ("sink_events", sink_events),
    ("sketch", sketch),
    ("source_events", source_events),
    ("unixfs_node", unixfs_node),
    ("varint", varint),
];
