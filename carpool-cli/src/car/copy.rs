//! Sections from one CAR into another: all threads hash and choose, and whole runs of bytes are
//! written as they were read.

use carpool_car::{Error, Header, SectionRef};
use carpool_core::{Unverified, sha2_256_each, verify};
use std::ops::Range;

use super::{
    args::ReadFlags,
    batches::{self, Step, Window},
    input::Input,
    seen::{Key, Keyer, Seen},
    writer::CarWriter,
};
use crate::failure::{Exit, Failure, Outcome};

/// A copy of some sections of a CAR.
pub(crate) struct Copy<'a> {
    pub(crate) read: &'a ReadFlags,
    /// Whether blocks are hashed. One that is not what its CID says fails the copy.
    pub(crate) verify: bool,
    /// Whether a section of this binary CID is wanted. All threads ask.
    pub(crate) want: &'a (dyn Fn(&[u8]) -> bool + Sync),
}

/// A section that is wanted.
struct Chosen {
    /// All of it, and its CID, in the window.
    bytes: Range<usize>,
    cid: Range<usize>,
    key: Key,
}

/// What is wanted of a window, or the first block in it that is bad.
#[derive(Default)]
struct Picked {
    chosen: Vec<Chosen>,
    wrong: Option<Wrong>,
}

/// A block that is not what its CID says, from the start of the CARv1.
struct Wrong {
    offset: u64,
    error: carpool_core::Error,
}

impl Copy<'_> {
    /// Copies the sections of `input` that are wanted and were not `seen`, in their order. A file
    /// that cannot be read to its end fails the copy.
    ///
    /// `begin` makes the writer, from the header.
    pub(crate) fn run(
        &self,
        input: &Input,
        seen: &mut Seen,
        begin: impl FnOnce(&Header) -> Outcome<CarWriter>,
    ) -> Outcome<CarWriter> {
        let (mut begin, mut writer, mut data_offset) = (Some(begin), None, 0);
        // How many blocks there are is told from the first window.
        let mut len = input.metadata().map(|found| found.len());
        let keyer = seen.keyer();
        let work = |window: &Window, picked: &mut Picked| {
            picked.chosen.clear();
            picked.wrong = self.choose(window, &keyer, &mut picked.chosen).err();
        };
        batches::run(input, self.read, work, |step| match step {
            Step::Opening(opening) => {
                data_offset = opening.data_offset;
                writer = begin.take().map(|begin| begin(&opening.header)).transpose()?;
                Ok(())
            }
            Step::Window(picked, window) => {
                if let Some(wrong) = picked.wrong.take() {
                    return Err(wrong.told(data_offset));
                }
                let chosen = &picked.chosen;
                if let Some(len) = len.take() {
                    seen.expect(len / (window.bytes().len() / chosen.len().max(1)).max(1) as u64);
                }
                writer.as_mut().map_or(Ok(()), |writer| write(writer, seen, chosen, window))
            }
            Step::Fault { error, .. } => Err(error.into()),
            Step::Short { file_end, .. } => Err(Error::Truncated { offset: file_end }.into()),
            Step::Padding { offset, .. } if !self.read.null_padding => {
                Err(Error::SectionLength { offset }.into())
            }
            Step::Padding { .. } | Step::Index { .. } | Step::Trailing { .. } => Ok(()),
        })?;
        writer.ok_or_else(|| Failure::new(Exit::Damaged, "no header"))
    }

    fn choose(
        &self,
        window: &Window,
        keyer: &Keyer,
        chosen: &mut Vec<Chosen>,
    ) -> Result<(), Wrong> {
        let sections: Vec<SectionRef<'_>> = window.sections(self.read).flatten().collect();
        if self.verify {
            check(&sections)?;
        }
        let mut end = 0;
        chosen.extend(sections.iter().filter_map(|section| {
            let start = end;
            let head = section.data_offset - section.offset;
            let data = start + usize::try_from(head).unwrap_or(0);
            end = data + section.data.len();
            let (bytes, cid) = (start..end, data - section.cid.len()..data);
            (self.want)(section.cid).then(|| Chosen { bytes, cid, key: keyer.key(section.cid) })
        }));
        Ok(())
    }
}

/// Writes what was not seen, section beside section in one go.
fn write(writer: &mut CarWriter, seen: &mut Seen, chosen: &[Chosen], window: &Window) -> Outcome {
    let bytes = window.bytes();
    let mut run = 0..0;
    for section in chosen.iter().filter(|section| seen.insert(section.key)) {
        if section.bytes.start != run.end {
            writer.bytes(&bytes[run])?;
            run = section.bytes.start..section.bytes.start;
        }
        writer.enter(&bytes[section.cid.clone()], run.len())?;
        run.end = section.bytes.end;
    }
    writer.bytes(&bytes[run])
}

impl Wrong {
    fn told(self, data_offset: u64) -> Failure {
        let (offset, error) = (self.offset + data_offset, self.error);
        Failure::new(Exit::Damaged, format_args!("section at byte {offset}: {error}"))
    }
}

/// Hashes all blocks, those with SHA2-256 together.
fn check(sections: &[SectionRef<'_>]) -> Result<(), Wrong> {
    let digest = |section: &SectionRef<'_>| sha2_256_digest(section.cid).is_some();
    let (common, others): (Vec<_>, Vec<_>) = sections.iter().copied().partition(digest);
    let messages: Vec<&[u8]> = common.iter().map(|section| section.data).collect();
    let digests = sha2_256_each(&messages);
    let bad = |(section, digest): &(&SectionRef<'_>, &[u8; 32])| {
        sha2_256_digest(section.cid) != Some(&digest[..])
    };
    let bad = common.iter().zip(&digests).find(bad).map(|(section, _)| section);
    // Of the one that is bad, the usual way says what is wrong.
    bad.into_iter().chain(&others).try_for_each(check_one)
}

fn check_one(section: &SectionRef<'_>) -> Result<(), Wrong> {
    let offset = section.offset;
    let cid = section.to_cid().ok_or(Wrong { offset, error: carpool_core::Error::Cid })?;
    let claim = Unverified { cid, data: section.data.to_vec().into() };
    let mut verdicts = verify(vec![claim]);
    verdicts.pop().map_or(Ok(()), |verdict| match verdict {
        Ok(_) => Ok(()),
        Err(error) => Err(Wrong { offset, error }),
    })
}

/// The digest in a CID of one of the two usual forms.
fn sha2_256_digest(cid: &[u8]) -> Option<&[u8]> {
    match cid {
        [0x12, 0x20, digest @ ..] | [1, 0..0x80, 0x12, 0x20, digest @ ..] if digest.len() == 32 => {
            Some(digest)
        }
        _ => None,
    }
}
