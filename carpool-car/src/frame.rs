use crate::{Error, Options, v2};

/// Where the CARv1 lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The header of the CARv2 that it is the data of.
    pub(crate) v2: Option<v2::Header>,
    /// Where it begins.
    pub(crate) start: u64,
    /// Where it ends; `u64::MAX` where that is not known.
    pub(crate) end: u64,
}

impl Frame {
    /// A CARv1 that is all of the file.
    pub(crate) const V1: Self = Self { v2: None, start: 0, end: u64::MAX };

    /// What the start of a file says. More bytes than `input` has to be asked for: those up to
    /// byte 51, where the file has them.
    pub(crate) fn read(input: &[u8], options: &Options) -> Result<Self, Error> {
        if !options.v2 {
            return Ok(Self::V1);
        }
        match input.strip_prefix(&v2::PRAGMA) {
            None => Ok(Self::V1),
            Some(rest) => {
                let header = rest.first_chunk().ok_or(Error::Truncated { offset: 11 })?;
                Self::of(v2::Header::decode_unchecked(header), options)
            }
        }
    }

    /// What a header says that was read behind a pragma.
    pub(crate) fn of(header: v2::Header, options: &Options) -> Result<Self, Error> {
        let (start, end) = match header.check() {
            Err(Error::Unfinalised) if options.unfinalised => (v2::DATA_OFFSET, u64::MAX),
            checked => checked.map(|()| (header.data_offset, header.data_end()))?,
        };
        Ok(Self { v2: Some(header), start, end })
    }

    /// How many of the `n` bytes from `offset` on belong to the data.
    #[inline]
    pub(crate) fn clamp(&self, offset: u64, n: usize) -> usize {
        let left = self.end.saturating_sub(offset);
        usize::try_from(left).map_or(n, |left| left.min(n))
    }

    /// What a header or section is called that begins at `offset`, needs `needed` bytes, and of
    /// which no more comes.
    pub(crate) fn incomplete(&self, offset: u64, needed: usize) -> Error {
        let data_end = self.end;
        if self.clamp(offset, needed) < needed {
            return Error::PastData { offset, data_end };
        }
        Error::Truncated { offset }
    }
}
