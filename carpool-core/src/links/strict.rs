use super::{Step, Unexpected, cbor::LINK, checked::MAX_NESTING};

/// How a link to a CID of 36 bytes begins: tag 42, 37 bytes, the prefix.
const USUAL_LINK: [u8; 5] = [0xd8, 0x2a, 0x58, 37, 0];
const USUAL_CID_BYTES: usize = 36;

/// Reads one item of DAG-CBOR that is all of `data`, and gives out its links.
pub(super) fn scan<'a>(
    data: &'a [u8],
    each: &mut impl FnMut(&'a [u8]) -> Step,
) -> Result<(), Unexpected> {
    let mut reader = Reader { data, at: 0, each };
    match reader.item(MAX_NESTING) {
        Ok(()) if reader.at == data.len() => Ok(()),
        Ok(()) => Err(Unexpected { offset: reader.at, expected: "the end of the block" }),
        Err(Halt::Stop) => Ok(()),
        Err(Halt::Wrong(unexpected)) => Err(unexpected),
    }
}

/// Why reading ends.
enum Halt {
    /// No more links are wanted.
    Stop,
    Wrong(Unexpected),
}

type Result<T, E = Halt> = core::result::Result<T, E>;

struct Reader<'a, 'f, F> {
    data: &'a [u8],
    at: usize,
    each: &'f mut F,
}

impl<'a, F: FnMut(&'a [u8]) -> Step> Reader<'a, '_, F> {
    /// Reads an item that may have `depth` containers inside each other.
    fn item(&mut self, depth: usize) -> Result<()> {
        if self.data[self.at..].starts_with(&USUAL_LINK) {
            return self.usual_link();
        }
        let start = self.at;
        let (major, value) = self.head()?;
        match major {
            0 | 1 => Ok(()),
            2 => self.take(value).map(drop),
            3 => self.text(value).map(drop),
            4 => self.array(value, depth),
            5 => self.map(value, depth),
            6 if value == 42 => self.link(),
            6 => Err(wrong(start, "tag 42")),
            _ => self.simple(start, value),
        }
    }

    fn array(&mut self, items: u64, depth: usize) -> Result<()> {
        for _ in 0..items {
            let depth = self.inside(depth)?;
            self.item(depth)?;
        }
        Ok(())
    }

    fn map(&mut self, entries: u64, depth: usize) -> Result<()> {
        let mut last = None;
        for _ in 0..entries {
            let depth = self.inside(depth)?;
            let start = self.at;
            let (3, len) = self.head()? else { return Err(wrong(start, "a string as a key")) };
            let key = self.text(len)?;
            if last.is_some_and(|last| order(last) >= order(key)) {
                return Err(wrong(start, "keys by length, then by bytes"));
            }
            last = Some(key);
            self.item(depth)?;
        }
        Ok(())
    }

    fn inside(&self, depth: usize) -> Result<usize> {
        depth.checked_sub(1).ok_or_else(|| wrong(self.at, "an item that is not nested as deep"))
    }

    #[inline]
    fn usual_link(&mut self) -> Result<()> {
        let start = self.at + 2;
        self.at += USUAL_LINK.len();
        let cid = self.take(USUAL_CID_BYTES as u64)?;
        self.give(cid, start)
    }

    fn link(&mut self) -> Result<()> {
        let start = self.at;
        let (2, len) = self.head()? else { return Err(wrong(start, LINK)) };
        match self.take(len)? {
            [0, cid @ ..] => self.give(cid, start),
            _ => Err(wrong(start, LINK)),
        }
    }

    #[inline]
    fn give(&mut self, cid: &'a [u8], start: usize) -> Result<()> {
        match (self.each)(cid) {
            Step::Next => Ok(()),
            Step::Stop => Err(Halt::Stop),
            Step::NoCid => Err(wrong(start, LINK)),
        }
    }

    /// Major type and argument, which is in its shortest form unless the type is 7.
    #[inline]
    fn head(&mut self) -> Result<(u8, u64)> {
        let first = *self.data.get(self.at).ok_or_else(|| wrong(self.at, "an item"))?;
        let (major, info) = (first >> 5, first & 0x1f);
        if info < 24 {
            self.at += 1;
            return Ok((major, info.into()));
        }
        self.long_head(major, info)
    }

    fn long_head(&mut self, major: u8, info: u8) -> Result<(u8, u64)> {
        let start = self.at;
        let width = match (major, info) {
            (7, 24..=26) => return Err(wrong(start, SIMPLE)),
            (_, 24..=27) => 1 << (info - 24),
            _ => return Err(wrong(start, "a definite length")),
        };
        self.at += 1;
        let value = self.take(width)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        let shorter = match width {
            _ if major == 7 => 0,
            1 => 24,
            _ => 1 << (4 * width),
        };
        if value < shorter { Err(wrong(start, "the shortest form")) } else { Ok((major, value)) }
    }

    #[inline]
    fn take(&mut self, len: u64) -> Result<&'a [u8]> {
        let rest = &self.data[self.at..];
        let taken = usize::try_from(len).ok().and_then(|len| rest.get(..len));
        let taken = taken.ok_or_else(|| wrong(self.at, "as many bytes as are claimed"))?;
        self.at += taken.len();
        Ok(taken)
    }

    fn text(&mut self, len: u64) -> Result<&'a str> {
        let start = self.at;
        core::str::from_utf8(self.take(len)?).map_err(|_| wrong(start, "UTF-8"))
    }

    /// `start` is where the head begins: a value of one byte, or the bits of a float.
    fn simple(&self, start: usize, value: u64) -> Result<()> {
        let good = if self.at - start == 1 {
            matches!(value, 20..=22)
        } else {
            let float = f64::from_bits(value);
            float.is_finite() && value != 1 << 63
        };
        if good { Ok(()) } else { Err(wrong(start, SIMPLE)) }
    }
}

const SIMPLE: &str = "false, true, null or a finite 64-bit float";

const fn wrong(offset: usize, expected: &'static str) -> Halt {
    Halt::Wrong(Unexpected { offset, expected })
}

const fn order(key: &str) -> (usize, &str) {
    (key.len(), key)
}
