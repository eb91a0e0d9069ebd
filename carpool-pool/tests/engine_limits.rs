//! What a source may cost the sink of a pool: at each limit, and one past it.

use carpool_core::{Block, Cid, Limits, cbor, codec};
use carpool_pool::{
    Ask, Error, Form, Gone, Kind, MAX_MEMBERS, Options, Pool, PoolOutput, SourceId, State, Took,
    Trouble,
};

fn leaf(n: u32) -> Block {
    Block::new(codec::RAW, n.to_le_bytes().repeat(25).into())
}

fn node(links: &[Block]) -> Block {
    let mut data = Vec::new();
    cbor::write_head(&mut data, cbor::ARRAY, links.len() as u64);
    links.iter().for_each(|link| cbor::write_link(&mut data, link.cid()));
    Block::new(codec::DAG_CBOR, data.into())
}

/// What the pool says, with look-ups answered by an empty store.
fn say(pool: &mut Pool, now: u64) -> Vec<PoolOutput> {
    let mut said = Vec::new();
    while let Some(output) = pool.poll(now) {
        if let PoolOutput::Load(cid) = output {
            pool.handle_load(&cid, None).expect("nothing is read");
        } else if let PoolOutput::Has(cid) = output {
            pool.handle_has(&cid, false);
        } else {
            said.push(output);
        }
    }
    said
}

fn asks(said: &[PoolOutput]) -> Vec<Ask> {
    let ask = |output: &PoolOutput| {
        if let PoolOutput::Ask(ask) = output { Some(ask.clone()) } else { None }
    };
    said.iter().filter_map(ask).collect()
}

fn state(pool: &Pool, source: SourceId) -> State {
    pool.tally(source).expect("it joined").1
}

/// A pool of so many sources of a kind that wants `root`, and what it says at first.
fn pool(root: &Cid, kind: Kind, sources: u8, options: Options) -> (Pool, Vec<Ask>) {
    let mut pool = Pool::new(&[*root], &Limits::default(), options);
    (0..sources).for_each(|n| assert_eq!(pool.handle_source(kind, 1_000, 1_000_000, 0), Some(n)));
    let asked = asks(&say(&mut pool, 0));
    (pool, asked)
}

#[test]
fn sources_at_the_limit_and_one_past_it() {
    let mut pool = Pool::new(&[], &Limits::default(), Options::default());
    for n in 0..MAX_MEMBERS {
        assert_eq!(pool.handle_source(Kind::PLAIN, 0, 0, 0).map(usize::from), Some(n));
    }
    assert_eq!(pool.handle_source(Kind::PLAIN, 0, 0, 0), None);
}

#[test]
fn names_in_one_request_are_at_most_so_many() {
    let leaves: Vec<Block> = (0..100).map(leaf).collect();
    let root = node(&leaves);
    let mut options = Options::default();
    options.max_named = 7;
    let (mut pool, asked) = pool(root.cid(), Kind::NAMED, 2, options);
    let first = &asked[0];
    assert_eq!((asked.len(), &first.form), (1, &Form::Named));
    pool.handle_block(first.source, first.request, root, 1_000).unwrap();
    pool.handle_end(first.request, 1_000);
    let asked = asks(&say(&mut pool, 1_000));
    assert!(!asked.is_empty() && asked.iter().all(|ask| ask.want.len() <= 7), "{asked:?}");
    assert!(asked.iter().any(|ask| ask.want.len() == 7));
}

#[test]
fn blocks_of_a_dag_at_the_limit_and_one_past_it() {
    let leaves: Vec<Block> = (0..10).map(leaf).collect();
    let root = node(&leaves);
    for (max, fits) in [(11, true), (10, false)] {
        let mut options = Options::default();
        options.max_blocks = max;
        let (mut pool, asked) = pool(root.cid(), Kind::NAMED, 2, options);
        let took = pool.handle_block(asked[0].source, asked[0].request, root.clone(), 1);
        assert_eq!(took, if fits { Ok(Took::Wanted) } else { Err(Error::Blocks { max: 10 }) });
    }
}

/// A leaf takes 100 bytes, and 64 beside them.
#[test]
fn blocks_that_wait_at_the_limit_and_one_past_it() {
    let root = node(&[leaf(0)]);
    let mut options = Options::default();
    options.max_waiting = 2 * 164;
    let (mut pool, asked) = pool(root.cid(), Kind::AWARE, 2, options);
    assert!(matches!(asked[0].form, Form::Share(_)));
    let (source, request) = (asked[0].source, asked[0].request);
    for n in 1..=2 {
        assert_eq!(pool.handle_block(source, request, leaf(n), 1), Ok(Took::Waits));
    }
    assert!(say(&mut pool, 1).iter().all(|output| matches!(output, PoolOutput::Hold(_))));
    assert_eq!(pool.handle_block(source, request, leaf(3), 1), Ok(Took::Waits));
    let said = say(&mut pool, 1);
    assert!(said.contains(&PoolOutput::Pause { source, request }), "{said:?}");
    // The other one ends without what links to them: they belong to nothing.
    pool.handle_end(asked[1].request, 2);
    let mut dropped = false;
    for now in 2..10 {
        let said = say(&mut pool, now);
        dropped |= said.contains(&PoolOutput::Drop { source, why: Gone::Unconnected });
        asks(&said).iter().for_each(|ask| pool.handle_end(ask.request, now));
    }
    assert!(dropped && state(&pool, source) == State::Gone(Gone::Unconnected));
}

#[test]
fn bytes_in_vain_at_the_limit_and_one_past_it() {
    let root = node(&[leaf(0), leaf(1)]);
    let mut options = Options::default();
    options.max_wasted = 2 * (root.data().len() as u64 + 64);
    let (mut pool, asked) = pool(root.cid(), Kind::NAMED, 2, options);
    let (source, request) = (asked[0].source, asked[0].request);
    assert_eq!(pool.handle_block(source, request, root.clone(), 1), Ok(Took::Wanted));
    for _ in 0..2 {
        assert_eq!(pool.handle_block(source, request, root.clone(), 1), Ok(Took::Duplicate));
        assert_eq!(state(&pool, source), State::Ready);
    }
    pool.handle_block(source, request, root, 1).unwrap();
    assert_eq!(state(&pool, source), State::Gone(Gone::Wasteful));
}

#[test]
fn a_block_that_nobody_asked_for_is_one_too_many() {
    let root = node(&[leaf(0)]);
    let (mut pool, asked) = pool(root.cid(), Kind::NAMED, 2, Options::default());
    let (source, request) = (asked[0].source, asked[0].request);
    assert_eq!(pool.handle_block(source, request, leaf(9), 1), Ok(Took::Unasked));
    assert_eq!(state(&pool, source), State::Gone(Gone::Lied));
    assert_eq!(asks(&say(&mut pool, 1))[0].source, 1 - source, "its work is done by the other");
}

#[test]
fn who_breaks_off_rests_and_the_third_time_is_the_last() {
    let root = node(&[leaf(0)]);
    let (mut pool, mut asked) = pool(root.cid(), Kind::NAMED, 1, Options::default());
    let mut now = 0;
    for time in 1..=3 {
        let ask = asked.pop().expect("it is asked again");
        pool.handle_trouble(ask.request, Trouble::Broken, now);
        let said = say(&mut pool, now);
        if time < 3 {
            assert_eq!((state(&pool, 0), said), (State::Resting, vec![]));
            now = pool.poll_timeout().expect("it rests for a time");
            asked = asks(&say(&mut pool, now));
        } else {
            assert_eq!(state(&pool, 0), State::Gone(Gone::Failed));
            let outcome = said.iter().find_map(|output| {
                if let PoolOutput::Done(outcome) = output { Some(outcome.missing) } else { None }
            });
            assert_eq!(outcome, Some(1));
        }
    }
}

#[test]
fn who_sends_nothing_for_the_time_of_a_stall_is_not_waited_for() {
    let root = node(&[leaf(0)]);
    let (mut pool, asked) = pool(root.cid(), Kind::NAMED, 1, Options::default());
    let stall = Options::default().stall;
    assert_eq!(pool.poll_timeout(), Some(stall));
    assert_eq!(say(&mut pool, stall - 1), vec![]);
    let said = say(&mut pool, stall);
    assert_eq!(said, [PoolOutput::Cancel { source: 0, request: asked[0].request }]);
    assert_eq!(state(&pool, 0), State::Resting);
}

#[test]
fn who_is_idle_takes_over_what_should_have_come_long_ago() {
    let root = node(&[leaf(0)]);
    let (mut pool, asked) = pool(root.cid(), Kind::NAMED, 2, Options::default());
    let due = pool.poll_timeout().expect("it waits");
    assert!(due < Options::default().stall);
    assert_eq!(say(&mut pool, due - 1), vec![]);
    let said = say(&mut pool, due);
    let cancel = PoolOutput::Cancel { source: asked[0].source, request: asked[0].request };
    assert!(said.contains(&cancel), "{said:?}");
    assert_eq!(asks(&said)[0].source, 1 - asked[0].source);
    assert_eq!(state(&pool, asked[0].source), State::Ready, "it has time until the stall");
}
