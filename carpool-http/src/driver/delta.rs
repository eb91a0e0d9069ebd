use bytes::Bytes;
use carpool_core::{Block, Cid, Limits, Unverified, verify};
use carpool_delta::{Decoder, Encoder, Options, Output, Pairing, Sending};
use carpool_mirror::{SourceOutput, extension::MAX_HELD};
use carpool_store::BlockStore;

use super::{Arriving, READ_BLOCKS, Sent, SinkDriver, SourceDriver};
use crate::{Error, Result, body::Outgoing};

/// Blocks are hashed and stored together up to about this many bytes.
const BATCH_BYTES: usize = 1 << 20;

/// What both sides of a delta body know, in an order that both know: the CIDs that are wanted, then the
/// roots that the sink holds.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) wanted: Vec<Cid>,
    pub(crate) held: Vec<Cid>,
}

/// What a source knows of a delta body that it sends.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) common: Common,
    /// The root of the DAG.
    pub(crate) root: Cid,
    /// What the sink asked for beside the root: what lies above is there.
    pub(crate) asked: Vec<Cid>,
    /// Old blocks that the sink turned out not to have.
    pub(crate) lost: Vec<Cid>,
    /// Whether there may be nothing to send, and the body is to say so.
    pub(crate) is_share: bool,
}

/// What became of a delta body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// All of it was read, and every block in it came out.
    Whole,
    /// All of it was read, and what did not come out was against these old blocks, which are not here.
    But(Vec<Cid>),
    /// It is no delta body, or other blocks in it did not come out: they are to be asked for as they are.
    InPart,
}

impl Taken {
    /// Notes a block that did not come out, for an old block if that is known.
    fn note_lost(&mut self, base: Option<Cid>) {
        let mut lost = match std::mem::replace(self, Self::InPart) {
            Self::Whole => Vec::new(),
            Self::But(lost) => lost,
            Self::InPart => return,
        };
        let Some(base) = base else { return };
        if !lost.contains(&base) {
            lost.push(base);
        }
        if lost.len() <= MAX_HELD {
            *self = Self::But(lost);
        }
    }
}

/// Where what is sent belongs.
struct Places {
    /// The held root that is taken for what was at the root's place.
    before: Option<Cid>,
    pairing: Option<Pairing>,
    /// The nodes above the last block that was asked for, of which the encoder was told.
    above: Vec<Cid>,
    /// Old blocks that the sink turned out not to have.
    lost: Vec<Cid>,
}

impl<S: BlockStore> SourceDriver<S> {
    /// As [`send`](Self::send), as a delta body: blocks as what differs from those below the roots that
    /// the sink holds. The first of these that is here is taken for what was at the root's place.
    pub(crate) fn send_delta(
        &mut self,
        about: &About,
        limits: &Limits,
        outgoing: &mut Outgoing,
    ) -> Result<Sent> {
        let Common { wanted, held } = about.common.clone();
        let mut encoder = Encoder::new(wanted, held, limits, Options::default(), 0);
        let sent = self.send_encoded(about, limits, &mut encoder, outgoing);
        self.note_encoded(&encoder.counts());
        sent
    }

    fn send_encoded(
        &mut self,
        about: &About,
        limits: &Limits,
        encoder: &mut Encoder,
        outgoing: &mut Outgoing,
    ) -> Result<Sent> {
        let mut places = self.places(about, limits)?;
        let (mut sent, mut loads) = (Sent::default(), Vec::new());
        loop {
            match self.source.poll()? {
                Some(SourceOutput::Load(cid)) => loads.push(cid),
                Some(SourceOutput::Missing(cid)) => sent.lacks = sent.lacks.or(Some(cid)),
                Some(SourceOutput::Transmit(block)) => {
                    self.note_sent(&block);
                    sent.blocks += 1;
                    self.lead_to(&block, &mut places, encoder, outgoing)?;
                    let old = places.old_of(block.cid(), about.root);
                    encoder.handle_block(block, &old);
                    self.give_out(encoder, &places, outgoing)?;
                }
                Some(SourceOutput::EndRound) => break,
                None => self.answer(&mut loads)?,
            }
        }
        if sent.blocks > 0 || about.is_share {
            encoder.finish();
            self.give_out(encoder, &places, outgoing)?;
        }
        Ok(sent)
    }

    /// Goes through the old and the new DAG side by side.
    fn places(&self, about: &About, limits: &Limits) -> Result<Places> {
        let before = self.first_held(&about.common)?;
        let pairing = before.map(|before| {
            let asked = about.asked.iter().copied();
            Pairing::new(about.root, before, asked, limits, 0)
        });
        let mut places = Places { before, pairing, above: Vec::new(), lost: about.lost.clone() };
        let Some(pairing) = &mut places.pairing else { return Ok(places) };
        loop {
            let loads: Vec<Cid> = std::iter::from_fn(|| pairing.poll()).take(READ_BLOCKS).collect();
            if loads.is_empty() {
                return Ok(places);
            }
            for (cid, data) in loads.iter().zip(self.store.get_many(&loads)?) {
                pairing.handle_load(cid, data);
            }
        }
    }

    /// Tells the encoder of the nodes above a block that was asked for, as far as it does not know of
    /// them.
    fn lead_to(
        &self,
        block: &Block,
        places: &mut Places,
        encoder: &mut Encoder,
        outgoing: &mut Outgoing,
    ) -> Result<()> {
        let above = places.pairing.as_ref().map(|pairing| pairing.above(block.cid()));
        let Some(above) = above.filter(|above| !above.is_empty()) else { return Ok(()) };
        let known = above.iter().zip(&places.above).take_while(|(a, b)| a == b).count();
        for (depth, cid) in above.iter().enumerate().skip(known) {
            let Some(data) = self.store.get(cid)? else { break };
            let old = places.before.filter(|_| depth == 0);
            encoder.handle_known(Block::new_unchecked(*cid, data), old.as_slice());
            self.give_out(encoder, places, outgoing)?;
        }
        places.above = above;
        Ok(())
    }

    fn first_held(&self, common: &Common) -> Result<Option<Cid>> {
        let here = self.store.has_many(&common.held)?;
        Ok(common.held.iter().zip(here).find_map(|(cid, here)| here.then_some(*cid)))
    }

    /// Answers the encoder's look-ups and sends its bytes, until it takes the next block.
    fn give_out(
        &self,
        encoder: &mut Encoder,
        places: &Places,
        outgoing: &mut Outgoing,
    ) -> Result<()> {
        while let Some(sending) = encoder.poll() {
            match sending {
                Sending::Load(cid) if places.lost.contains(&cid) => encoder.handle_load(&cid, None),
                Sending::Load(cid) => encoder.handle_load(&cid, self.store.get(&cid)?),
                Sending::Data(data) => outgoing.send(data)?,
            }
        }
        Ok(())
    }
}

impl Places {
    /// The way down to what a block is held against, where that does not follow from what is above it.
    fn old_of(&self, cid: &Cid, root: Cid) -> Vec<Cid> {
        if *cid == root {
            return self.before.into_iter().collect();
        }
        self.pairing.as_ref().map_or_else(Vec::new, |pairing| pairing.like(cid))
    }
}

/// A delta body on its way in.
pub(crate) struct DeltaBody {
    incoming: Arriving,
    decoder: Decoder,
    left: u64,
    max: u64,
    ended: bool,
    /// Decoded, and not stored.
    batch: Vec<Decoded>,
    bytes: usize,
    /// How many blocks came out as others than they were named.
    wrong: u64,
    taken: Taken,
}

impl DeltaBody {
    pub(crate) fn new(incoming: Arriving, common: &Common, limits: &Limits) -> Self {
        let Common { wanted, held } = common.clone();
        Self {
            incoming,
            decoder: Decoder::new(wanted, held, limits, 0),
            left: limits.max_car_bytes,
            max: limits.max_car_bytes,
            ended: false,
            batch: Vec::new(),
            bytes: 0,
            wrong: 0,
            taken: Taken::Whole,
        }
    }

    /// Waits for a chunk.
    fn read(&mut self) -> Result<()> {
        match self.incoming.wait().transpose()? {
            Some(chunk) => self.take(chunk),
            None => {
                self.ended = true;
                self.decoder.handle_eof();
                Ok(())
            }
        }
    }

    fn take(&mut self, chunk: Bytes) -> Result<()> {
        let len = chunk.len() as u64;
        self.left = self.left.checked_sub(len).ok_or(Error::TooLarge { max: self.max })?;
        self.decoder.handle_data(chunk);
        Ok(())
    }

    fn push(&mut self, decoded: Decoded) {
        self.bytes += match &decoded {
            Decoded::Named(block) => block.data.len(),
            Decoded::Hashed(block) => block.data().len(),
        };
        self.batch.push(decoded);
    }
}

enum Decoded {
    Named(Unverified),
    Hashed(Block),
}

impl DeltaBody {
    /// As [`SinkDriver::receive_delta`] for a sink that is elsewhere: blocks go to `give`, which says whether there is
    /// somebody to take them. A base is only what lies below the old roots: `base` reads those.
    pub(crate) fn receive(
        &mut self,
        mut base: impl FnMut(&Cid) -> Result<Option<Bytes>>,
        mut give: impl FnMut(Vec<Block>) -> bool,
    ) -> Result<()> {
        loop {
            match self.decoder.poll() {
                Ok(Some(Output::Load { cid, below_held })) => {
                    let data = if below_held { base(&cid)? } else { None };
                    self.decoder.handle_load(&cid, data);
                }
                Ok(Some(Output::Block(block))) => self.push(Decoded::Named(block)),
                Ok(Some(Output::Hashed(block))) => self.push(Decoded::Hashed(block)),
                // It is wanted still, and asked for by name.
                Ok(Some(Output::Lost { .. })) => {}
                Ok(None) if self.ended => return self.give_batch(&mut give).map(drop),
                Ok(None) => self.read()?,
                Err(error) => {
                    tracing::debug!(%error, "delta body");
                    return self.give_batch(&mut give).map(drop);
                }
            }
            if self.decoder.decoded() > self.max {
                return Err(Error::TooLarge { max: self.max });
            }
            if self.bytes >= BATCH_BYTES && !self.give_batch(&mut give)? {
                return Ok(());
            }
        }
    }

    fn give_batch(&mut self, give: &mut impl FnMut(Vec<Block>) -> bool) -> Result<bool> {
        self.bytes = 0;
        let mut good = Vec::with_capacity(self.batch.len());
        for block in verified(std::mem::take(&mut self.batch)) {
            match block {
                Ok(block) => good.push(block),
                Err(error) => {
                    self.wrong += 1;
                    if self.wrong > MAX_WRONG {
                        return Err(error.into());
                    }
                }
            }
        }
        Ok(give(good))
    }

    pub(crate) fn counts(&self) -> carpool_delta::Counts {
        self.decoder.counts()
    }
}

/// Hashes those that were not, together, and gives all in their order.
fn verified(
    batch: Vec<Decoded>,
) -> impl Iterator<Item = std::result::Result<Block, carpool_core::Error>> {
    let (mut named, mut order) = (Vec::new(), Vec::new());
    for decoded in batch {
        match decoded {
            Decoded::Named(block) => {
                named.push(block);
                order.push(None);
            }
            Decoded::Hashed(block) => order.push(Some(block)),
        }
    }
    let mut verdicts = verify(named).into_iter();
    order.into_iter().filter_map(move |hashed| hashed.map(Ok).or_else(|| verdicts.next()))
}

impl<S: BlockStore> SinkDriver<S> {
    /// Takes one delta body to its end. Blocks that came before a fault are kept, and what it is in is
    /// no fault of the transfer: it can be asked for as it is.
    pub(crate) fn receive_delta(&mut self, body: &mut DeltaBody) -> Result<Taken> {
        let taken = self.receive_decoded(body).and_then(|()| self.settle_batch(body));
        self.note_encoded(&body.decoder.counts());
        let stored = self.store_pending();
        taken.and(stored).map(|()| body.taken.clone())
    }

    fn receive_decoded(&mut self, body: &mut DeltaBody) -> Result<()> {
        loop {
            match body.decoder.poll() {
                Ok(Some(Output::Load { cid, below_held })) => {
                    self.load_base(&cid, below_held, body)?
                }
                Ok(Some(Output::Block(block))) => body.push(Decoded::Named(block)),
                Ok(Some(Output::Hashed(block))) => body.push(Decoded::Hashed(block)),
                Ok(Some(Output::Lost { base, .. })) => body.taken.note_lost(base),
                Ok(None) if body.ended => return Ok(()),
                Ok(None) => body.read()?,
                Err(error) => {
                    tracing::debug!(%error, "delta body");
                    body.taken = Taken::InPart;
                    return Ok(());
                }
            }
            if body.decoder.decoded() > body.max {
                // Ten bytes can stand for a block.
                return Err(Error::TooLarge { max: body.max });
            }
            if body.bytes >= BATCH_BYTES {
                self.settle_batch(body)?;
            }
        }
    }

    /// Only what is known to lie below the old roots, or below the root that is transferred, is a base: a
    /// peer that names other blocks is answered as if they were not here.
    fn load_base(&mut self, cid: &Cid, below_held: bool, body: &mut DeltaBody) -> Result<()> {
        let known = |driver: &mut Self| below_held || driver.sink().holds(cid);
        if !known(self) {
            // It may have come a moment ago.
            self.settle_batch(body)?;
        }
        let data = if known(self) { self.find(cid)? } else { None };
        body.decoder.handle_load(cid, data);
        Ok(())
    }

    /// Hashes and takes what was decoded. A block that came out wrong is missing still.
    fn settle_batch(&mut self, body: &mut DeltaBody) -> Result<()> {
        body.bytes = 0;
        for block in verified(std::mem::take(&mut body.batch)) {
            match block {
                Ok(block) => self.receive_block(block)?,
                Err(error) => {
                    body.taken = Taken::InPart;
                    body.wrong += 1;
                    if body.wrong > MAX_WRONG {
                        return Err(error.into());
                    }
                }
            }
        }
        Ok(())
    }
}

/// Blocks of a body that may come out wrong before its sender is given up.
const MAX_WRONG: u64 = 1024;
