use carpool_core::Cid;
use carpool_mirror::{
    Outcome, Status,
    extension::{self, Offer},
    sketch::MAX_MESSAGES,
};

use super::{End, Pair};
use crate::{
    Direction, Failure,
    message::{self, Dialect},
    sender::{Sending, Sketched},
    taker::Asked,
};

impl Pair {
    pub(super) fn begin_push(&mut self) -> Result<(), Failure> {
        self.connect();
        self.report.rounds += 1;
        self.sending = true;
        let Offer { ask: step, keeps_filter, cells, .. } =
            self.sender.offer(&self.question).unwrap_or_default();
        self.taker.begin_push(Asked { step, keeps_filter, cells })
    }

    /// The source's side of the network, as far as there is room.
    pub(super) fn send(&mut self) -> Result<(), Failure> {
        while self.sending && self.blocks.has_room() {
            match self.sender.poll()? {
                Some(Sending::Bytes(bytes)) => {
                    self.report.body_bytes += bytes.len() as u64;
                    self.record(&bytes);
                    self.blocks.handle_packet(self.clock.now(), bytes);
                }
                Some(Sending::End) | None => {
                    self.sending = false;
                    self.blocks.handle_end(self.clock.now());
                }
            }
        }
        Ok(())
    }

    /// A whole message from the sink.
    pub(super) fn at_source(&mut self) -> Result<(), Failure> {
        let message = std::mem::take(&mut self.message);
        if self.extended {
            return self.extended_at_source(message);
        }
        let status = message::decode(Dialect::Spec, self.kind(), &message, &self.setup.limits);
        let status = status.map_err(Failure::Message)?;
        match self.setup.direction {
            Direction::Pull => {
                let memory = self.sender.resume();
                self.taker.remembered(memory);
                self.sending = true;
                self.sender.handle_request(status)
            }
            Direction::Push => self.push_on(status),
        }
    }

    /// The client's side of a push: on until the server wants nothing, or the same again.
    fn push_on(&mut self, status: Status) -> Result<(), Failure> {
        let rounds = self.report.rounds;
        if status.want.is_empty() {
            self.end = Some(End::Complete);
            return Ok(());
        }
        if status.want == self.wanted_before || rounds >= self.setup.limits.max_rounds {
            let missing = status.want.len() as u64;
            self.end = Some(End::Incomplete(Outcome { missing, named: status.want, rounds }));
            return Ok(());
        }
        self.wanted_before.clone_from(&status.want);
        self.sender.handle_status(status)?;
        self.begin_push()
    }

    fn extended_at_source(&mut self, message: Vec<u8>) -> Result<(), Failure> {
        let (limits, seed) = (&self.setup.limits, self.setup.seed);
        let asked = extension::Asked::decode(message, limits, seed)?;
        if self.setup.direction == Direction::Push {
            return self.push_on_as_asked(asked);
        }
        self.sender.renew();
        let begun = match self.take_cells(asked) {
            Err(failure) => Err(failure),
            Ok(Ok(asked)) => self.sender.handle_asked(asked),
            Ok(Err(Sketched::GaveUp)) => {
                self.report.refusals += 1;
                self.taker.refuse();
                return self.speak();
            }
            Ok(Err(_)) => Ok(()),
        };
        match begun {
            // A round trip for an answer without a body.
            Err(Failure::Mirror(carpool_mirror::Error::UnknownTrail)) => {
                self.report.refusals += 1;
                self.taker.refuse();
                self.speak()
            }
            begun => {
                self.sending = true;
                begun
            }
        }
    }

    /// What becomes of a message's cells; the message, where it has none.
    fn take_cells(
        &mut self,
        asked: extension::Asked,
    ) -> Result<Result<extension::Asked, Sketched>, Failure> {
        if asked.cells.is_none() {
            return Ok(Ok(asked));
        }
        let sketched = self.sender.handle_cells(asked)?;
        if let Sketched::Need(range) = sketched {
            self.need = Some(range);
        }
        Ok(Err(sketched))
    }

    /// A source that gave up, or that was sent cells too often, asks in another way from now on.
    fn push_on_by_cells(&mut self, sketched: &Sketched) -> Result<(), Failure> {
        self.sketched += 1;
        match sketched {
            Sketched::Need(range) if self.sketched < MAX_MESSAGES => {
                self.question.handle_need(*range);
            }
            Sketched::Need(_) | Sketched::Sends | Sketched::GaveUp => self.question.end_sketch(),
        }
        self.wanted_before = Vec::new();
        self.begin_push()
    }

    fn push_on_as_asked(&mut self, asked: extension::Asked) -> Result<(), Failure> {
        let asked = match self.take_cells(asked) {
            Ok(Ok(asked)) => asked,
            Ok(Err(sketched)) => return self.push_on_by_cells(&sketched),
            Err(Failure::Mirror(carpool_mirror::Error::UnknownTrail)) => {
                return self.push_on_by_cells(&Sketched::GaveUp);
            }
            Err(failure) => return Err(failure),
        };
        let mut wanted: Vec<Cid> = asked.want.iter().collect();
        let links = asked.links.clone();
        let understood = self.sender.answer_asked(&mut self.question, asked)?;
        self.report.refusals += u32::from(!understood);
        let rounds = self.report.rounds;
        let repeats = links.is_none() && wanted == self.wanted_before;
        if repeats || rounds >= self.setup.limits.max_rounds {
            wanted.push(self.taker.root());
            let missing = wanted.len() as u64;
            self.end = Some(End::Incomplete(Outcome { missing, named: wanted, rounds }));
            return Ok(());
        }
        self.wanted_before = if links.is_none() { wanted } else { Vec::new() };
        self.begin_push()
    }
}
