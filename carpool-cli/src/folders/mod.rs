//! Folders that are synced again and again: what is remembered of them, and what changed since.

mod arrival;
mod arrive;
mod content;
#[cfg(test)]
mod histories;
mod import;
mod memory;
mod record;
mod stamp;
mod walk;

pub(crate) use arrival::{Arrival, MAX_ENTRIES, Wish, plan};
pub(crate) use arrive::{arrive, remembered};
pub(crate) use import::{Folder, import_folder};
pub(crate) use memory::{Memory, Place, doubt};
pub(crate) use stamp::Stamp;
pub(crate) use walk::walk;
