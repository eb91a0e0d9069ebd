//! One module a verb.

pub(crate) mod add;
pub(crate) mod car;
pub(crate) mod demo;
pub(crate) mod diff;
mod follow;
pub(crate) mod get;
pub(crate) mod ls;
pub(crate) mod names;
mod pool;
pub(crate) mod pull;
pub(crate) mod push;
mod receive;
mod rehearse;
pub(crate) mod repair;
pub(crate) mod replicate;
pub(crate) mod serve;
pub(crate) mod stat;
pub(crate) mod sync;
