//! Files that are read at a place, by several threads at once.

use std::{fs::File, io};

/// Fills `window` with the bytes at `offset`; returns how many there were, which are fewer only at
/// the end of the file.
pub(crate) fn fill_at(file: &File, offset: u64, window: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < window.len() {
        match read_at(file, offset + filled as u64, &mut window[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(unix)]
fn read_at(file: &File, offset: u64, window: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, window, offset)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, offset: u64, window: &mut [u8]) -> io::Result<usize> {
    use io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read(window)
}
