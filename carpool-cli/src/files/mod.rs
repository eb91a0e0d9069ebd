//! The file system on one side, DAGs on the other.

mod assemble;
mod extract;
mod scan;
mod selection;
mod survey;

pub(crate) use assemble::{Imported, Importer, Tally, import};
pub(crate) use extract::{Extracted, beside, entry_name, extract, stamp};
pub(crate) use selection::Selection;
pub(crate) use survey::survey;
