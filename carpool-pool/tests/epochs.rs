//! Plans that have come to be wrong are replaced for what is left: nobody who goes on is asked twice for anything.

use carpool_core::{Block, Cid, Limits, cbor, codec};
use carpool_pool::{
    Ask, Form, Gone, Gossip, Kind, Member, Options, Part, Plan, Pool, PoolOutput, Provided,
    SessionKey, SourceId, Took, Trouble,
};

/// A chain of so many nodes, the first first.
fn chain(nodes: u32) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for n in 0..nodes {
        let below = blocks.last().map(|block| *block.cid());
        let mut data = Vec::new();
        cbor::write_head(&mut data, cbor::ARRAY, 1 + u64::from(below.is_some()));
        cbor::write_head(&mut data, cbor::UNSIGNED, u64::from(n) + 1_000_000);
        below.iter().for_each(|link| cbor::write_link(&mut data, link));
        blocks.push(Block::new(codec::DAG_CBOR, data.into()));
    }
    blocks.reverse();
    blocks
}

/// What the pool says, with look-ups answered by an empty store and what waits given back.
fn say(pool: &mut Pool, aside: &mut Vec<Block>, now: u64) -> Vec<PoolOutput> {
    let mut said = Vec::new();
    while let Some(output) = pool.poll(now) {
        if let PoolOutput::Load(cid) = output {
            pool.handle_load(&cid, None).expect("nothing is read");
        } else if let PoolOutput::Has(cid) = output {
            pool.handle_has(&cid, false);
        } else if let PoolOutput::Hold(block) = output {
            aside.push(block);
        } else if let PoolOutput::Recall(cid) = output {
            let place = aside.iter().position(|block| *block.cid() == cid);
            let block = place.map(|place| aside.swap_remove(place));
            let data = block.map(|block| block.data().clone());
            pool.handle_recalled(&cid, data).expect("it parses");
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

fn plan(ask: &Ask) -> &Plan {
    let Form::Share(plan) = &ask.form else { unreachable!("{ask:?} is of no share") };
    plan
}

fn pool(root: &Cid, kind: Kind, sources: SourceId) -> (Pool, Vec<Ask>) {
    let mut pool = Pool::new(&[*root], &Limits::default(), Options::default());
    (0..sources).for_each(|n| assert_eq!(pool.handle_source(kind, 1_000, 1 << 20, 0), Some(n)));
    let asked = asks(&say(&mut pool, &mut Vec::new(), 0));
    assert_eq!(asked.len(), usize::from(sources));
    (pool, asked)
}

/// Every source sends its share but one, which breaks off: the others are asked for what was its, and
/// for nothing that they send anyhow, or that waits.
#[test]
fn the_work_of_who_breaks_off_is_shared_out_beside_what_others_send() {
    let blocks = chain(200);
    let (mut pool, asked) = pool(blocks[0].cid(), Kind::AWARE, 3);
    let mut aside = Vec::new();
    for ask in asked.iter().filter(|ask| ask.source != 1) {
        for block in blocks.iter().filter(|block| plan(ask).is_mine(block.cid())).take(20) {
            let took = pool.handle_block(ask.source, ask.request, block.clone(), 1).unwrap();
            assert!(matches!(took, Took::Wanted | Took::Waits));
        }
    }
    assert_eq!(asks(&say(&mut pool, &mut aside, 1)), []);
    pool.handle_trouble(asked[1].request, Trouble::Broken, 2);
    let said = say(&mut pool, &mut aside, 2);
    let again = asks(&said);
    assert_eq!(again.iter().map(|ask| ask.source).collect::<Vec<_>>(), [0, 2]);
    assert!(!said.iter().any(|output| matches!(output, PoolOutput::Cancel { .. })));
    for block in &blocks {
        let before: Vec<_> = asked.iter().filter(|ask| plan(ask).is_mine(block.cid())).collect();
        let after = again.iter().filter(|ask| plan(ask).is_mine(block.cid())).count();
        assert_eq!(before.len(), 1);
        assert_eq!(after, usize::from(before[0].source == 1), "what was the other's, once");
    }
    assert!(again.iter().all(|ask| plan(ask).epoch() == 1 && ask.have.is_empty()));
}

/// One of two brings a tenth of what the other does, though the plan has them alike.
#[test]
fn who_is_slower_than_was_thought_is_given_less() {
    let blocks = chain(400);
    let (mut pool, asked) = pool(blocks[0].cid(), Kind::AWARE, 2);
    let mut aside = Vec::new();
    let shares: Vec<Vec<Block>> = asked
        .iter()
        .map(|ask| blocks.iter().filter(|of| plan(ask).is_mine(of.cid())).cloned().collect())
        .collect();
    let mut again = Vec::new();
    for step in 1..200_u64 {
        let now = step * 10_000;
        for (ask, every) in asked.iter().zip([1, 10]).filter(|(_, every)| step % every == 0) {
            let place = usize::try_from(step / every - 1).unwrap();
            let block = shares[usize::from(ask.source)][place].clone();
            pool.handle_bytes(ask.source, block.data().len() as u64, now);
            pool.handle_block(ask.source, ask.request, block, now).unwrap();
        }
        let said = say(&mut pool, &mut aside, now);
        again = asks(&said);
        if !again.is_empty() {
            let slow = PoolOutput::Cancel { source: 1, request: asked[1].request };
            assert!(said.contains(&slow), "{said:?}");
            break;
        }
    }
    let weights = plan(&again[0]).weights();
    assert!(weights[0] > 5 * weights[1] && weights[0] < 20 * weights[1], "{weights:?}");
    // The fast one goes on, and is asked beside that; the slow one begins anew.
    for block in &shares[0] {
        assert!(!plan(&again[0]).is_mine(block.cid()));
    }
    // What waits of the fast one would be sent again by nobody.
    for block in &aside {
        let by = again.iter().filter(|ask| plan(ask).is_mine(block.cid()));
        by.for_each(|ask| assert!(ask.have.contains(block.cid())));
    }
}

/// Leaves of a node; the first source ends and takes over from the second, which is told.
#[test]
fn who_gossips_is_told_what_another_takes_over() {
    let leaves: Vec<Block> =
        (0..200_u32).map(|n| Block::new(codec::RAW, n.to_le_bytes().repeat(500).into())).collect();
    let mut data = Vec::new();
    cbor::write_head(&mut data, cbor::ARRAY, leaves.len() as u64);
    leaves.iter().for_each(|link| cbor::write_link(&mut data, link.cid()));
    let root = Block::new(codec::DAG_CBOR, data.into());
    let (mut pool, asked) = pool(root.cid(), Kind::GOSSIPING, 2);
    assert!(asked.iter().all(|ask| ask.part == Some(Part::Minds)));
    let mut aside = Vec::new();
    let owner = asked.iter().find(|ask| plan(ask).is_mine(root.cid())).unwrap();
    pool.handle_block(owner.source, owner.request, root, 1_000).unwrap();
    for leaf in leaves.iter().filter(|leaf| plan(&asked[0]).is_mine(leaf.cid())) {
        pool.handle_block(0, asked[0].request, leaf.clone(), 2_000).unwrap();
    }
    pool.handle_end(asked[0].request, 100_000);
    let (mut view, mut taken, mut now) = (Provided::new(&[0; 16]), Vec::new(), 100_000);
    while taken.is_empty() {
        let said = say(&mut pool, &mut aside, now);
        assert!(!said.iter().any(|output| matches!(output, PoolOutput::Cancel { .. })));
        for output in &said {
            if let PoolOutput::Tell { source, message } = output {
                assert_eq!(*source, 1);
                view.apply(&Gossip::decode(view.key(), message).unwrap()).unwrap();
            }
        }
        for ask in asks(&said).into_iter().filter(|ask| ask.source == 0) {
            now += 1_000;
            taken.extend(ask.want.iter().filter(|cid| plan(&asked[1]).is_mine(cid)).copied());
            for cid in &ask.want {
                let leaf = leaves.iter().find(|leaf| leaf.cid() == cid).unwrap();
                pool.handle_block(0, ask.request, leaf.clone(), now).unwrap();
            }
            pool.handle_end(ask.request, now);
        }
    }
    assert!(taken.iter().all(|cid| view.is_provided_beside(1, cid)));
    // The source leaves them out.
    let mut member = Member::new(1, Provided::new(&[0; 16]));
    let pull = member.open(plan(&asked[1]).clone(), Part::Minds).unwrap();
    assert!(member.is_mine(pull, &taken[0]));
    view.told().for_each(|told| member.handle_message(&told.encode(view.key())).unwrap());
    assert!(!taken.iter().any(|cid| member.is_mine(pull, cid)));
}

#[test]
fn who_says_what_is_not_sealed_or_in_the_name_of_another_is_dropped() {
    let key = SessionKey::new(&[0; 16]);
    let mut forged = Gossip::hello(0, 0).encode(&key);
    forged[30] ^= 1;
    for (message, dropped) in [
        (Gossip::hello(0, 0).encode(&key), false),
        (Gossip::hello(1, 0).encode(&key), true),
        (forged, true),
    ] {
        let (mut pool, _) = pool(chain(3)[0].cid(), Kind::GOSSIPING, 2);
        pool.handle_message(0, &message);
        let said = say(&mut pool, &mut Vec::new(), 1);
        let drop = PoolOutput::Drop { source: 0, why: Gone::Lied };
        assert_eq!(said.contains(&drop), dropped);
    }
}
