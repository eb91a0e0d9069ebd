use carpool_car::Section;
use carpool_core::{Cid, Unverified, verify};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    index::{Durability, Index, Mark, Row},
    layout::Layout,
    names_log,
    scan::{Ending, scan},
    segment::Segment,
};
use crate::{Error, Result, key};

/// What a store found and repaired after it was not closed in order. All is empty or zero when
/// there was nothing to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// The index was missing or damaged, and was made anew from the segments and `names.log`.
    /// [`recent_roots`](crate::Names::recent_roots) is empty then.
    pub rebuilt: bool,
    /// Bytes of segments that were read and hashed.
    pub scanned_bytes: u64,
    /// Whole blocks found in them.
    pub blocks: u64,
    /// Ends of segments that were cut off.
    pub cuts: Vec<Cut>,
    /// Blocks whose bytes do not hash to their CID; they are not held.
    pub damaged: Vec<Cid>,
    /// Blocks whose bytes the index knew and that are gone. Where they were flushed, the files were
    /// damaged. A second copy that two writers happened to make is found by
    /// [`rebuild_index`](crate::LocalStore::rebuild_index).
    pub lost_blocks: u64,
    /// Segments that the index knew and that are gone.
    pub lost_segments: Vec<u32>,
    /// Lines of `names.log` that are no entries.
    pub bad_name_lines: u64,
}

/// The end of a segment that recovery cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// The number of the segment.
    pub segment: u32,
    /// Where it ends now, in bytes.
    pub offset: u64,
    /// Bytes that were cut off.
    pub bytes: u64,
    /// Where they are kept. `None` for a write that did not finish: nobody was told that it did.
    pub saved: Option<PathBuf>,
}

/// Brings the index and all segments that nobody appends to into agreement. The caller holds the
/// lock for opening.
pub(crate) fn recover_all(layout: &Layout, index: &Index, report: &mut Recovery) -> Result<()> {
    let marks = index.marks()?;
    let files = layout.segments()?;
    for &(id, len) in &files {
        let mark = marks.iter().find(|(known, _)| *known == id).map(|(_, mark)| *mark);
        if mark == Some(Mark::all(len)) {
            continue;
        }
        if let Some(mut segment) = Segment::lock(layout, id)? {
            recover(layout, index, &mut segment, report)?;
        }
    }
    let present: BTreeSet<u32> = files.iter().map(|(id, _)| *id).collect();
    for (id, _) in marks.iter().filter(|(id, _)| !present.contains(id)) {
        report.lost_segments.push(*id);
        lose(index, index.forget(*id)?, report)?;
    }
    Ok(())
}

/// Brings the index and one segment, which the caller has locked, into agreement.
pub(crate) fn recover(
    layout: &Layout,
    index: &Index,
    segment: &mut Segment,
    report: &mut Recovery,
) -> Result<()> {
    let mark = index.mark(segment.id)?;
    if segment.len > 0 && mark == Some(Mark::all(segment.len)) {
        return Ok(());
    }
    index.introduce(segment.id)?;
    let mark = mark.unwrap_or(Mark::all(0));
    let from = if mark.synced <= segment.len { mark.synced } else { 0 };
    let id = segment.id;
    report.scanned_bytes += segment.len - from;
    let ending = scan(segment, from, |sections| adopt(index, id, sections, report))?;
    if ending.whole < segment.len {
        let unfinished = ending.torn && mark.synced > 0 && from == mark.synced;
        cut(layout, segment, ending, unfinished, report)?;
    }
    if ending.whole < mark.committed {
        lose(index, index.drop_beyond(id, ending.whole)?, report)?;
    }
    segment.begin()?;
    segment.sync()?;
    index.commit(&[], &[(id, Mark::all(segment.len))], Durability::PowerLoss)
}

/// Hashes sections and puts the whole ones into the index.
fn adopt(index: &Index, segment: u32, sections: Vec<Section>, report: &mut Recovery) -> Result<()> {
    let places: Vec<_> = sections.iter().map(|s| (s.cid, s.data_offset, s.data.len())).collect();
    let claims = sections.into_iter().map(|s| Unverified { cid: s.cid, data: s.data }).collect();
    let (mut rows, mut damaged) = (Vec::new(), Vec::new());
    for ((cid, offset, len), verdict) in places.into_iter().zip(verify(claims)) {
        let multihash = cid.hash().to_bytes();
        if verdict.is_ok() {
            let row = Row { codec: key::codec_of(&cid), segment, offset, len: len as u64 };
            rows.push((multihash, row));
        } else {
            report.damaged.push(cid);
            damaged.push(multihash);
        }
    }
    report.blocks += rows.len() as u64;
    lose(index, index.adopt(segment, &rows, &damaged)?, report)
}

fn lose(index: &Index, blocks: u64, report: &mut Recovery) -> Result<()> {
    report.lost_blocks += blocks;
    if blocks > 0 { index.forget_roots() } else { Ok(()) }
}

/// Cuts a segment off after its last whole section. Keeps what it cuts, unless it can only be a
/// write that did not finish.
fn cut(
    layout: &Layout,
    segment: &mut Segment,
    ending: Ending,
    unfinished: bool,
    report: &mut Recovery,
) -> Result<()> {
    let (offset, bytes) = (ending.whole, segment.len - ending.whole);
    let saved = (!unfinished).then(|| layout.cut(segment.id, offset));
    if let Some(path) = &saved {
        save_end(segment, offset, path).map_err(|e| Error::io(path, e))?;
    }
    segment.truncate(offset)?;
    report.cuts.push(Cut { segment: segment.id, offset, bytes, saved });
    Ok(())
}

fn save_end(segment: &mut Segment, offset: u64, path: &Path) -> io::Result<()> {
    segment.file.seek(SeekFrom::Start(offset))?;
    let mut saved = File::create(path)?;
    io::copy(&mut (&segment.file).take(segment.len - offset), &mut saved)?;
    saved.sync_all()
}

/// Makes a new index from nothing but the segments and `names.log`. The caller holds the lock for
/// opening, and nobody has the store open.
pub(crate) fn rebuild(layout: &Layout) -> Result<(Index, Recovery)> {
    let path = layout.index();
    for suffix in ["", "-wal", "-shm"] {
        remove(&path, suffix)?;
    }
    let index = Index::create(&path)?;
    let mut report = Recovery { rebuilt: true, ..Recovery::default() };
    let (names, bad) = names_log::read(&layout.names_log())?;
    report.bad_name_lines = bad;
    index.restore_names(&names)?;
    recover_all(layout, &index, &mut report)?;
    Ok((index, report))
}

fn remove(path: &Path, suffix: &str) -> Result<()> {
    let mut file = path.as_os_str().to_owned();
    file.push(suffix);
    match fs::remove_file(&file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io(file.as_ref(), e)),
        Ok(()) | Err(_) => Ok(()),
    }
}
