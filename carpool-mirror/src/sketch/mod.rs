//! Sketches on the wire: the source finds out what the sink lacks from as many cells of a keyed,
//! rateless sketch as there are differences, whatever both sides hold
//! ([`carpool_bloom::sketch`] is the code; `docs/extension.md` is the specification).
//!
//! The sink keeps [`Sketches`], one for each of the last keys, and sends [`Cells`] of them. The source
//! drew the key; its [`Reconciliation`] walks the DAG once and ends with what is [`Lacking`].

mod cells;
mod key;
mod lacking;
mod range;
mod reconciliation;
mod sketches;

pub use cells::Cells;
pub use key::NamedKey;
pub use lacking::Lacking;
pub use range::CellRange;
pub use reconciliation::{Reconciliation, Reconciling};
pub use sketches::Sketches;

/// Cells of the first message: less would cost rounds, and 2,560 bytes go out at once anyway.
pub const FIRST_CELLS: usize = 256;
/// All cells after a message, by those before it.
pub const GROWTH: usize = 4;
/// The most cells of one reconciliation: some 47,000 differences, in 640 KiB of messages.
pub const MAX_CELLS: usize = 1 << 16;
/// Messages of cells that a source takes in one transfer, whatever comes of them: at most five are of
/// use, and a set may change in between.
pub const MAX_MESSAGES: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::String, vec, vec::Vec};
    use carpool_bloom::sketch::{Key, Sketch};
    use carpool_core::{Block, codec};

    use crate::extension::{Answer, Offer, Request};
    use crate::planner::Step;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn vectors_of_the_specification() {
        let key = Key::new([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        let (named, cells) = (NamedKey { number: 7, key }, CellRange { first: 256, count: 768 });
        let text = "key=7.000102030405060708090a0b0c0d0e0f";
        let answer = Answer { key: Some(named), ..Answer::default() };
        assert_eq!(answer.encode(), format!("v=1; {text}"));
        let asks = Answer { cells: Some(cells), ..Answer::default() };
        assert_eq!(asks.encode(), "v=1; cells=256.768");
        let (ask, key_too, cells) = (Some(Step::Sketch), Some(named), Some(cells));
        let offer = Offer { ask, key: key_too, cells, ..Offer::default() };
        assert_eq!(offer.encode(), format!("v=1; ask=sketch; {text}; cells=256.768"));
        let cids =
            [0xa0, 0xf6, 0xf5].map(|data| *Block::new(codec::DAG_CBOR, vec![data].into()).cid());
        let symbols = cids.map(|cid| key.symbol(&cid.to_bytes()).get());
        assert_eq!(symbols, [215_288_543_528_529, 20_179_633_594_287, 165_219_010_013_552]);
        let mut sketch = Sketch::new(key, 8);
        sketch.toggle(&cids[0].to_bytes());
        let of_one: Vec<String> = sketch.cells().iter().map(|cell| hex(&cell.to_bytes())).collect();
        let (a, none) = ("514629c5cdc33b901c89", "00000000000000000000");
        assert_eq!(of_one, [a, none, a, a, none, none, none, none]);
        cids[1..].iter().for_each(|cid| sketch.toggle(&cid.to_bytes()));
        let of_all: Vec<String> = sketch.cells().iter().map(|cell| hex(&cell.to_bytes())).collect();
        let [zeroth, first, second, last] = [
            "8ef0aba6d347980694d8",
            "af5fe46f5a12f1a0b67f",
            "fe19cdaa97d1ca30aaf6",
            "70e9660c449652363e2e",
        ];
        assert_eq!(of_all, [zeroth, first, second, second, none, none, none, last]);
        let two = Cells::of(&sketch, 7, CellRange { first: 2, count: 1 }).expect("cells");
        let body = Request { root: Some(cids[0]), cells: Some(two), ..Request::default() }.encode();
        let a = hex(&cids[0].to_bytes());
        assert_eq!(hex(&body), format!("a2616383070254{zeroth}{second}61725824{a}"));
    }
}
