//! `carpool car split`: a CAR in parts that are CARs, and a manifest.

use carpool_car::{header, section_len, section_prefix};
use carpool_core::{Cid, CidSet};
use carpool_hash::Hasher;
use clap::Args;
use serde_json::json;
use std::{
    ffi::OsString,
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{
    args::ReadFlags,
    cursor::Cursor,
    input::Input,
    inputs::{each_section, no_root},
    manifest::{Manifest, Part, raw_cid},
    scan::Scan,
    subgraphs,
    target::Target,
};
use crate::{
    failure::{Failure, Outcome},
    files::beside,
    interrupt::Leftover,
    output::{Output, size},
    remote::random_seed,
};

/// Take a CAR apart into CARs of a size, or by the DAGs below its roots.
///
/// Every part is a CARv1 with a header of its own: the roots of the CAR that are in it, or else its
/// first block. A manifest PREFIX.json lists the parts; `carpool car merge` makes the CAR of it
/// again, with the same roots and the same order of blocks.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  carpool car split site.car --size 100MiB -o parts/site     parts/site-00001.car …
  carpool car split site.car --subgraph --size 1GiB -o parts/site
  carpool car merge -o site.car parts/site.json")]
pub(crate) struct SplitArgs {
    /// The CAR, of either version; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: OsString,
    /// Bytes of a part at most, such as 100MiB. A section that is larger is a part of its own, and
    /// so is the DAG of a child with --subgraph
    #[arg(long, value_name = "SIZE", value_parser = parse_size, required_unless_present = "subgraph")]
    pub(crate) size: Option<u64>,
    /// Keep the DAG below each child of a root together; without --size each child has a part
    #[arg(long)]
    pub(crate) subgraph: bool,
    /// Folder and front of the parts' names
    #[arg(short, long, value_name = "PREFIX")]
    pub(crate) output: PathBuf,
    /// Copy without hashing
    #[arg(long)]
    pub(crate) trust: bool,
    #[command(flatten)]
    pub(crate) read: ReadFlags,
}

/// A number of bytes: `1000`, `64KiB`, `100MiB`, `1GiB`, `5MB`.
fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err("a number of bytes, or one with KiB, MiB or GiB behind it".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "no number of bytes".to_owned())?;
    number.checked_mul(scale).filter(|size| *size > 0).ok_or_else(|| "no such size".to_owned())
}

/// What a part consists of.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) roots: Vec<Cid>,
    /// Sections: the number of the first one and how many follow each other.
    pub(super) sections: Vec<(u64, u64)>,
    /// The same as bytes of the file: from, to.
    pub(super) ranges: Vec<(u64, u64)>,
}

impl Plan {
    /// Adds the section that comes next in the file among those of this part.
    pub(super) fn push(&mut self, number: u64, offset: u64, end: u64) {
        match self.sections.last_mut() {
            Some((first, count)) if *first + *count == number => *count += 1,
            _ => self.sections.push((number, 1)),
        }
        match self.ranges.last_mut() {
            Some((_, to)) if *to == offset => *to = end,
            _ => self.ranges.push((offset, end)),
        }
    }
}

pub(super) fn run(args: &SplitArgs, output: &Output) -> Outcome {
    let input = Input::open(&args.file, &args.read.server)?.seekable(|note| output.note(note))?;
    let meter = input.meter(output);
    let scan = Scan { read: &args.read, verify: false };
    let (mut manifest, plans) = if args.subgraph {
        subgraphs::plan(scan, &input, args.size)?
    } else {
        by_size(scan, &input, args.size.unwrap_or(u64::MAX))?
    };
    let mut files = Vec::new();
    for (n, plan) in (1..).zip(&plans) {
        let (part, file) = write_part(args, &input, plan, n)?;
        manifest.parts.push(part);
        files.push(file);
    }
    drop(meter);
    for (part, file) in manifest.parts.iter().zip(files) {
        file.appear()?;
        let (name, bytes) = (&part.name, part.bytes);
        let line = format!("{name}: {} blocks, {}", part.blocks, size(bytes));
        output.result(&part.to_json(), line);
    }
    write_manifest(args, &input, &manifest, output)
}

/// Begins the manifest; `hasher` gets what `merge` will write.
pub(super) fn begin(roots: &[Cid]) -> (Manifest, Hasher) {
    let header = header(roots);
    let mut hasher = Hasher::new();
    hasher.update(&header);
    let manifest =
        Manifest { roots: roots.to_vec(), bytes: header.len() as u64, ..Manifest::default() };
    (manifest, hasher)
}

fn by_size(scan: Scan<'_>, input: &Input, max: u64) -> Outcome<(Manifest, Vec<Plan>)> {
    let opening = scan.opening(input)?;
    let (mut manifest, mut hasher) = begin(&opening.header.roots);
    let (mut plans, mut plan, mut bytes) = (Vec::new(), Plan::default(), 0);
    let mut roots = CidSet::with_seed(random_seed());
    manifest.roots.iter().for_each(|root| {
        roots.insert(root);
    });
    let mut first = None;
    each_section(scan, input, |section| {
        let (cid, data) = (&section.cid, &section.data);
        hasher.update(section_prefix(cid, data.len()));
        hasher.update(data);
        let len = section_len(cid, data.len()) as u64;
        let is_root = roots.contains(cid) && !plan.roots.contains(cid);
        let header_len = |plan: &Plan, first: Option<Cid>| {
            let mut roots = plan.roots.clone();
            roots.extend(is_root.then_some(*cid));
            if roots.is_empty() {
                roots.push(first.unwrap_or(*cid));
            }
            header(&roots).len() as u64
        };
        if !plan.sections.is_empty() && header_len(&plan, first) + bytes + len > max {
            plans.push(finish(std::mem::take(&mut plan), first.take()));
            bytes = 0;
        }
        if roots.contains(cid) && !plan.roots.contains(cid) {
            plan.roots.push(*cid);
        }
        first = first.or(Some(*cid));
        let at = opening.data_offset + section.offset;
        plan.push(manifest.blocks, at, at + len);
        (bytes, manifest.blocks) = (bytes + len, manifest.blocks + 1);
        manifest.bytes += len;
        Ok(())
    })?;
    if !plan.sections.is_empty() || plans.is_empty() {
        plans.push(finish(plan, first));
    }
    manifest.cid = raw_cid(hasher);
    Ok((manifest, plans))
}

/// A header names a root: the first block where no other one is known.
pub(super) fn finish(mut plan: Plan, first: Option<Cid>) -> Plan {
    if plan.roots.is_empty() {
        plan.roots.push(first.unwrap_or_else(no_root));
    }
    plan
}

/// A part that does not have its name yet.
struct PartFile {
    part: Leftover,
    path: PathBuf,
}

impl PartFile {
    fn create(path: PathBuf) -> Outcome<(Self, File)> {
        let part = Leftover::new(beside(&path, "part")?);
        let file =
            File::create(part.path()).map_err(|error| Failure::io(path.display(), &error))?;
        Ok((Self { part, path }, file))
    }

    fn appear(self) -> Outcome {
        let renamed = fs::rename(self.part.path(), &self.path);
        renamed.map_err(|error| Failure::io(self.path.display(), &error))
    }
}

fn path(prefix: &Path, rest: &str) -> PathBuf {
    let mut name = prefix.as_os_str().to_owned();
    name.push(rest);
    name.into()
}

fn write_part(args: &SplitArgs, input: &Input, plan: &Plan, n: usize) -> Outcome<(Part, PartFile)> {
    let path = path(&args.output, &format!("-{n:05}.car"));
    Target::refuse(path.as_os_str(), input)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| Failure::io(path.display(), &error);
    let (file, out) = PartFile::create(path.clone())?;
    let mut out = BufWriter::with_capacity(1 << 20, out);
    let (mut part, mut hasher) = (Part { name, ..Part::default() }, Hasher::new());
    let mut write = |bytes: &[u8], part: &mut Part| {
        hasher.update(bytes);
        part.bytes += bytes.len() as u64;
        out.write_all(bytes).map_err(failed)
    };
    write(&header(&plan.roots), &mut part)?;
    for (from, to) in &plan.ranges {
        let mut cursor = Cursor::new(input, args.read.limits(), *from, *to);
        loop {
            let batch = cursor.batch(u64::MAX, !args.trust)?;
            if batch.is_empty() {
                break;
            }
            for (cid, data) in batch {
                write(section_prefix(&cid, data.len()).as_ref(), &mut part)?;
                write(&data, &mut part)?;
            }
        }
    }
    (part.cid, part.roots) = (raw_cid(hasher), plan.roots.clone());
    part.blocks = plan.sections.iter().map(|(_, count)| count).sum();
    part.sections.clone_from(&plan.sections);
    let out = out.into_inner().map_err(|error| failed(error.into_error()))?;
    out.sync_all().map_err(failed)?;
    Ok((part, file))
}

/// The manifest comes last: where it is, all parts are.
fn write_manifest(
    args: &SplitArgs,
    input: &Input,
    manifest: &Manifest,
    output: &Output,
) -> Outcome {
    let path = path(&args.output, ".json");
    let mut target = Target::create(path.as_os_str(), &[input])?;
    target.write(format!("{:#}\n", manifest.to_json()).as_bytes())?;
    target.commit()?;
    let (shown, parts) = (path.display().to_string(), manifest.parts.len());
    let value = json!({"manifest": shown, "parts": parts, "blocks": manifest.blocks});
    output.result(&value, format_args!("{shown}: {parts} parts"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let table =
            [("7", 7), ("64KiB", 65536), ("1MiB", 1 << 20), ("5mb", 5_000_000), ("2 g", 2 << 30)];
        for (text, size) in table {
            assert_eq!(parse_size(text), Ok(size));
        }
        for text in ["", "0", "KiB", "1x", "-1", "99999999999999999999", "99999999999TiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
