//! A pull that is told of no old root, into a small store: all that is held narrows the first request.

mod common;

use carpool_core::Cid;
use common::{client_with, holding, holds_all, serve_default};
use sim::dag::{Shape, generate, original, scattered};

const SHAPE: Shape = Shape { seed: 8, leaves: 600, leaf_size: 500, fanout: 8 };

#[tokio::test(flavor = "multi_thread")]
async fn at_the_limit_and_one_past_it() {
    let (old, new) = (original(&SHAPE), generate(&SHAPE, &scattered(2, 600, 5)));
    let url = serve_default(holding(&new.blocks)).await;
    let lacking = {
        let held: std::collections::BTreeSet<Cid> = old.blocks.iter().map(|b| *b.cid()).collect();
        new.blocks.iter().filter(|block| !held.contains(block.cid())).count() as u64
    };
    let held = old.blocks.len();
    for (most, narrowed) in [(held, true), (held - 1, false)] {
        let sink = holding(&old.blocks);
        let client = client_with(&url, |options| options.small_store_blocks = most);
        let totals = client.pull(new.root, vec![], sink.clone()).await.unwrap().totals;
        assert!(holds_all(&sink, &new.blocks));
        assert_eq!((totals.blocks_received, totals.rounds), (lacking, 1));
        assert_eq!(totals.duplicate == 0, narrowed, "{} duplicates", totals.duplicate);
    }
}
