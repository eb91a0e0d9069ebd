use alloc::vec::Vec;
use carpool_bloom::Params;

use super::{Connection, Facts, Path, Step, filter_for, interior_filter_for};

/// Bytes of a message around what it carries, of a want, and of a section around its block.
const MESSAGE: f64 = 60.0;
const WANT: f64 = 41.0;
const SECTION: f64 = 39.0;
const LINK: f64 = 41.0;
/// Bytes of a sketch's cell, cells a difference, and cells of the first message.
const CELL: f64 = 10.0;
const CELLS_EACH: f64 = 1.4;
const FIRST_CELLS: f64 = 256.0;
const SKETCH_GROWTH: f64 = 4.0;
/// Levels beyond which a DAG counts as a chain: there rounds follow the change and not the depth.
pub(crate) const DEEPEST_TREE: u64 = 64;

/// What a step is thought to cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Bytes of requests.
    pub up: u64,
    /// Bytes of answers.
    pub down: u64,
    /// Seconds.
    pub seconds: f64,
}

/// Blocks that are missing, level by level from the leaves up, were `leaves` scattered leaves new.
struct Missing {
    levels: Vec<f64>,
    leaf_bytes: f64,
    node_bytes: f64,
    links: f64,
    chain: bool,
}

impl Missing {
    fn new(facts: &Facts, leaves: f64) -> Self {
        let chain = facts.depth > DEEPEST_TREE;
        let links = facts.links_a_node();
        let mut levels = Vec::from([leaves]);
        if chain {
            levels.push(leaves);
        } else {
            let mut nodes = facts.leaves();
            for _ in 0..facts.depth {
                nodes = (nodes / links).max(1.0);
                levels.push(nodes * -libm::expm1(-leaves / nodes));
            }
        }
        let (leaf, node) = (facts.leaf_bytes as f64 + SECTION, links * LINK + SECTION);
        Self { levels, leaf_bytes: leaf, node_bytes: node, links, chain }
    }

    fn leaves(&self) -> f64 {
        self.levels[0]
    }

    fn interior(&self) -> f64 {
        self.levels[1..].iter().sum()
    }

    fn leaf_payload(&self) -> f64 {
        self.leaves() * self.leaf_bytes
    }

    fn interior_payload(&self) -> f64 {
        self.interior() * self.node_bytes
    }

    fn payload(&self) -> f64 {
        self.leaf_payload() + self.interior_payload()
    }

    fn all(&self) -> f64 {
        self.leaves() + self.interior()
    }
}

/// The most leaves of which no more than `blocks` blocks would be missing in all, at least one.
pub(super) fn leaves_among(facts: &Facts, blocks: u64) -> u64 {
    let fits = |leaves: u64| Missing::new(facts, leaves as f64).all() <= blocks as f64;
    let most = facts.blocks.saturating_sub(facts.interior).max(1);
    let (mut fitting, mut most) = (blocks.min(1), blocks.min(most));
    while fitting < most {
        let middle = most - (most - fitting) / 2;
        if fits(middle) {
            fitting = middle;
        } else {
            most = middle - 1;
        }
    }
    fitting
}

/// Requests and answers, replayed on one connection.
struct Rounds {
    connection: Connection,
    cost: Cost,
}

impl Rounds {
    const fn new(path: Path) -> Self {
        let cost = Cost { up: 0, down: 0, seconds: 0.0 };
        Self { connection: Connection::new(path), cost }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    fn round(&mut self, up: f64, down: f64) {
        let (up, down) = (up as u64, down as u64);
        self.cost.up = self.cost.up.saturating_add(up);
        self.cost.down = self.cost.down.saturating_add(down);
        self.cost.seconds += self.connection.round(up, down);
    }
}

/// What `step` costs, were `leaves` scattered leaves new.
pub(super) fn predict(step: Step, facts: &Facts, leaves: f64) -> Cost {
    let missing = Missing::new(facts, leaves);
    let mut rounds = Rounds::new(facts.path);
    match step {
        Step::HeldRoots => rounds.round(2.5 * MESSAGE, missing.payload()),
        Step::Everything => rounds.round(MESSAGE, everything(facts, &missing)),
        Step::Filter => filter(facts, &missing, &mut rounds),
        Step::InteriorFilter => interior_filter(facts, &missing, &mut rounds),
        Step::Bitmaps => bitmaps(&missing, &mut rounds),
        Step::Sketch => sketch(facts, &missing, &mut rounds),
    }
    rounds.cost
}

fn everything(facts: &Facts, missing: &Missing) -> f64 {
    facts.leaves() * missing.leaf_bytes + facts.interior as f64 * missing.node_bytes
}

fn filter(facts: &Facts, missing: &Missing, rounds: &mut Rounds) {
    let params: Params = filter_for(facts.blocks, missing.all(), &facts.path);
    rounds.round(MESSAGE + params.bytes() as f64, missing.payload());
    let rate = params.predicted_fpr(facts.blocks);
    // In a chain nearly every block has a link that is asked about before anything is left out.
    let stragglers = missing.all() * if missing.chain { rate * rate } else { rate };
    let again = if missing.chain { stragglers } else { stragglers.min(1.0) };
    rounds.cost.seconds += again * facts.path.rtt();
    rounds.cost.up = rounds.cost.up.saturating_add(ceil(again * MESSAGE + stragglers * WANT));
}

fn interior_filter(facts: &Facts, missing: &Missing, rounds: &mut Rounds) {
    let params = interior_filter_for(facts.interior);
    rounds.round(MESSAGE + params.bytes() as f64, missing.interior_payload());
    let links = missing.links * missing.interior();
    rounds.round(MESSAGE + entropy(links, missing.leaves()) / 8.0, missing.leaf_payload());
    let rate = params.predicted_fpr(facts.interior);
    let rate = if missing.chain { rate * rate } else { rate };
    let stragglers = rate * missing.levels.get(1).copied().unwrap_or(0.0);
    let again = if missing.chain { stragglers } else { stragglers.min(1.0) };
    rounds.cost.seconds += again * facts.path.rtt();
}

fn bitmaps(missing: &Missing, rounds: &mut Rounds) {
    if missing.chain {
        rounds.round(MESSAGE, missing.payload());
        rounds.cost.seconds += missing.leaves() * rounds.connection.rtt();
        return;
    }
    let mut up = MESSAGE;
    for level in (0..missing.levels.len()).rev() {
        let each = if level == 0 { missing.leaf_bytes } else { missing.node_bytes };
        rounds.round(up, missing.levels[level] * each);
        let below = level.checked_sub(1).map_or(0.0, |below| missing.levels[below]);
        up = entropy(missing.levels[level] * missing.links, below) / 8.0 + 2.0;
    }
}

/// Cells, four times as many in all with each message, until what differs is known or they have taken
/// more bytes than an interior filter would.
fn sketch(facts: &Facts, missing: &Missing, rounds: &mut Rounds) {
    let needed = 2.0 * missing.all() * CELLS_EACH + FIRST_CELLS / 16.0;
    let most = fallback_bytes(facts, missing) / CELL;
    let (mut sent, mut all) = (0.0, FIRST_CELLS);
    while all < needed {
        rounds.round((all - sent) * CELL, 2.0);
        if all * SKETCH_GROWTH > most {
            let fall_back = if missing.chain { filter } else { interior_filter };
            return fall_back(facts, missing, rounds);
        }
        (sent, all) = (all, all * SKETCH_GROWTH);
    }
    rounds.round(MESSAGE + (all - sent) * CELL, missing.payload());
}

fn fallback_bytes(facts: &Facts, missing: &Missing) -> f64 {
    if missing.chain {
        return filter_for(facts.blocks, missing.all(), &facts.path).bytes() as f64;
    }
    interior_filter_for(facts.interior).bytes() as f64
}

/// Bits that tell which `d` of `n` it is: log2 of the binomial coefficient, nearly.
pub(super) fn entropy(n: f64, d: f64) -> f64 {
    let p = (d / n.max(1.0)).clamp(0.0, 1.0);
    let part = |p: f64| if p > 0.0 { -p * libm::log2(p) } else { 0.0 };
    n * (part(p) + part(1.0 - p))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn ceil(x: f64) -> u64 {
    libm::ceil(x) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_that_of_the_binomial_coefficient() {
        // reconciliation of 10^6 leaves: 22, 1,425 and 58,623 bytes for 10, 10^3 and 10^5.
        for (d, bytes) in [(10.0, 22.2), (1e3, 1_425.0), (1e5, 58_623.0)] {
            let entropy = entropy(1e6, d) / 8.0;
            assert!((entropy / bytes - 1.0).abs() < 0.02, "{d}: {entropy}");
        }
        assert_eq!((entropy(0.0, 0.0), entropy(5.0, 0.0), entropy(5.0, 9.0)), (0.0, 0.0, 0.0));
    }
}
