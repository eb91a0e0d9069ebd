use carpool_core::Bytes;
use carpool_mirror::sketch::CellRange;

use super::Pair;
use crate::{
    Direction, Failure,
    late::{Late, Older},
    link::Cut,
    message::{self, Dialect},
};

impl Pair {
    /// The sink's message did not arrive whole: a pull's request, or the answer to a push.
    pub(super) fn status_cut(&mut self) -> Result<(), Failure> {
        if self.setup.direction == Direction::Pull {
            let mut whole = vec![std::mem::take(&mut self.message).into()];
            whole.append(&mut self.statuses.withheld());
            drop(self.taker.cut(Direction::Pull));
            self.keep_late(whole, None);
        }
        self.again()
    }

    /// What a stalled connection took in comes out later, if it does.
    pub(super) fn keep_late(&mut self, withheld: Vec<Bytes>, older: Option<Older>) {
        let bytes: Bytes = withheld.concat().into();
        if let (Some(delay), false) = (self.setup.late, bytes.is_empty()) {
            self.late.push_back(Late { at: self.clock.now() + delay, bytes, older });
        }
    }

    /// A late body goes to the sink that was on its connection. A late request is answered, and
    /// the answer goes to the sink of today, as does all else on a client's older connections.
    pub(super) fn deliver_late(&mut self, late: Late) -> Result<(), Failure> {
        self.report.late_bytes += late.bytes.len() as u64;
        match late.older {
            Some(older) => self.taker.take_late(older, late.bytes),
            None => {
                let limits = &self.setup.limits;
                let status = message::decode(Dialect::Spec, self.kind(), &late.bytes, limits);
                let Ok(status) = status else { return Ok(()) };
                let body = self.sender.answer_late(status)?;
                let older = Older { unframing: self.taker.new_unframing(), sink: None };
                self.taker.take_late(older, body)
            }
        }
    }

    /// After a cut: a new connection, and nothing is known of what was sent. A process that died
    /// knows nothing at all.
    pub(super) fn again(&mut self) -> Result<(), Failure> {
        self.report.cuts += 1;
        if !self.setup.session || matches!(self.cut, Cut::SourceDied(_)) {
            self.sender.renew();
        }
        (self.sending, self.need) = (false, None);
        self.question.handle_need(CellRange::BEGIN);
        if matches!(self.cut, Cut::SinkDied(_)) {
            self.taker.restart();
        }
        match self.setup.direction {
            Direction::Pull => self.speak(),
            Direction::Push => {
                self.wanted_before.clear();
                let reborn = matches!(self.cut, Cut::SourceDied(_));
                let estimate = if reborn { self.setup.estimate.clone() } else { Vec::new() };
                self.sender.open(&estimate);
                self.begin_push()
            }
        }
    }
}
