use carpool_core::Bytes;
use carpool_mirror::{Outcome, SinkOutput, Status, extension::Request};

use super::{End, Pair, report::end_of};
use crate::{
    Direction, Failure,
    lies::SinkLie,
    link::Arrival,
    message::{self, Dialect},
};

impl Pair {
    pub(super) fn at_sink(&mut self, arrival: Arrival) -> Result<(), Failure> {
        match arrival {
            Arrival::Data(bytes) => {
                self.body_empty = false;
                self.taker.take(bytes)
            }
            Arrival::End if self.pulls_and_needs() => self.speak(),
            Arrival::End if self.taker.end(self.body_empty) => self.speak(),
            Arrival::End => self.again(),
            Arrival::Cut => {
                let withheld = self.blocks.withheld();
                let older = self.taker.cut(self.setup.direction);
                self.keep_late(withheld, Some(older));
                self.again()
            }
        }
    }

    /// Whether the answer was that more cells are needed, which the sink is told.
    fn pulls_and_needs(&mut self) -> bool {
        let need = self.need.take_if(|_| self.setup.direction == Direction::Pull);
        need.is_some_and(|range| {
            self.taker.need(range);
            true
        })
    }

    /// The sink says what it wants, or that it has ended.
    pub(super) fn speak(&mut self) -> Result<(), Failure> {
        let push = self.setup.direction == Direction::Push;
        let said = self.taker.settle()?;
        self.extended = false;
        let status = match (self.sink_lie, said) {
            (Some(lie), _) => match self.lie(lie) {
                Some(status) => status,
                None => return Ok(()),
            },
            (None, Some(SinkOutput::Transmit(status))) => match &mut self.forge {
                Some(forge) => Status { have: forge(status.have), ..status },
                None => status,
            },
            (None, Some(SinkOutput::Ask(request))) => {
                self.ask(*request);
                return Ok(());
            }
            (None, Some(SinkOutput::Done(outcome))) if push && outcome.missing == 0 => {
                Status::default()
            }
            (None, Some(SinkOutput::Done(outcome))) => {
                self.end = Some(end_of(outcome));
                return Ok(());
            }
            _ => unreachable!("a sink whose look-ups are answered speaks between rounds"),
        };
        self.connect_to_pull();
        let message = message::encode(Dialect::Spec, self.kind(), &status);
        self.say(message);
        Ok(())
    }

    fn connect_to_pull(&mut self) {
        if self.setup.direction == Direction::Pull {
            self.report.rounds += 1;
            self.connect();
        }
    }

    pub(super) fn ask(&mut self, mut request: Request) {
        if let Some(meddle) = &mut self.meddling {
            meddle(&mut request);
        }
        self.connect_to_pull();
        self.extended = true;
        self.say(request.into());
    }

    /// What a lying sink says. As a client it decides itself when it has had enough.
    pub(super) fn lie(&mut self, lie: SinkLie) -> Option<Status> {
        let (rounds, max) = (self.report.rounds, self.setup.limits.max_rounds);
        let want = lie.want(self.taker.root(), rounds);
        if self.setup.direction == Direction::Pull && rounds >= max {
            let missing = want.len() as u64;
            self.end = Some(End::Incomplete(Outcome { missing, named: want, rounds }));
            return None;
        }
        Some(Status { want, have: None })
    }

    pub(super) fn say(&mut self, message: Bytes) {
        self.report.status_bytes += message.len() as u64;
        self.record(&message);
        self.statuses.handle_packet(self.clock.now(), message);
        self.statuses.handle_end(self.clock.now());
    }
}
