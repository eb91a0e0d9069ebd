//! The file system on one side, DAGs on the other.

mod assemble;
mod extract;
mod scan;

pub(crate) use assemble::{Imported, Importer, Tally, import};
pub(crate) use extract::{Extracted, beside, extract};
pub(crate) use scan::Selection;
