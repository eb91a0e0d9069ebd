//! The routes and content types, in one place.

/// Where a sink asks for blocks (HTTP §2.1).
pub const PULL: &str = "/api/v0/dag/pull";
/// Where a source brings blocks (HTTP §3.1).
pub const PUSH: &str = "/api/v0/dag/push";
/// Where a sink asks car-mirror 0.1.0 for blocks: this, `/`, and the root.
pub const CAR_MIRROR_PULL: &str = "/dag/pull";
/// Where a source brings car-mirror 0.1.0 blocks: this, `/`, and the root.
pub const CAR_MIRROR_PUSH: &str = "/dag/push";
/// Names: `GET` lists them; a name's own route is this, `/`, and the name percent-encoded.
pub const NAMES: &str = "/api/v0/names";

/// Where sources of a pool talk to each other: this, `/`, and the digest that names the session.
pub const POOL: &str = "/api/v0/pool";

/// What the server has counted, for Prometheus.
pub const METRICS: &str = "/metrics";

/// Content type of requests and answers that are messages.
pub const DAG_CBOR: &str = "application/vnd.ipld.dag-cbor";
/// Content type of CARv1 bodies.
pub const CAR: &str = "application/vnd.ipld.car; version=1";
/// Content type of delta bodies, for those who say that they take it (`docs/delta.md`).
pub const DELTA: &str = "application/vnd.carpool.delta.v1";

/// Answer header of a push: blocks of this request that the server held already.
pub const DUPLICATE_BLOCKS: &str = "carpool-duplicate-blocks";
