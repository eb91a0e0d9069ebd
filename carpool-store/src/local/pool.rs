use std::{
    ops::Deref,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use super::index::Index;
use crate::Result;

/// Connections that are kept open; more are made when more threads read at once.
const KEPT: usize = 16;

/// Connections for readers: none waits for a writer or for another reader.
#[derive(Debug)]
pub(crate) struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Index>>,
}

impl Pool {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default() }
    }

    pub(crate) fn get(&self) -> Result<Reader<'_>> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let index = idle.map_or_else(|| Index::open(&self.path), Ok)?;
        Ok(Reader { pool: self, index: Some(index) })
    }
}

/// A connection that goes back into the pool.
pub(crate) struct Reader<'a> {
    pool: &'a Pool,
    index: Option<Index>,
}

impl Deref for Reader<'_> {
    type Target = Index;

    fn deref(&self) -> &Index {
        self.index.as_ref().expect("only drop takes it")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.extend(self.index.take());
        }
    }
}
