use carpool_core::{Block, Cid, CidSet, Limits, for_each_link};
use carpool_delta::{Decoder, Output};

use crate::{
    choices::Choices,
    delta_common::{Store, paired, receive, send},
};

/// Two versions of a tree, of which some was cut away: what is sent comes out, though only what a name shows to
/// lie below the old root is looked up there. Of a damaged body no name shows that of another block.
pub fn delta_bases(data: &[u8]) {
    let mut choices = Choices::new(data);
    let (mut old, mut new) = (Store::new(), Store::new());
    let old_root = tree(&mut choices, &mut old);
    let root = tree(&mut choices, &mut new);
    let missing = new.missing(&root, &old);
    let mut before = Store::new();
    let cut = choices.below(missing.len() + 1);
    let (came, rest) = missing.split_at(cut);
    came.iter().for_each(|block| before.put(block));
    let wanted: Vec<Cid> = rest.iter().map(|block| *block.cid()).collect();
    let mut both = new.clone();
    old.each(|block| both.put(block));
    let pairing = paired(root, old_root, &wanted, &both);
    let by_root = choices.byte() & 1 == 0 || wanted.is_empty();
    let known = (if by_root { &[root][..] } else { &wanted }, old_root);
    let body = send(known, rest, &pairing, &both);
    let (out, lost) = receive(known, &body, &old, &before);
    if rest.is_empty() {
        return;
    }
    assert_eq!(lost, 0);
    assert_eq!(sorted(&out), sorted(rest));
    damaged(&mut choices, known, body, &old);
}

fn sorted(blocks: &[Block]) -> Vec<Cid> {
    let mut cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
    cids.sort_unstable();
    cids.dedup();
    cids
}

fn damaged(choices: &mut Choices<'_>, known: (&[Cid], Cid), mut body: Vec<u8>, old: &Store) {
    let below = closure(known.1, old);
    while !choices.is_empty() {
        let at = usize::from(choices.byte()) << 8 | usize::from(choices.byte());
        let at = at % body.len();
        body[at] ^= choices.byte();
    }
    let mut decoder = Decoder::new(known.0.iter().copied(), [known.1], &Limits::default(), 0);
    decoder.handle_data(body.into());
    decoder.handle_eof();
    while let Ok(Some(output)) = decoder.poll() {
        if let Output::Load { cid, below_held } = output {
            assert!(!below_held || below.contains(&cid));
            decoder.handle_load(&cid, old.get(&cid));
        }
    }
}

fn closure(root: Cid, store: &Store) -> CidSet {
    let (mut below, mut stack) = (CidSet::with_seed(0), vec![root]);
    while let Some(cid) = stack.pop() {
        let Some(data) = store.get(&cid).filter(|_| below.insert(&cid)) else { continue };
        let _ = for_each_link(&cid, &data, &Limits::default(), |link| stack.push(link));
    }
    below
}

/// Directories of files, some of them of several chunks, of a few contents.
fn tree(choices: &mut Choices<'_>, store: &mut Store) -> Cid {
    let folders: Vec<Cid> = (0..=choices.below(3))
        .map(|_| {
            let files: Vec<Cid> = (0..=choices.below(4)).map(|_| file(choices, store)).collect();
            store.node(&files)
        })
        .collect();
    store.node(&folders)
}

fn file(choices: &mut Choices<'_>, store: &mut Store) -> Cid {
    let (which, changed) = (choices.byte(), choices.byte());
    let mut state = u64::from(which % 8) + 1;
    let len = 200 + 300 * usize::from(which / 8);
    let mut data: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        b'a' + u8::try_from(state >> 60).unwrap_or(0)
    })
    .take(len)
    .collect();
    if changed & 1 == 1 {
        data.insert(usize::from(changed).min(len), changed);
    }
    if which & 64 == 0 { store.leaf(data) } else { store.file(&data, 600, 4) }
}
