use carpool_core::{Block, Bytes, Cid, CidList, CidSet, Unverified};
use carpool_mirror::{
    Answered, Narrowing, Question, Source, SourceOutput, Status,
    extension::{Asked, Memory, Offer},
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
            blocks_sent: 0,
        }
    }

    /// A server knows nothing of the request before, and a client nothing of what was cut.
    pub(crate) fn renew(&mut self) {
        let answered = self.source.take_answered();
        let keeps = self.setup.direction == Direction::Pull && !self.setup.forgets;
        self.source = source(&self.setup, answered.filter(|_| keeps));
        self.ready.clear();
        self.opened = false;
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
        self.ready.clear();
        self.opened = false;
        Ok(question.handle_asked(&mut self.source, asked)?)
    }

    /// As [`handle_status`](Self::handle_status), of a message of the extension.
    pub(crate) fn handle_asked(&mut self, asked: Asked) -> Result<(), Failure> {
        self.ready.clear();
        self.opened = false;
        Ok(self.source.handle_asked(asked)?)
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
        self.ready.clear();
        self.opened = false;
        let mut want = CidList::with_seed(self.setup.seed);
        status.want.iter().for_each(|cid| {
            want.push(cid);
        });
        Ok(self.source.handle_request(want, status.have)?)
    }

    pub(crate) fn handle_status(&mut self, status: Status) -> Result<(), Failure> {
        self.ready.clear();
        self.opened = false;
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
