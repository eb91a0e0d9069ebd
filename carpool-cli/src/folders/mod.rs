//! Folders that are synced again and again: what is remembered of them, and what changed since.

mod import;
mod memory;
mod record;
mod stamp;
mod walk;

pub(crate) use import::{Folder, import_folder};
pub(crate) use memory::{Place, doubt};
