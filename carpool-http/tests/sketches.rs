//! The extension: cells of a sketch, which the source decodes.

mod common;

use bytes::Bytes;
use carpool_core::{Block, Cid, may_link};
use carpool_http::{
    ClientOptions, ServerOptions, Totals,
    client::{Acquaintances, Call, Event, Listener},
};
use carpool_mirror::{
    extension::{Answer, CONTENT_TYPE, Request},
    planner::Step,
    sketch::{Cells, MAX_CELLS},
};
use carpool_store::{MemoryStore, Names};
use common::{
    Relay, client_with, exchange, holding, holds_all, pull_over, serve, serve_default, serve_only,
};
use sim::dag::{Dag, Shape, generate, original, scattered};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};
use tokio::net::{TcpListener, TcpStream};

const SHAPE: Shape = Shape { seed: 42, leaves: 8192, leaf_size: 256, fanout: 64 };

fn versions(changes: u64) -> (Dag, Dag) {
    versions_of(&SHAPE, changes)
}

fn versions_of(shape: &Shape, changes: u64) -> (Dag, Dag) {
    (original(shape), generate(shape, &scattered(shape.seed, shape.leaves, changes)))
}

fn missing(old: &Dag, new: &Dag) -> u64 {
    let held: BTreeSet<&Cid> = old.blocks.iter().map(Block::cid).collect();
    new.blocks.iter().filter(|block| !held.contains(block.cid())).count() as u64
}

/// Versions, the messages that their sketch takes, and its cells. Of the last a filter would have
/// 128 KiB.
fn cases() -> [((Dag, Dag), u64, u64); 3] {
    let large = Shape { leaves: 32_768, leaf_size: 32, ..SHAPE };
    [(versions(16), 1, 256), (versions(150), 2, 1024), (versions_of(&large, 600), 3, 4096)]
}

fn sketching(options: &mut ClientOptions) {
    options.strategy = Some(Step::Sketch);
}

/// Reads the names first, as `pull URL#name` does, and says what the pull took beside that.
async fn pull(
    url: &str,
    (old, new): (&Dag, &Dag),
    sink: &Arc<MemoryStore>,
    change: impl FnOnce(&mut ClientOptions),
) -> Totals {
    let client = client_with(url, |options| {
        sketching(options);
        change(options);
    });
    client.names().await.expect("a list");
    pull_over(&client, old, new, sink).await
}

/// A push by a client that has nothing but the new version, to a server that has completed the old.
async fn push(
    (old, new): (&Dag, &Dag),
    change: impl FnOnce(&mut ClientOptions),
) -> (Totals, Arc<MemoryStore>) {
    let server = holding(&old.blocks);
    server.note_root(&old.root).expect("memory");
    let url = serve_default(Arc::clone(&server)).await;
    let client = client_with(&url, |options| {
        sketching(options);
        change(options);
    });
    let report = client.push(new.root, vec![], None, holding(&new.blocks)).await;
    let totals = report.expect("it is taken").totals;
    assert!(holds_all(&server, &new.blocks));
    (totals, server)
}

/// Bytes of a transfer's messages that have so many cells in all: 10 each, and what is around them.
const fn most(cells: u64, messages: u64) -> u64 {
    const AROUND: u64 = 400;
    10 * cells + AROUND * messages
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_after_a_name_takes_a_message_and_the_difference() {
    for ((old, new), messages, cells) in cases() {
        let url = serve_default(holding(&new.blocks)).await;
        let sink = holding(&old.blocks);
        let totals = pull(&url, (&old, &new), &sink, |_| {}).await;
        assert_eq!((totals.requests, totals.duplicate), (messages, 0), "{cells}");
        assert_eq!(totals.blocks_received, missing(&old, &new), "{cells}");
        let (sent, most) = (totals.bytes_sent, most(cells, messages));
        assert!(sent <= most && sent > 10 * cells, "{cells} cells: {sent} bytes of {most}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_takes_the_root_the_answers_and_the_difference() {
    for ((old, new), messages, cells) in cases() {
        let (totals, _) = push((&old, &new), |_| {}).await;
        assert_eq!((totals.requests, totals.duplicate), (messages + 1, 0), "{cells}");
        assert_eq!(totals.blocks_sent, missing(&old, &new), "{cells}");
        let (came, most) = (totals.bytes_received, most(cells, messages + 1));
        assert!(came <= most && came > 10 * cells, "{cells} cells: {came} bytes of {most}");
    }
}

/// A first contact has no key: that costs the sketch, and no round.
#[tokio::test(flavor = "multi_thread")]
async fn at_first_contact_the_key_costs_a_request() {
    let (old, new) = versions(16);
    let url = serve_default(holding(&new.blocks)).await;
    let sink = holding(&old.blocks);
    let client = client_with(&url, sketching);
    let report = client.pull(new.root, vec![old.root], Arc::clone(&sink)).await;
    let totals = report.expect("all is there").totals;
    assert!(holds_all(&sink, &new.blocks));
    assert_eq!((totals.requests, totals.rounds), (2, 1), "a greeting, and cells");
    assert!(totals.bytes_sent < most(256, 2), "{totals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_without_a_key_goes_by_the_filter() {
    let (old, new) = versions(16);
    // Reads names for nobody, so that there is no key to be had.
    let url = serve_only(holding(&new.blocks), "/api/v0/dag").await;
    let sink = holding(&old.blocks);
    let client = client_with(&url, sketching);
    let report = client.pull(new.root, vec![old.root], Arc::clone(&sink)).await;
    let totals = report.expect("all is there").totals;
    assert!(holds_all(&sink, &new.blocks));
    assert!(totals.rounds <= 2 && totals.bytes_sent > 16_384, "{totals:?}");
}

/// Connections go to whichever server is behind it now.
struct Switch {
    url: String,
    target: Arc<Mutex<String>>,
}

impl Switch {
    async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let switch = Self { url, target: Arc::default() };
        switch.turn(target);
        let target = Arc::clone(&switch.target);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let target = target.lock().expect("nobody panics").clone();
                let mut far = TcpStream::connect(target).await.expect("the server listens");
                tokio::spawn(async move {
                    tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
                });
            }
        });
        switch
    }

    fn turn(&self, target: &str) {
        let target = target.trim_start_matches("http://").to_owned();
        *self.target.lock().expect("nobody panics") = target;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_lost_its_keys_gives_another_and_that_is_used() {
    let (old, new) = versions(16);
    let [first, second] =
        [serve_default(holding(&new.blocks)).await, serve_default(holding(&new.blocks)).await];
    let (switch, known) = (Switch::to(&first).await, Acquaintances::default());
    let share = |options: &mut ClientOptions| options.acquaintances = known.clone();
    let pulled = async || {
        let sink = holding(&old.blocks);
        pull(&switch.url, (&old, &new), &sink, share).await
    };
    assert_eq!(pulled().await.requests, 1);
    assert_eq!(pulled().await.requests, 1, "the same key serves again");
    switch.turn(&second);
    let totals = pulled().await;
    assert_eq!(totals.requests, 2, "one to hear of the new key");
    assert!(totals.bytes_sent <= most(512, 2), "{totals:?}");
    assert_eq!(pulled().await.requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_too_old_is_as_one_that_is_not_known() {
    let (old, new) = versions(16);
    let life = std::time::Duration::from_millis(1);
    let mut options = ServerOptions::default();
    options.sketch_key_life = life;
    let url = serve(holding(&new.blocks), options).await;
    let sink = holding(&old.blocks);
    let client = client_with(&url, sketching);
    client.names().await.expect("a list");
    tokio::time::sleep(5 * life).await;
    let report = client.pull(new.root, vec![old.root], Arc::clone(&sink)).await;
    assert!(holds_all(&sink, &new.blocks));
    // The names, the key that is too old, the one after it, which may be too old as well, and then
    // a filter.
    let totals = report.expect("all is there").totals;
    assert!((3..=5).contains(&totals.requests) && totals.duplicate == 0, "{totals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_decode_is_sent_a_filter() {
    let (old, new) = versions(16);
    let mut options = ServerOptions::default();
    options.limits.max_sketched = 10;
    let url = serve(holding(&new.blocks), options).await;
    let sink = holding(&old.blocks);
    let totals = pull(&url, (&old, &new), &sink, |_| {}).await;
    assert_eq!(totals.blocks_received, missing(&old, &new));
    assert!(totals.requests <= 3 && totals.bytes_sent > 16_384, "{totals:?}");
    let (totals, _) = push((&old, &new), |options| options.limits.max_sketched = 10).await;
    assert_eq!(totals.blocks_sent, missing(&old, &new));
    assert!(totals.requests <= 4 && totals.bytes_received > 16_384, "{totals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_anywhere_it_goes_on() {
    let (old, new) = versions(150);
    let url = serve_default(holding(&new.blocks)).await;
    for at in [1, 1_000, 2_900, 6_000, 12_000, 30_000, 60_000] {
        // The first connection is for the names.
        let relay = Relay::start(&url, vec![at, at]).await;
        let sink = holding(&old.blocks);
        let client = client_with(&relay.url, sketching);
        // Cut as well, or not: then the server is not known to read the extension.
        drop(client.names().await);
        let report = client.pull(new.root, vec![old.root], Arc::clone(&sink)).await;
        report.unwrap_or_else(|error| panic!("cut after {at}: {error}"));
        assert!(holds_all(&sink, &new.blocks), "cut after {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_cut_goes_on() {
    let (old, new) = versions(150);
    for at in [1, 5_000, 9_000, 16_000, 40_000] {
        let server = holding(&old.blocks);
        server.note_root(&old.root).expect("memory");
        let relay = Relay::start(&serve_default(Arc::clone(&server)).await, vec![at]).await;
        let client = client_with(&relay.url, sketching);
        let report = client.push(new.root, vec![], None, holding(&new.blocks)).await;
        report.unwrap_or_else(|error| panic!("cut after {at}: {error}"));
        assert!(holds_all(&server, &new.blocks), "cut after {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_of_the_other_dialect_hears_nothing_of_it() {
    let (old, new) = versions(16);
    let url = serve_only(holding(&new.blocks), "/dag").await;
    let sink = holding(&old.blocks);
    let client = client_with(&url, sketching);
    client.pull(new.root, vec![old.root], Arc::clone(&sink)).await.expect("all is there");
    assert!(holds_all(&sink, &new.blocks));
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_are_told_of_cells() {
    let (old, new) = versions(150);
    let url = serve_default(holding(&new.blocks)).await;
    let (sink, heard) = (holding(&old.blocks), Arc::new(Mutex::new(Vec::new())));
    let hear = Arc::clone(&heard);
    let listener = Listener::new(move |event| {
        if let Event::Round(round) = event
            && let Call::Request(wants) = &round.call
        {
            hear.lock().expect("nobody panics").push(wants.cells);
        }
    });
    pull(&url, (&old, &new), &sink, |options| options.listener = Some(listener)).await;
    assert_eq!(*heard.lock().expect("nobody panics"), [Some(256), Some(768)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_cells_at_the_limits_and_past_them() {
    let (_, new) = versions(1);
    let url = serve_default(holding(&new.blocks)).await;
    let body = |cells: usize, number: u64| {
        let cells = Cells::from_bytes(number, 0, &vec![0; 10 * cells]).expect("few enough");
        let root: Option<Cid> = Some(new.root);
        Request { root, cells: Some(cells), ..Request::default() }.encode()
    };
    let ask = async |body: &[u8]| {
        exchange("POST", format!("{url}/api/v0/dag/pull"), CONTENT_TYPE, body).await.status
    };
    assert_eq!(ask(&body(MAX_CELLS, 1)).await, 412, "a key that nobody was given");
    let (mut long, head) = (body(MAX_CELLS, 1), [0x5a, 0, 10, 0, 0]);
    let at = long.windows(5).position(|bytes| bytes == head).expect("655,360 bytes");
    long.splice(at..at + 5, [0x5a, 0, 10, 0, 10]);
    long.splice(at + 5..at + 5, [0; 10]);
    assert_eq!(ask(&long).await, 400, "one cell more");
    let mut odd = body(1, 1);
    let at = odd.iter().position(|byte| *byte == 0x4a).expect("ten bytes");
    odd[at] = 0x49;
    odd.remove(at + 1);
    assert_eq!(ask(&odd).await, 400, "nine bytes are no cell");
}

/// 50 bytes that come too late to be of use, where an answer may be one small leaf.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_leaves_alone_is_given_no_key() {
    let (_, dag) = versions(1);
    let url = serve_default(holding(&dag.blocks)).await;
    let leaf = dag.blocks.iter().find(|block| !may_link(block.cid())).expect("a leaf");
    for (want, brings) in [(dag.root, true), (*leaf.cid(), false)] {
        let request = Request { root: Some(dag.root), want: vec![want], ..Request::default() };
        let body = Bytes::from(request);
        let answer = exchange("POST", format!("{url}/api/v0/dag/pull"), CONTENT_TYPE, &body).await;
        let said = answer.extension.as_deref().and_then(Answer::decode).expect("a header");
        assert_eq!(said.key.is_some(), brings, "{want}");
    }
}
