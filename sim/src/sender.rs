use carpool_bloom::sketch::Key;
use carpool_core::{Block, Bytes, Cid, CidList, CidSet, Unverified};
use carpool_mirror::{
    Answered, Narrowing, Question, Source, SourceOutput, Status, Survey,
    extension::{Asked, Memory, Offer},
    sketch::{CellRange, NamedKey, Reconciliation, Reconciling},
};
use std::collections::VecDeque;

use crate::{
    Direction, Failure, Setup, Store,
    answers::AnswerOrder,
    lies::{claim, unrelated},
    reference,
};

/// What is sent in place of a block: the hand of an adversary, or of a bad disk.
pub(crate) type Tamper = Box<dyn FnMut(Block) -> Vec<Unverified>>;

/// The key of sketches that the source drew.
pub(crate) const NAMED: NamedKey = NamedKey { number: 1, key: Key::new([7; 16]) };

/// What cells came to.
pub(crate) enum Sketched {
    /// A round has begun.
    Sends,
    Need(CellRange),
    GaveUp,
}

/// The source's end: a source, its store, and its way to put blocks into bytes.
pub(crate) struct Sender {
    source: Source,
    pub(crate) store: Store,
    setup: Setup,
    root: Cid,
    answers: AnswerOrder,
    pub(crate) tamper: Option<Tamper>,
    /// Whether rounds end with blocks that nobody wants, and never.
    pub(crate) endless: bool,
    ready: VecDeque<Bytes>,
    opened: bool,
    /// What waits for more cells, and the message that brought the first.
    reconciling: Option<(Reconciliation, Asked)>,
    /// Whether the round sends nothing, whatever was begun.
    rests: bool,
    pub(crate) blocks_sent: u64,
}

/// What a sender has for its link.
pub(crate) enum Sending {
    Bytes(Bytes),
    End,
}

impl Sender {
    pub(crate) fn new(setup: &Setup, root: Cid, store: Store) -> Self {
        Self {
            source: source(setup, None),
            store,
            setup: setup.clone(),
            root,
            answers: AnswerOrder::new(setup.answers),
            tamper: None,
            endless: false,
            ready: VecDeque::new(),
            opened: false,
            reconciling: None,
            rests: false,
            blocks_sent: 0,
        }
    }

    /// A server knows nothing of the request before, and a client nothing of what was cut.
    pub(crate) fn renew(&mut self) {
        let answered = self.source.take_answered();
        let keeps = self.setup.direction == Direction::Pull && !self.setup.forgets;
        self.source = source(&self.setup, answered.filter(|_| keeps));
        self.begin();
    }

    fn begin(&mut self) {
        self.ready.clear();
        (self.opened, self.rests) = (false, false);
    }

    /// What goes with the next request of a push.
    pub(crate) fn offer(&self, question: &Question) -> Option<Offer> {
        question.offer(&self.source)
    }

    /// Answers a message of the extension to a push; whether its bitmap was understood.
    pub(crate) fn answer_asked(
        &mut self,
        question: &mut Question,
        asked: Asked,
    ) -> Result<bool, Failure> {
        self.begin();
        self.survey(&asked);
        Ok(question.handle_asked(&mut self.source, asked)?)
    }

    /// As [`handle_asked`](Self::handle_asked), of a message with cells. A client goes by what the first of
    /// them wanted; a server that forgets begins anew with each.
    pub(crate) fn handle_cells(&mut self, asked: Asked) -> Result<Sketched, Failure> {
        let Some(cells) = asked.cells.clone() else { return Ok(Sketched::GaveUp) };
        let kept = self.reconciling.take().filter(|_| !self.setup.forgets);
        let pushes = self.setup.direction == Direction::Push && cells.first() > 0;
        let (mut machine, asked) = match kept {
            Some((machine, first)) => (machine, if pushes { first } else { asked }),
            None => {
                let (limits, seed) = (&self.setup.limits, self.setup.seed);
                (Reconciliation::new(NAMED, self.root, limits, seed), asked)
            }
        };
        machine.handle_cells(&cells);
        self.begin();
        self.rests = true;
        self.reconcile(machine, asked)
    }

    fn reconcile(
        &mut self,
        mut machine: Reconciliation,
        asked: Asked,
    ) -> Result<Sketched, Failure> {
        let mut loads = Vec::new();
        loop {
            match machine.poll()? {
                Some(Reconciling::Load(cid)) => loads.push(cid),
                None => {
                    self.answers.arrange(&mut loads);
                    for cid in loads.drain(..) {
                        machine.handle_load(&cid, self.store.get(&cid));
                    }
                }
                Some(Reconciling::Need(range)) => {
                    self.reconciling = Some((machine, asked));
                    return Ok(Sketched::Need(range));
                }
                Some(Reconciling::GaveUp) => return Ok(Sketched::GaveUp),
                Some(Reconciling::Lacking(lacking)) => {
                    self.source.handle_reconciled(asked, lacking)?;
                    self.rests = false;
                    return Ok(Sketched::Sends);
                }
            }
        }
    }

    /// As [`handle_status`](Self::handle_status), of a message of the extension.
    pub(crate) fn handle_asked(&mut self, asked: Asked) -> Result<(), Failure> {
        self.begin();
        self.survey(&asked);
        Ok(self.source.handle_asked(asked)?)
    }

    /// Reads the blocks that the message names to speak of their links.
    fn survey(&mut self, asked: &Asked) {
        let (mut survey, mut loads) = (Survey::new(&asked.parents, &self.setup.limits), Vec::new());
        loop {
            while let Some(cid) = survey.poll() {
                loads.push(cid);
            }
            self.answers.arrange(&mut loads);
            let Some(cid) = loads.pop() else { break };
            survey.handle_load(&cid, self.store.get(&cid));
        }
        let Ok(trail) = survey.finish() else { return };
        if self.setup.direction == Direction::Pull {
            self.source.handle_forgotten();
        }
        self.source.handle_surveyed(trail);
    }

    /// A server at a request: where it keeps sessions, it goes on from what it has sent.
    pub(crate) fn resume(&mut self) -> Memory {
        if !self.setup.session {
            self.renew();
            return Memory::None;
        }
        let Setup { order, limits, seed, .. } = &self.setup;
        let fresh = Source::new(*order, limits, *seed);
        let session = std::mem::replace(&mut self.source, fresh).into_session();
        let memory = if session.is_empty() { Memory::Begun } else { Memory::Kept };
        self.source = Source::resume(session, *order, limits, *seed);
        memory
    }

    /// As a server reads a request.
    pub(crate) fn handle_request(&mut self, status: Status) -> Result<(), Failure> {
        if !self.setup.session {
            return self.handle_status(status);
        }
        self.begin();
        let mut want = CidList::with_seed(self.setup.seed);
        status.want.iter().for_each(|cid| {
            want.push(cid);
        });
        Ok(self.source.handle_request(want, status.have)?)
    }

    pub(crate) fn handle_status(&mut self, status: Status) -> Result<(), Failure> {
        self.begin();
        Ok(self.source.handle_status(status)?)
    }

    /// The first call of a push: on an estimate, where there is one, and else cold.
    pub(crate) fn open(&mut self, held: &[Cid]) {
        if held.is_empty() {
            return self.source.handle_cold_call(self.root, self.setup.cold_call_bytes);
        }
        let mut known = CidSet::with_seed(self.setup.seed);
        for cid in held.iter().flat_map(|root| reference::held_below(*root, self.store.blocks())) {
            known.insert(&cid);
        }
        self.source.handle_estimate(self.root, Narrowing::Known(known));
    }

    /// The next bytes; `None` between rounds.
    pub(crate) fn poll(&mut self) -> Result<Option<Sending>, Failure> {
        let mut asked = Vec::new();
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Ok(Some(Sending::Bytes(bytes)));
            }
            if self.rests {
                return Ok(None);
            }
            match self.source.poll()? {
                Some(SourceOutput::Load(cid)) => asked.push(cid),
                Some(SourceOutput::Transmit(block)) => self.transmit(block),
                Some(SourceOutput::Missing(_)) => {}
                Some(SourceOutput::EndRound) if !self.endless => return Ok(Some(Sending::End)),
                None if asked.is_empty() && !self.endless => return Ok(None),
                Some(SourceOutput::EndRound) => self.send(vec![unrelated(self.blocks_sent)]),
                None if asked.is_empty() => self.send(vec![unrelated(self.blocks_sent)]),
                None => self.answer(&mut asked),
            }
            if !self.ready.is_empty() {
                self.answer(&mut asked);
            }
        }
    }

    fn answer(&mut self, asked: &mut Vec<Cid>) {
        self.answers.arrange(asked);
        for cid in asked.drain(..) {
            let data = self.store.get(&cid);
            self.source.handle_load(&cid, data);
        }
    }

    /// All that answers a status whose connection has been given up.
    pub(crate) fn answer_late(&mut self, status: Status) -> Result<Bytes, Failure> {
        let mut other = Self::new(&self.setup, self.root, std::mem::take(&mut self.store));
        let mut body = Vec::new();
        let sent = other.handle_status(status).and_then(|()| {
            while let Some(Sending::Bytes(bytes)) = other.poll()? {
                body.extend_from_slice(&bytes);
            }
            Ok(())
        });
        self.store = other.store;
        sent.map(|()| body.into())
    }

    fn transmit(&mut self, block: Block) {
        let sent = match &mut self.tamper {
            Some(tamper) => tamper(block),
            None => vec![claim(block)],
        };
        self.send(sent);
    }

    fn send(&mut self, blocks: Vec<Unverified>) {
        for Unverified { cid, data } in blocks {
            if !self.opened {
                self.opened = true;
                self.ready.push_back(self.setup.framing.opening(&self.root));
            }
            self.blocks_sent += 1;
            self.ready.push_back(self.setup.framing.section(&cid, &data));
        }
    }
}

fn source(setup: &Setup, answered: Option<Answered>) -> Source {
    let source = Source::new(setup.order, &setup.limits, setup.seed);
    if setup.steps.is_empty() { source } else { source.with_trail(answered) }
}
