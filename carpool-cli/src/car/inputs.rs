//! Several CARs, one after another.

use carpool_car::Section;
use carpool_core::{Cid, IDENTITY, Multihash, codec::RAW};
use clap::Args;
use std::ffi::OsString;

use super::{
    args::ReadFlags,
    input::Input,
    scan::{Event, Scan},
    target::Target,
};
use crate::{
    args::ServerFlags,
    failure::{Exit, Failure, Outcome},
    output::Output,
};

/// What becomes of several CARs, and how they are read.
#[derive(Debug, Args)]
pub(crate) struct JoinFlags {
    /// The CAR to make; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) output: OsString,
    /// Version of the CAR that is made: 1, or 2 with an index
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) version: u8,
    /// Copy without hashing
    #[arg(long)]
    pub(crate) trust: bool,
    #[command(flatten)]
    pub(crate) read: ReadFlags,
}

/// CARs by their names. Files are open while they are read and not before: there may be more of
/// them than a process may have open.
pub(super) struct Inputs<'a> {
    names: &'a [OsString],
    /// What came through a pipe.
    piped: Option<Input>,
    server: &'a ServerFlags,
    output: &'a Output,
}

impl<'a> Inputs<'a> {
    /// Refused where the output is one of them.
    pub(super) fn new(
        names: &'a [OsString],
        flags: &'a JoinFlags,
        notes: &'a Output,
    ) -> Outcome<Self> {
        if names.iter().filter(|name| *name == "-").count() > 1 {
            return Err(Failure::new(Exit::Usage, "standard input can be read once"));
        }
        let mut inputs = Self { names, piped: None, server: &flags.read.server, output: notes };
        for name in names {
            let input = Input::open(name, inputs.server)?;
            Target::refuse(&flags.output, &input)?;
            if !input.is_seekable() && name == "-" {
                inputs.piped = Some(input.seekable(|note| notes.note(note))?);
            }
        }
        Ok(inputs)
    }

    /// Calls `each` with every one, in their order.
    pub(super) fn each(&self, mut each: impl FnMut(&Input) -> Outcome) -> Outcome {
        for name in self.names {
            match &self.piped {
                Some(piped) if name == "-" => self.metered(piped, &mut each)?,
                _ => self.metered(&Input::open(name, self.server)?, &mut each)?,
            }
        }
        Ok(())
    }

    fn metered(&self, input: &Input, each: &mut impl FnMut(&Input) -> Outcome) -> Outcome {
        let meter = input.meter(self.output);
        let done = each(input);
        drop(meter);
        done
    }

    /// The roots that the headers name, file by file.
    pub(super) fn roots(&self, scan: Scan<'_>) -> Outcome<Vec<Vec<Cid>>> {
        let mut roots = Vec::new();
        self.each(|input| {
            roots.push(scan.header(input).map_err(|error| named(input, error))?.roots);
            Ok(())
        })?;
        Ok(roots)
    }
}

/// Calls `each` with every section of `input`. A block that is not what its CID says fails, and so
/// does a file that cannot be read to its end.
pub(super) fn each_section(
    scan: Scan<'_>,
    input: &Input,
    mut each: impl FnMut(Section) -> Outcome,
) -> Outcome {
    scan.run(input, |event| match event {
        Event::Header(_) => Ok(()),
        Event::Fault(fault) => Err(named(input, fault.into())),
        Event::Block(found) => match found.wrong {
            None => each(found.section),
            Some(wrong) => {
                let at = found.section.offset;
                let what = format_args!("{}: section at byte {at}: {wrong}", input.shown());
                Err(Failure::new(Exit::Damaged, what))
            }
        },
    })
}

fn named(input: &Input, failure: Failure) -> Failure {
    Failure::new(failure.exit, format_args!("{}: {failure}", input.shown()))
}

/// Roots for a header: the empty identity CID where there is none, since the format wants one.
pub(super) fn some_root(roots: Vec<Cid>, output: &Output) -> Vec<Cid> {
    if !roots.is_empty() {
        return roots;
    }
    let root = no_root();
    output.note(format_args!("there is no root; the header names the empty block {root}"));
    vec![root]
}

/// `bafkqaaa`, the empty block in its CID.
pub(super) fn no_root() -> Cid {
    let hash = Multihash::wrap(IDENTITY, &[]).expect("nothing fits into 64 bytes");
    Cid::new_v1(RAW, hash)
}
