//! The sink of a pool, told anything.

mod model;
mod world;

use carpool_core::{Block, Bytes, codec};
use carpool_pool::{Error, Kind, Options, Trouble};

use crate::choices::Choices;
use model::Model;
use world::World;

/// Sources that join while anything may happen.
const MAX_SOURCES: usize = 8;
/// Bytes a second that a sink is told of; 0 is nothing.
const RATES: [u64; 6] = [0, 1, 1 << 10, 1 << 16, 1 << 20, 1 << 30];
const KINDS: [Kind; 4] = [Kind::PLAIN, Kind::NAMED, Kind::AWARE, Kind::GOSSIPING];

/// Whatever sources do, and however late the store answers: a pool comes to rest after each event, asks living
/// sources for what is not held, within its limits, and stores each reachable block once; and where one source
/// of everything is there in the end, nothing is missing.
pub fn pool_engine(data: &[u8]) {
    let mut choices = Choices::new(data);
    let (others, kind) = (choices.byte() % 4, KINDS[choices.below(4)]);
    let mut session = Session { model: model(&mut choices) };
    let ended = session.run(&mut choices).and_then(|()| session.finish(others, kind));
    if let Err(error) = ended {
        let most = session.model.world.blocks.len() as u64;
        assert!(matches!(error, Error::Blocks { max } if max < most), "{error}");
    }
}

fn model(choices: &mut Choices<'_>) -> Model {
    let options = options(choices);
    let world = World::new(choices);
    let (mask, rotate) = (choices.byte() & choices.byte(), choices.below(8));
    let mut model = Model::new(world, |place| mask >> ((place ^ rotate) % 8) & 1 == 1, options);
    (0..=choices.below(4)).for_each(|_| join(&mut model, choices));
    model
}

/// Small ones, so that they are met.
fn options(choices: &mut Choices<'_>) -> Options {
    let mut options = Options::default();
    options.stall = 1_000 << choices.below(12);
    options.max_failures = 1 + u32::from(choices.byte() % 4);
    options.max_unit = 1 << choices.below(16);
    options.max_named = 1 + choices.below(24);
    options.max_waiting = 100 * u64::from(choices.byte() % 16);
    options.max_wasted = 100 * u64::from(choices.byte());
    let flags = choices.byte();
    options.differs = flags & 7 == 7;
    if flags & 0x70 == 0x70 {
        options.max_blocks = choices.below(48);
    }
    options
}

fn join(model: &mut Model, choices: &mut Choices<'_>) {
    let picks = choices.byte();
    let kind = KINDS[usize::from(picks) % 4];
    let rtt = 1_000 * u64::from(picks >> 2 & 7) * u64::from(picks >> 2 & 7);
    model.join(kind, rtt, RATES[usize::from(picks >> 5) % RATES.len()], false);
}

struct Session {
    model: Model,
}

impl Session {
    fn run(&mut self, choices: &mut Choices<'_>) -> Result<(), Error> {
        self.model.drain()?;
        // What comes once it is over changes nothing.
        while !choices.is_empty() {
            self.event(choices)?;
        }
        Ok(())
    }

    fn event(&mut self, choices: &mut Choices<'_>) -> Result<(), Error> {
        let (act, pick) = (choices.byte(), choices.byte());
        let some = usize::from(pick);
        match act % 16 {
            0..=4 => return self.go_on(some, usize::from(act >> 4)),
            5..=9 => return self.of_any(choices, act, pick),
            10 => {
                let source = u8::try_from(some % self.model.peers.len()).expect("few");
                if act & 0x80 == 0 {
                    self.model.bytes(source, 1 << (act >> 4));
                } else {
                    self.model.say(source, act >> 4 & 7, choices);
                }
            }
            11 => self.model.now += 1 << (pick % 24),
            12 => self.model.now = self.model.pool.poll_timeout().unwrap_or(0).max(self.model.now),
            13 => {
                self.model.prompt = act & 0x80 != 0;
                self.model.answer(some, act & 0x40 != 0)?;
            }
            14 if self.model.peers.len() < MAX_SOURCES => join(&mut self.model, choices),
            14 => {}
            _ => {
                let source = u8::try_from(some % self.model.peers.len()).expect("few");
                self.model.pool.handle_leave(source);
            }
        }
        self.model.drain()
    }

    /// Of one request what an honest source would do next, a few times.
    fn go_on(&mut self, pick: usize, times: usize) -> Result<(), Error> {
        let all = self.model.requests.iter().enumerate();
        let open: Vec<usize> = all.filter(|(_, of)| of.open).map(|(request, _)| request).collect();
        let Some(request) = open.get(pick % open.len().max(1)) else { return Ok(()) };
        for _ in 0..=times {
            if self.model.requests[*request].open {
                self.model.now += 10 + pick as u64;
                self.step(*request)?;
            }
        }
        Ok(())
    }

    /// The next block of a request, or its end; nothing of who is paused.
    fn step(&mut self, request: usize) -> Result<(), Error> {
        let of = &mut self.model.requests[request];
        if of.paused {
            return Ok(());
        }
        match of.left.pop_front() {
            Some(cid) => {
                let block = self.model.world.block(&cid).expect("it is of the DAG").clone();
                self.model.deliver(request, block)
            }
            None => self.model.end(request),
        }
    }

    /// Something that comes of a request, which may be over: its end, trouble, some block, or one of another DAG.
    fn of_any(&mut self, choices: &mut Choices<'_>, act: u8, pick: u8) -> Result<(), Error> {
        let Some(newest) = self.model.requests.len().checked_sub(1) else { return Ok(()) };
        let request = newest - usize::from(pick) % (newest + 1);
        match act % 16 {
            5 => self.model.end(request),
            6 => {
                let troubles = [Trouble::Broken, Trouble::Refused, Trouble::Broken, Trouble::Lie];
                self.model.trouble(request, troubles[usize::from(act >> 4) % 4])
            }
            9 => {
                let other = Bytes::copy_from_slice(&[act, pick]);
                self.model.deliver(request, Block::new(codec::RAW, other))
            }
            _ => {
                let blocks = &self.model.world.blocks;
                let block = blocks[choices.below(blocks.len())].clone();
                self.model.deliver(request, block)
            }
        }
    }

    /// A source of everything joins and answers what it is asked; the others leave, say nothing, have nothing, or
    /// break off.
    fn finish(&mut self, others: u8, kind: Kind) -> Result<(), Error> {
        if self.model.done.is_some() {
            return Ok(());
        }
        self.model.prompt = true;
        self.model.join(kind, 0, 0, true);
        self.model.drain()?;
        let all = u8::try_from(self.model.peers.len() - 1).expect("few");
        for source in (0..all).filter(|_| others == 0) {
            self.model.pool.handle_leave(source);
            self.model.drain()?;
        }
        for _ in 0..20_000 {
            if let Some(outcome) = &self.model.done {
                assert_eq!(outcome.missing, 0, "a source has all of it");
                return Ok(());
            }
            self.proceed(others)?;
        }
        unreachable!("a transfer ends");
    }

    fn proceed(&mut self, others: u8) -> Result<(), Error> {
        if let Some(request) = self.model.open(|peer| peer.honest) {
            self.model.now += 10;
            let held =
                self.model.requests[request].left.front().is_some_and(|cid| self.model.holds(cid));
            if held {
                self.model.requests[request].left.pop_front();
                return Ok(());
            }
            return self.step(request);
        }
        let other = self.model.open(|peer| !peer.honest);
        match other.filter(|_| others > 1) {
            Some(request) if others == 2 => self.model.end(request),
            Some(request) => self.model.trouble(request, Trouble::Broken),
            None => {
                let at = self.model.pool.poll_timeout();
                self.model.now = at.expect("it waits for nothing");
                self.model.drain()
            }
        }
    }
}
