//! The file system on one side, DAGs on the other.

mod assemble;
mod at;
mod extract;
mod pieces;
mod scan;
mod selection;
mod span;
mod spread;
mod survey;

pub(crate) use assemble::{Imported, Importer, Tally, import, import_as, put};
pub(crate) use at::fill_at;
pub(crate) use extract::{Extracted, beside, entry_name, extract, make_link, stamp};
pub(crate) use scan::{Problem, mode, mtime};
pub(crate) use selection::Selection;
pub(crate) use survey::survey;
