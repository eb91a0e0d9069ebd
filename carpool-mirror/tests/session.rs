//! A source that goes on from what an earlier request of the same sink was sent.

mod common;

use carpool_core::{Block, CidList, Limits};
use carpool_mirror::{Session, Source, SourceOutput};
use carpool_selector::Order;
use common::{map, round, tree};

fn resumed(session: Session) -> Source {
    Source::resume(session, Order::DepthFirst, &Limits::default(), 0)
}

fn fresh() -> Session {
    Session::new(100, 0)
}

fn ask(source: &mut Source, wanted: &[&Block]) {
    let mut list = CidList::with_seed(0);
    wanted.iter().for_each(|block| {
        list.push(block.cid());
    });
    source.handle_request(list, None).expect("few wants");
}

/// What a request for `wanted` is sent, and the session after it.
fn request(session: Session, wanted: &[&Block]) -> (Vec<Block>, Session) {
    let mut source = resumed(session);
    ask(&mut source, wanted);
    let (sent, _) = round(&mut source, &map(&tree()));
    (sent, source.into_session())
}

#[test]
fn what_an_earlier_request_was_sent_is_not_sent_again() {
    let tree = tree();
    let (sent, session) = request(fresh(), &[&tree[1]]);
    assert_eq!((sent.len(), session.len()), (3, 3));
    let (sent, session) = request(session, &[&tree[0]]);
    assert_eq!(sent, [&tree[0], &tree[2], &tree[5], &tree[6]].map(Clone::clone));
    assert_eq!(session.len(), 7);
}

#[test]
fn a_sent_block_that_is_wanted_shows_that_not_all_arrived() {
    let tree = tree();
    let (_, session) = request(fresh(), &[&tree[1]]);
    let (sent, session) = request(session, &[&tree[0], &tree[3]]);
    assert_eq!(sent.len(), 7, "nothing that was sent is taken for held");
    assert_eq!(session.len(), 7);
}

#[test]
fn a_round_that_was_cut_is_forgotten_with_those_before() {
    let tree = tree();
    let (_, session) = request(fresh(), &[&tree[1]]);
    let mut source = resumed(session);
    ask(&mut source, &[&tree[2]]);
    let held = map(&tree);
    loop {
        match source.poll().expect("good blocks") {
            Some(SourceOutput::Load(cid)) => source.handle_load(&cid, held.get(&cid).cloned()),
            Some(SourceOutput::Transmit(_)) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(source.into_session().is_empty());
}

#[test]
fn blocks_at_the_limit_and_one_past_it() {
    let tree = tree();
    for (max, remembered) in [(7, 7), (6, 6), (0, 0)] {
        let (sent, session) = request(Session::new(max, 0), &[&tree[0]]);
        assert_eq!((sent.len(), session.len()), (7, remembered));
    }
}

#[test]
fn its_bytes_are_those_of_what_it_remembers() {
    let (_, mut session) = request(fresh(), &[&tree()[0]]);
    assert!(session.bytes() >= 7 * 8);
    session.forget();
    assert_eq!((session.len(), session.bytes()), (0, 0));
}
