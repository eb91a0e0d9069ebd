//! `names.log`: every name that was ever set, one line each, so that a lost index loses no name.
//!
//! A line is `name TAB seq TAB milliseconds TAB cid LF`. Names have no control characters, and a CID
//! that was cut short does not parse, so a torn line is recognised. Of two lines with the same name
//! and number the later one holds.
use carpool_core::Cid;
use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use super::layout::sync_folder;
use crate::{Error, NameEntry, Result, check_name};

/// Appends a line; when it returns, the line survives a power loss.
pub(crate) fn append(path: &Path, name: &str, entry: &NameEntry) -> Result<()> {
    let is_new = !path.exists();
    let millis = entry.time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let line = format!("{name}\t{}\t{millis}\t{}\n", entry.seq, entry.root);
    write_line(path, &line).map_err(|e| Error::io(path, e))?;
    if is_new { sync_folder(path.parent().unwrap_or(path)) } else { Ok(()) }
}

fn write_line(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut bytes = Vec::with_capacity(line.len() + 1);
    if !ends_with_newline(&mut file)? {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(line.as_bytes());
    file.write_all(&bytes)?;
    file.sync_all()
}

/// Whether the last line is whole; a crash or a full disk may have torn it.
fn ends_with_newline(file: &mut fs::File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// All entries in the order they were written, and how many lines were no entries.
pub(crate) fn read(path: &Path) -> Result<(Vec<(String, NameEntry)>, u64)> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(e) => return Err(Error::io(path, e)),
    };
    let (mut entries, mut bad) = (Vec::new(), 0);
    for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        match parse(line) {
            Some(entry) => entries.push(entry),
            None => bad += 1,
        }
    }
    Ok((entries, bad))
}

fn parse(line: &[u8]) -> Option<(String, NameEntry)> {
    let mut fields = std::str::from_utf8(line).ok()?.split('\t');
    let name = fields.next().filter(|name| check_name(name).is_ok())?;
    let seq = fields.next()?.parse().ok()?;
    let millis = Duration::from_millis(fields.next()?.parse().ok()?);
    let root = Cid::try_from(fields.next()?).ok()?;
    let entry = NameEntry { root, seq, time: UNIX_EPOCH.checked_add(millis)? };
    fields.next().is_none().then(|| (name.to_owned(), entry))
}
