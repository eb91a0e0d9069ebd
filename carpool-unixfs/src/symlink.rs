use alloc::vec;

use crate::{
    Built, Metadata, Options, Root, dag_pb,
    data::{Data, Kind},
    root::dag_pb_block,
};

/// A symbolic link to `target`, which is taken as it is. Of the metadata only the time is stored.
#[must_use]
pub fn symlink(target: &[u8], metadata: &Metadata, options: &Options) -> Built {
    let mut data = Data::new(Kind::Symlink);
    data.bytes = Some(target);
    data.metadata = Metadata { mode: None, ..metadata.stored() };
    let block = dag_pb_block(options.cid_version(), dag_pb::node(&[], &data));
    let (size, tsize) = (target.len() as u64, block.data().len() as u64);
    Built { root: Root { cid: *block.cid(), size, tsize }, blocks: vec![block] }
}
