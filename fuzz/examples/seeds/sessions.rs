//! What sessions between a source and a sink put on the wire: messages, CARs, and the requests
//! that carry them.

use carpool_core::{Cid, Limits};
use carpool_mirror::{Sink, SinkOutput, Source, SourceOutput, Status, Summary};
use carpool_selector::Order;
use sim::{
    Blocks, Store,
    dag::{self, Dag, Shape},
    message::{Dialect, Kind, encode},
};
use std::io;

use crate::{car, write_as};

/// One round: what the sink said and what the source sent.
struct Round {
    status: Status,
    sent: Dag,
}

pub(crate) fn write_all() -> io::Result<()> {
    let shape = Shape { seed: 7, leaves: 4, leaf_size: 8, fanout: 2 };
    let changed = dag::generate(&shape, &[1].into());
    let dags = [dag::original(&shape), changed, dag::chain(3, 5, 4), dag::diamond(4, 4, 4)];
    let held: Blocks = dags[0].blocks.iter().cloned().map(|block| block.into_parts()).collect();
    let rounds: Vec<Round> = dags.iter().flat_map(|dag| record(dag, &held)).collect();
    let mut messages = Vec::new();
    for (dialect, kind) in [
        (Dialect::Spec, Kind::PullRequest),
        (Dialect::Spec, Kind::PushResponse),
        (Dialect::CarMirror, Kind::PullRequest),
        (Dialect::CarMirror, Kind::PushResponse),
    ] {
        messages.extend(rounds.iter().map(|r| encode(dialect, kind, &r.status).to_vec()));
    }
    write_as("session", "http_message", &messages)?;
    let cars: Vec<Vec<u8>> = rounds.iter().map(|round| car(&round.sent)).collect();
    let chunked: Vec<Vec<u8>> =
        cars.iter().map(|car| [&[0, 60, 7, 200, 1], &car[..]].concat()).collect();
    write_as("session", "car_decode", &chunked)?;
    write_as("session", "http_request", &requests(dags[0].root, &messages, &cars))
}

/// A pull of `dag` by a sink that holds some of `held`.
fn record(dag: &Dag, held: &Blocks) -> Vec<Round> {
    let limits = Limits::default();
    let source_store = Store::holding(&dag.blocks).blocks().clone();
    let mut store: Store =
        held.iter().skip(2).map(|(c, d)| (*c, d.clone())).collect::<Blocks>().into();
    let mut sink = Sink::new([dag.root], held.keys().copied().take(3), &limits, 1).with_summary();
    let mut rounds = Vec::new();
    while let Some(output) = sink.poll().expect("good blocks") {
        match output {
            SinkOutput::Load(cid) => sink.handle_load(&cid, store.get(&cid)),
            SinkOutput::Has(cid) => sink.handle_has(&cid, store.has(&cid)),
            SinkOutput::Store(block) => store.put(block),
            SinkOutput::Summary => {
                let mut summary = Summary::new(1 << 17, 1 << 18, 1);
                for cid in store.blocks().keys() {
                    summary.insert(cid);
                }
                sink.handle_summary(summary.known());
            }
            SinkOutput::Done(_) => break,
            SinkOutput::Transmit(status) => {
                let sent = answer(dag.root, &status, &source_store);
                for block in &sent.blocks {
                    sink.handle_block(block.clone()).expect("good blocks");
                }
                sink.handle_end_round();
                rounds.push(Round { status, sent });
            }
        }
    }
    rounds
}

fn answer(root: Cid, status: &Status, store: &Blocks) -> Dag {
    let mut source = Source::new(Order::DepthFirst, &Limits::default(), 1);
    source.handle_status(status.clone()).expect("few wants");
    let mut blocks = Vec::new();
    while let Some(output) = source.poll().expect("good blocks") {
        match output {
            SourceOutput::Load(cid) => source.handle_load(&cid, store.get(&cid).cloned()),
            SourceOutput::Transmit(block) => blocks.push(block),
            SourceOutput::Missing(_) => {}
            SourceOutput::EndRound => break,
        }
    }
    Dag { root, blocks }
}

const POST: u8 = 0;
const PUT: u8 = 3;
const GET: u8 = 5;
const PULL: u8 = 0;
const PUSH: u8 = 2;
const NAMES: u8 = 4;
const NAME: u8 = 5;
const OTHER: u8 = 7;

fn requests(root: Cid, messages: &[Vec<u8>], cars: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let set =
        |expected: &str| format!("{{\"root\":\"{root}\",\"expected\":{expected}}}").into_bytes();
    let set_new = set("null");
    let set_old = set(&format!("\"{root}\""));
    let record = format!("{{\"name\":\"main\",\"root\":\"{root}\",\"seq\":1,\"time_ms\":2}}");
    let name = field(b"main");
    let text = root.to_string();
    let mut all: Vec<Vec<u8>> =
        messages.iter().map(|body| request(&[POST, PULL, 2, 1], &[0, 0, 3], body)).collect();
    all.extend(messages.iter().map(|body| request(&[POST, PULL, 2, 0], &[], body)));
    all.extend(cars.iter().map(|car| request(&[POST, PUSH, 2, 1], &[0, 0, 2], car)));
    let hints = [text.as_bytes(), b"ipfs%3A%2F%2Fmain", b"main"];
    all.extend(
        hints.map(|hint| {
            request(&[&[POST, PUSH, 0][..], &field(hint), &[0]].concat(), &[], &cars[0])
        }),
    );
    all.push(request(&[GET, NAMES, 2, 0], &[], b""));
    all.push(request(&[POST, PUSH, 2, 1], &[0, 0, 2], &carpool_car::header(&[])));
    all.push(request(&[&[GET, NAME][..], &name, &[2, 0]].concat(), &[], b""));
    for body in [&set_new, &set_old, &record.into_bytes()] {
        all.push(request(&[&[PUT, NAME][..], &name, &[2, 0]].concat(), &[], body));
        all.push(request(&[&[PUT, NAME][..], &field(b"n%C3%A9w"), &[2, 0]].concat(), &[], body));
    }
    all.push(request(
        &[&[GET, OTHER][..], &field(b"/api/v0/names/%ff"), &[2, 1]].concat(),
        &[0, 0, 0],
        b"",
    ));
    for (verb, path, body) in [
        (GET, "pull", &[][..]),
        (POST, "pull", &messages[messages.len() / 2]),
        (POST, "push", &cars[0]),
    ] {
        let path = field(format!("/dag/{path}/{root}").as_bytes());
        all.push(request(&[&[verb, OTHER][..], &path, &[2, 0]].concat(), &[], body));
    }
    // A server that is read-only, and one that wants a token: without it, and with it.
    for flags in [1, 8] {
        for head in [[POST, PUSH, 2, 1], [POST, PULL, 2, 1]] {
            for header in [[0, 0, 2], [0, 0, 0]] {
                let mut refused = request(&head, &header, &cars[0]);
                refused[0] = flags;
                all.push(refused);
            }
        }
    }
    all
}

fn field(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).expect("short")], bytes].concat()
}

/// Flags, then method, target and query, then headers, then the body.
fn request(head: &[u8], headers: &[u8], body: &[u8]) -> Vec<u8> {
    [&[0], head, headers, body].concat()
}
