use carpool_core::Cid;

/// How deep values may be nested.
pub(super) const MAX_DEPTH: usize = 128;
/// How many values one block may hold. Blocks with more go into hex.
pub(super) const MAX_VALUES: usize = 1 << 20;

/// A value of the IPLD data model ([IPLD, Data Model](https://ipld.io/docs/data-model/)).
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// From -2^64 to 2^64 - 1.
    Int(Int),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Self>),
    /// In the order in which the keys came.
    Map(Vec<(String, Self)>),
    Link(Box<Cid>),
}

/// An integer as CBOR has it: `n`, or `-1 - n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Int {
    pub(super) negative: bool,
    pub(super) n: u64,
}

impl Value {
    /// Calls `each` with every link, in the order of the text.
    pub(super) fn each_link(&mut self, each: &mut impl FnMut(&mut Cid)) {
        match self {
            Self::Link(cid) => each(cid),
            Self::List(items) => items.iter_mut().for_each(|item| item.each_link(each)),
            Self::Map(entries) => entries.iter_mut().for_each(|(_, value)| value.each_link(each)),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Bytes(_) => {}
        }
    }
}
