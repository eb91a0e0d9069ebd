//! `car get-block`: one block out of a CAR, by its index or by reading on, always hashed.

use carpool_car::index::{IndexLimits, Key, Lookup, LookupOutput};
use carpool_core::{Bytes, Cid, Unverified, cid_prefix, identity_data, verify};
use clap::Args;
use serde_json::json;
use std::ffi::OsString;

use super::{
    args::ReadFlags,
    heads::Heads,
    input::Input,
    links::section_at,
    scan::{Event, Opening, Scan},
    target::Target,
};
use crate::{
    failure::{Exit, Failure, Outcome},
    output::Output,
};

/// What is read of an index at once: less from a file than from a server.
const REMOTE_PAGE: usize = 32 << 10;

/// Write one block of a CAR.
#[derive(Debug, Args)]
#[command(after_help = "\
A block is found by its multihash, as go-car does, and it is always hashed. An index that is in
the file is searched without being loaded; where it is wrong, that is said, and the sections are
read one after another.

Examples:
  carpool car get-block site.car bafy…  > block
  carpool car get-block https://host/site.v2.car bafy… block")]
pub(crate) struct GetBlockArgs {
    /// The CAR: a file, `-` for standard input, or an http(s) URL
    file: OsString,
    /// The block's CID
    #[arg(value_parser = crate::args::parse_cid)]
    cid: Cid,
    /// Where the block goes
    #[arg(default_value = "-")]
    out: OsString,
    /// Do not use the index
    #[arg(long)]
    no_index: bool,
    #[command(flatten)]
    read: ReadFlags,
}

pub(super) fn run(args: &GetBlockArgs, output: &Output) -> Outcome {
    if args.out == "-" {
        output.leave_to_data()?;
    }
    let input = Input::open(&args.file, &args.read.server)?;
    let found = match identity_data(&args.cid) {
        Some(data) => Place { offset: None, data: Bytes::copy_from_slice(data) },
        None => Search { args, input: &input, output, damaged: None }.block()?,
    };
    let mut target = Target::create(&args.out, &[&input])?;
    target.write(&found.data)?;
    target.commit()?;
    if args.out != "-" {
        let (cid, shown) = (args.cid.to_string(), args.out.to_string_lossy());
        let value = json!({
            "cid": cid, "output": shown, "bytes": found.data.len(), "data_offset": found.offset,
        });
        output.result(&value, format_args!("{shown}: {} bytes", found.data.len()));
    }
    Ok(())
}

/// A block that is right, and where its bytes are in the file.
struct Place {
    offset: Option<u64>,
    data: Bytes,
}

struct Search<'a> {
    args: &'a GetBlockArgs,
    input: &'a Input,
    output: &'a Output,
    /// A section of the block whose bytes are wrong begins here.
    damaged: Option<u64>,
}

impl Search<'_> {
    fn block(mut self) -> Outcome<Place> {
        let found = if self.input.is_seekable() { self.at_random()? } else { self.in_stream()? };
        if let Some(found) = found {
            return Ok(found);
        }
        let (cid, shown) = (&self.args.cid, self.input.shown());
        Err(match self.damaged {
            Some(at) => {
                let what = format_args!("{shown}: the bytes of {cid} at byte {at} are damaged");
                Failure::new(Exit::Damaged, what)
            }
            None => {
                Failure::new(Exit::Incomplete, format_args!("{shown}: block {cid} is not there"))
            }
        })
    }

    fn at_random(&mut self) -> Outcome<Option<Place>> {
        let opening = Scan { read: &self.args.read, verify: false }.opening(self.input)?;
        let index = opening.index_offset().filter(|_| !self.args.no_index);
        if let Some(index) = index {
            match self.by_index(&opening, index)? {
                Ok(found) => return Ok(Some(found)),
                Err(why) => self.output.warn(format_args!(
                    "{}: the index {why}; reading all sections",
                    self.input.shown()
                )),
            }
        }
        self.by_heads()
    }

    /// What the index leads to, or what is wrong with it.
    fn by_index(&mut self, opening: &Opening, start: u64) -> Outcome<Result<Place, String>> {
        let key = Key::cid(&self.args.cid);
        let mut lookup = Lookup::new(key, start, &IndexLimits::default());
        if self.input.metadata().is_none() {
            lookup = lookup.page_bytes(REMOTE_PAGE);
        }
        let mut why = "does not have the block".to_owned();
        loop {
            match lookup.poll() {
                Ok(LookupOutput::ReadAt(read)) => {
                    let bytes = self.input.read_at(read.offset, read.len)?;
                    lookup.handle_read(bytes.into());
                }
                Ok(LookupOutput::Found(found)) => {
                    let offset = found.entry.offset();
                    match self.section(opening.data_offset.checked_add(offset))? {
                        Some(place) => return Ok(Ok(place)),
                        None => why = format!("is wrong: the block is not at {offset}"),
                    }
                }
                Ok(LookupOutput::Done) => return Ok(Err(why)),
                Err(error) => return Ok(Err(format!("is malformed ({error})"))),
            }
        }
    }

    /// The block of the section that begins at byte `at` of the file, if it is the one.
    fn section(&mut self, at: Option<u64>) -> Outcome<Option<Place>> {
        let Some(at) = at else { return Ok(None) };
        let Some((cid, data)) = section_at(self.input, at, &self.args.read)? else {
            return Ok(None);
        };
        if cid.hash() != self.args.cid.hash() {
            return Ok(None);
        }
        let head = carpool_car::section_prefix(&cid, data.len()).as_ref().len() as u64;
        Ok(self.checked(at, at + head, data.into()))
    }

    fn checked(&mut self, at: u64, data_offset: u64, data: Bytes) -> Option<Place> {
        let claim = Unverified { cid: self.args.cid, data };
        let [verdict] = <[_; 1]>::try_from(verify(vec![claim])).ok()?;
        match verdict {
            Ok(block) => Some(Place { offset: Some(data_offset), data: block.into_parts().1 }),
            Err(_) => {
                self.damaged.get_or_insert(at);
                None
            }
        }
    }

    fn by_heads(&mut self) -> Outcome<Option<Place>> {
        let mut heads = Heads::open(self.input, &self.args.read)?;
        let cid = self.args.cid;
        let digest = cid.hash().digest();
        let wanted = |bytes: &[u8]| bytes.ends_with(digest) && same_hash(bytes, &cid);
        while let Some(found) = heads.find(wanted)? {
            let len = usize::try_from(found.len).unwrap_or(usize::MAX);
            let (at, offset) = (found.data_offset - found.cid_len as u64, found.data_offset);
            let data = self.input.read_at(offset, len)?;
            if let Some(place) = self.checked(at, offset, data.into()) {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn in_stream(&mut self) -> Outcome<Option<Place>> {
        let (args, input) = (self.args, self.input);
        let mut found = None;
        Scan { read: &args.read, verify: false }.run(input, |event| match event {
            Event::Fault(fault) if found.is_none() => Err(fault.into()),
            Event::Block(block)
                if found.is_none() && block.section.cid.hash() == args.cid.hash() =>
            {
                let section = block.section;
                found = self.checked(section.offset, section.data_offset, section.data);
                Ok(())
            }
            Event::Header(_) | Event::Block(_) | Event::Fault(_) => Ok(()),
        })?;
        Ok(found)
    }
}

fn same_hash(bytes: &[u8], cid: &Cid) -> bool {
    cid_prefix(bytes).is_ok_and(|(other, _)| other.hash() == cid.hash())
}
