//! The CAR that the parts of a split come to.

use carpool_car::header;
use carpool_core::{Bytes, Cid, Limits};
use carpool_hash::Hasher;
use std::{cmp::Reverse, collections::BinaryHeap, io::Read, path::PathBuf};

use super::{
    concat::format,
    cursor::Cursor,
    input::Input,
    manifest::{Manifest, Part, raw_cid},
    merge::MergeArgs,
    scan::Scan,
    target::Target,
    writer::{CarWriter, Written},
};
use crate::{
    args::ServerFlags,
    failure::{Exit, Failure, Outcome},
    output::Output,
};

/// A part, and how far it was read.
struct Open<'a> {
    part: &'a Part,
    path: PathBuf,
    /// Where its next section begins.
    offset: u64,
    /// The run that is being read, and how many of its sections were.
    run: usize,
    read: u64,
}

impl Open<'_> {
    /// The number of the next section.
    fn next(&self) -> Option<u64> {
        self.part.sections.get(self.run).map(|(first, _)| first + self.read)
    }

    fn step(&mut self) {
        self.read += 1;
        if self.part.sections.get(self.run).is_some_and(|(_, count)| self.read == *count) {
            (self.run, self.read) = (self.run + 1, 0);
        }
    }

    fn damaged(&self, what: &str) -> Failure {
        Failure::new(Exit::Damaged, format_args!("{}: {what}", self.path.display()))
    }
}

/// Puts the parts together, in the order of the CAR that was split and with its roots.
pub(super) fn run(
    manifest: &Manifest,
    input: &Input,
    args: &MergeArgs,
    output: &Output,
) -> Outcome<Written> {
    Target::refuse(&args.join.output, input)?;
    let folder = input.path().and_then(|path| path.parent()).map(PathBuf::from).unwrap_or_default();
    let mut parts = Vec::new();
    for part in &manifest.parts {
        parts.push(open(part, folder.join(&part.name), args)?);
    }
    let begun = (&manifest.roots[..], false);
    let mut writer =
        CarWriter::begin(&args.join.output, &[], format(args.join.version), begun, output)?;
    let mut hasher = Hasher::new();
    hasher.update(header(&manifest.roots));
    let each = |cid: &Cid, data: &[u8]| {
        hasher.update(carpool_car::section_prefix(cid, data.len()));
        hasher.update(data);
        writer.block(cid, data).map(drop)
    };
    join(&mut parts, manifest.blocks, &args.join.read.limits(), !args.join.trust, each)?;
    if raw_cid(hasher) != manifest.cid {
        let what = format_args!("{}: the parts come to another CAR", input.shown());
        return Err(Failure::new(Exit::Damaged, what));
    }
    writer.finish(None)
}

/// Parts are files: no server is told what the command line says.
fn no_server() -> ServerFlags {
    ServerFlags::default()
}

fn open<'a>(part: &'a Part, path: PathBuf, args: &MergeArgs) -> Outcome<Open<'a>> {
    let input = Input::open(path.as_os_str(), &no_server())?;
    Target::refuse(&args.join.output, &input)?;
    let opening = Scan { read: &args.join.read, verify: false }.opening(&input)?;
    let offset = opening.sections_offset;
    let open = Open { part, path, offset, run: 0, read: 0 };
    if input.len()? != Some(part.bytes) || opening.header.roots != part.roots {
        return Err(open.damaged("not the file that the manifest means"));
    }
    if !args.join.trust && hash(&input)? != part.cid {
        return Err(open.damaged("its hash is not the one in the manifest"));
    }
    Ok(open)
}

fn hash(input: &Input) -> Outcome<Cid> {
    let (mut stream, mut hasher) = (input.stream()?, Hasher::new());
    let mut piece = vec![0; 1 << 20];
    loop {
        let read = stream.read(&mut piece).map_err(|error| input.failed(&error))?;
        if read == 0 {
            return Ok(raw_cid(hasher));
        }
        hasher.update(&piece[..read]);
    }
}

/// Calls `each` with every section, in the order of their numbers. What several parts have comes
/// once.
fn join(
    parts: &mut [Open<'_>],
    blocks: u64,
    limits: &Limits,
    check: bool,
    mut each: impl FnMut(&Cid, &[u8]) -> Outcome,
) -> Outcome {
    let numbers = parts.iter().enumerate();
    let mut order: BinaryHeap<Reverse<(u64, usize)>> =
        numbers.filter_map(|(n, part)| part.next().map(|next| Reverse((next, n)))).collect();
    let mut wanted = 0;
    while let Some(Reverse((number, n))) = order.pop() {
        if number > wanted {
            break;
        }
        // Up to where another part goes on.
        let other = order.peek().map_or(u64::MAX, |Reverse((next, _))| (*next).max(number + 1));
        for (cid, data) in take(&mut parts[n], other - number, limits, check)? {
            let part = &mut parts[n];
            if part.next() == Some(wanted) {
                wanted += 1;
                each(&cid, &data)?;
            }
            part.step();
        }
        order.extend(parts[n].next().map(|next| Reverse((next, n))));
    }
    if wanted == blocks && order.is_empty() {
        return Ok(());
    }
    let what = format_args!("section {wanted} of {blocks} is in no part");
    Err(Failure::new(Exit::Damaged, what))
}

/// Some sections of the run that a part is in.
fn take(part: &mut Open<'_>, max: u64, limits: &Limits, check: bool) -> Outcome<Vec<(Cid, Bytes)>> {
    let left = part.part.sections.get(part.run).map_or(0, |(_, count)| count - part.read);
    let input = Input::open(part.path.as_os_str(), &no_server())?;
    let mut cursor = Cursor::new(&input, limits.clone(), part.offset, part.part.bytes);
    let batch = cursor.batch(left.min(max), check)?;
    part.offset = cursor.offset;
    if batch.is_empty() { Err(part.damaged("it ends early")) } else { Ok(batch) }
}
