use bytes::Bytes;
use carpool_core::{Block, Cid};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

/// Bytes of blocks that wait in memory; more wait in a file that has no name.
const IN_MEMORY: usize = 64 << 20;

enum Place {
    Memory(Bytes),
    File { at: u64, bytes: usize },
}

/// Blocks that came before what links to them.
#[derive(Default)]
pub(super) struct Aside {
    places: HashMap<Cid, Place>,
    in_memory: usize,
    file: Option<File>,
    end: u64,
}

impl Aside {
    pub(super) fn put(&mut self, block: Block) -> io::Result<()> {
        let (cid, data) = block.into_parts();
        let place = if self.in_memory + data.len() <= IN_MEMORY {
            self.in_memory += data.len();
            Place::Memory(data)
        } else {
            self.write(&data)?
        };
        self.places.insert(cid, place);
        Ok(())
    }

    fn write(&mut self, data: &[u8]) -> io::Result<Place> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        file.seek(SeekFrom::Start(self.end))?;
        file.write_all(data)?;
        let at = self.end;
        self.end += data.len() as u64;
        Ok(Place::File { at, bytes: data.len() })
    }

    pub(super) fn take(&mut self, cid: &Cid) -> io::Result<Option<Bytes>> {
        let data = match self.places.remove(cid) {
            None => return Ok(None),
            Some(Place::Memory(data)) => {
                self.in_memory -= data.len();
                data
            }
            Some(Place::File { at, bytes }) => {
                let file = self.file.as_mut().expect("it was written to");
                let mut data = vec![0; bytes];
                file.seek(SeekFrom::Start(at))?;
                file.read_exact(&mut data)?;
                data.into()
            }
        };
        if self.places.is_empty() {
            (self.file, self.end) = (None, 0);
        }
        Ok(Some(data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carpool_core::codec;

    #[test]
    fn blocks_come_back_from_memory_and_from_the_file() {
        let mut aside = Aside::default();
        let block = |n: u8| Block::new(codec::RAW, vec![n; 1 << 20].into());
        (0..70).for_each(|n| aside.put(block(n)).expect("there is room"));
        assert_eq!((aside.in_memory, aside.end), (IN_MEMORY, 6 << 20));
        for n in (0..70).rev() {
            let data = aside.take(block(n).cid()).expect("it is read");
            assert_eq!(data.as_ref(), Some(block(n).data()));
            assert_eq!(aside.take(block(n).cid()).expect("nothing is read"), None);
        }
        assert!(aside.file.is_none() && aside.in_memory == 0);
    }
}
