use crate::lab::{Node, Sink, Source, Strategy, Transcript};

/// Lists of what is missing, level by level: a block is asked for once its parent is there.
#[derive(Clone, Copy, Debug)]
pub struct Wants {
    name: &'static str,
    costs: Costs,
}

/// What a want and a block cost, and how many are under way.
#[derive(Clone, Copy, Debug)]
enum Costs {
    /// Those that were measured between two Kubo 0.44 nodes over a relay with 50 ms: a round trip
    /// for about 30 small blocks (its walker fetches 32 at once) or four of 256 KiB (1 MiB a peer
    /// is under way).
    Bitswap,
    /// 36 bytes a want, a level at once.
    Bare,
}

const MIB: u64 = 1 << 20;

impl Costs {
    fn at_once(self, size: u64) -> usize {
        match self {
            Self::Bitswap if size > MIB / 30 => usize::try_from(MIB / size).map_or(1, |n| n.max(1)),
            Self::Bitswap => 30,
            Self::Bare => usize::MAX,
        }
    }

    const fn up(self, size: u64) -> u64 {
        match self {
            Self::Bitswap if size > MIB / 30 => 300,
            Self::Bitswap => 136,
            Self::Bare => 36,
        }
    }

    /// Bytes around a block's own.
    const fn around(self, size: u64) -> u64 {
        match self {
            Self::Bitswap => 50 + size / 475,
            Self::Bare => 38,
        }
    }
}

impl Wants {
    /// As Bitswap asks.
    pub const BITSWAP: Self = Self { name: "bitswap", costs: Costs::Bitswap };
    /// The least that such a list costs.
    pub const BARE: Self = Self { name: "wants", costs: Costs::Bare };

    fn fetch(&self, wanted: &[Node], source: &mut Source<'_>, out: &mut Transcript) -> Vec<Node> {
        out.request(wanted.iter().map(|node| self.costs.up(source.size(*node))).sum());
        let mut links = Vec::new();
        for node in wanted {
            let size = source.size(*node);
            out.send_framed(*node, size + self.costs.around(size));
            links.extend(source.load(*node));
        }
        links
    }
}

impl Strategy for Wants {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&self, source: &mut Source<'_>, sink: &Sink<'_>) -> Transcript {
        let mut transcript = Transcript::new();
        let mut level = vec![source.root()];
        level.retain(|node| !sink.holds(*node));
        while let Some(first) = level.first() {
            let size = source.size(*first).max(source.size(level[level.len() - 1]));
            let mut next = Vec::new();
            for wanted in level.chunks(self.costs.at_once(size)) {
                next.extend(self.fetch(wanted, source, &mut transcript));
            }
            next.retain(|node| !sink.holds(*node));
            level = next;
        }
        transcript
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{Change, Edit, Point, Shape, measure};
    use carpool_mirror::planner::Path;

    /// Between two Kubo 0.44 nodes and a relay with 50 ms, as measured: blocks, bytes up and down,
    /// and seconds beyond those that it took without the relay.
    #[test]
    fn bitswap_is_as_it_was_measured() {
        let table = [
            (
                "file, cold",
                (174, 256, 262_144, 256),
                259,
                79_237.0,
                67_276_541.0,
                Some(3.81 - 0.50),
            ),
            ("file, 1 leaf", (174, 256, 262_144, 1), 3, 1_245.0, 272_098.0, Some(0.31 - 0.07)),
            (
                "tree, cold",
                (100, 20_000, 4_580, 20_000),
                20_203,
                2_753_013.0,
                94_561_701.0,
                Some(47.1 - 13.2),
            ),
            ("tree, 1,000 files", (100, 20_000, 4_580, 1_000), 1_202, 169_097.0, 5_834_245.0, None),
        ];
        for (case, (fan_out, n, leaf_bytes, d), blocks, up, down, seconds) in table {
            let edit = Edit { change: Change::Replace, d, clustered: false };
            let point = Point { shape: Shape::Tree(fan_out), n, leaf_bytes, edit };
            let path = Path { rtt_micros: 50_000, bytes_per_second: 1_000_000_000 };
            let row = measure(&point, &[path], &[&Wants::BITSWAP]).expect("complete").remove(0);
            assert_eq!(row.truth.missing, blocks, "{case}");
            // What two nodes say to each other before the first want is not modelled.
            let near = |measured: f64, model: f64, share: f64, apart: f64| {
                (model - measured).abs() < share * measured + apart
            };
            assert!(near(up, row.up as f64, 0.35, 700.0), "{case}: {} up", row.up);
            assert!(near(down, row.down as f64, 0.1, 0.0), "{case}: {} down", row.down);
            let time = seconds.is_none_or(|seconds| near(seconds, row.seconds, 0.35, 0.1));
            assert!(time, "{case}: {} s", row.seconds);
        }
    }
}
