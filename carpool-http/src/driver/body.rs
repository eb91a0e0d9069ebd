use bytes::Bytes;
use carpool_car::{Decoder, Item, Section};
use carpool_core::{Cid, Limits, Unverified};
use tokio::sync::mpsc;

use crate::{
    Error, Result,
    coding::{Coding, Decoded, decoded},
};

/// Chunks of a body that wait between network and machine.
pub(crate) const CHANNEL_CHUNKS: usize = 8;

/// Chunks are decoded, and their blocks hashed, together up to this many bytes.
const RECEIVE_BYTES: usize = 1 << 20;

/// Chunks of a body as they arrive: an error, or silence, is a cut.
pub(crate) type Incoming = mpsc::Receiver<std::result::Result<Bytes, Error>>;

/// A body as it is, or in a coding.
pub(crate) enum Arriving {
    Plain(Incoming),
    Coded(Box<Decoded>),
}

impl Arriving {
    /// # Errors
    /// Where there is no memory.
    pub(crate) fn new(incoming: Incoming, coding: Option<Coding>) -> Result<Self> {
        Ok(match coding {
            Some(coding) => Self::Coded(Box::new(decoded(coding, incoming)?)),
            None => Self::Plain(incoming),
        })
    }

    /// The next bytes without their coding, or `None` at the end. Blocks.
    pub(super) fn wait(&mut self) -> Option<Result<Bytes>> {
        match self {
            Self::Plain(incoming) => incoming.blocking_recv(),
            Self::Coded(decoded) => decoded.next().transpose(),
        }
    }

    /// What is there already. Of what is in a coding nobody knows what that is.
    fn try_next(&mut self) -> Result<Result<Bytes>, mpsc::error::TryRecvError> {
        match self {
            Self::Plain(incoming) => incoming.try_recv(),
            Self::Coded(_) => Err(mpsc::error::TryRecvError::Empty),
        }
    }
}

/// A CAR body on its way in.
pub(crate) struct Body {
    incoming: Arriving,
    decoder: Decoder,
    roots: Option<Vec<Cid>>,
    left: u64,
    max: u64,
    ended: bool,
    /// What broke the body off behind the chunks that were taken.
    fault: Option<Error>,
    /// What is wrong with the CAR behind the sections that were given out.
    decoding: Option<carpool_car::Error>,
}

impl Body {
    /// The limits hold for what comes out of the body's coding.
    pub(crate) fn new(incoming: Arriving, limits: &Limits) -> Self {
        Self {
            incoming,
            decoder: Decoder::new(limits),
            roots: None,
            left: limits.max_car_bytes,
            max: limits.max_car_bytes,
            ended: false,
            fault: None,
            decoding: None,
        }
    }

    /// The roots of the header, which has to come first.
    pub(crate) fn roots(&mut self) -> Result<Vec<Cid>> {
        while self.roots.is_none() {
            match self.decoder.poll()? {
                Some(Item::Header(header)) => self.roots = Some(header.roots),
                Some(Item::Section(_) | Item::Behind(_)) => {
                    unreachable!("the header comes first")
                }
                None => self.read()?,
            }
        }
        Ok(self.roots.clone().unwrap_or_default())
    }

    /// All whole sections of what has arrived, at least one; `None` at the end of the CAR.
    pub(crate) fn next_sections(&mut self) -> Result<Option<Vec<Unverified>>> {
        self.roots()?;
        if let Some(fault) = self.decoding.take() {
            return Err(fault.into());
        }
        let mut batch = Vec::new();
        loop {
            let decoded = self.decode(&mut batch);
            match decoded {
                Err(fault) if batch.is_empty() => return Err(fault.into()),
                // Whole sections in front of the fault count.
                decoded => self.decoding = decoded.err(),
            }
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
            if self.ended {
                return Ok(None);
            }
            self.read()?;
        }
    }

    /// Whole sections of what has arrived, and the fault behind them.
    fn decode(&mut self, batch: &mut Vec<Unverified>) -> Result<(), carpool_car::Error> {
        while let Some(item) = self.decoder.poll()? {
            if let Item::Section(Section { cid, data, .. }) = item {
                batch.push(Unverified { cid, data });
            }
        }
        Ok(())
    }

    /// Waits for a chunk, and takes those that wait behind it. A fault behind them is told once
    /// they were looked at.
    pub(super) fn read(&mut self) -> Result<()> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let mut next = self.incoming.wait();
        let mut taken = 0;
        while let Some(chunk) = next {
            match chunk.and_then(|chunk| self.take(chunk)) {
                Ok(bytes) => taken += bytes,
                Err(fault) if taken == 0 => return Err(fault),
                Err(fault) => {
                    self.fault = Some(fault);
                    return Ok(());
                }
            }
            if taken >= RECEIVE_BYTES {
                return Ok(());
            }
            next = match self.incoming.try_next() {
                Ok(chunk) => Some(chunk),
                Err(mpsc::error::TryRecvError::Empty) => return Ok(()),
                Err(mpsc::error::TryRecvError::Disconnected) => None,
            };
        }
        self.ended = true;
        self.decoder.handle_eof();
        Ok(())
    }

    pub(super) fn take(&mut self, chunk: Bytes) -> Result<usize> {
        let len = chunk.len();
        self.left = self.left.checked_sub(len as u64).ok_or(Error::TooLarge { max: self.max })?;
        self.decoder.handle_data(chunk);
        Ok(len)
    }
}
