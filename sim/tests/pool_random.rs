//! Whatever sources do, the store ends with all that some source which lives and does not lie has.

use carpool_pool::{Kind, Options};
use sim::{
    dag::mix,
    swarm::{Behaviour, Lie, Shape, Swarm, World},
};
use std::sync::Arc;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = mix(self.0.wrapping_add(0x9E37_79B9_7F4A_7C15));
        self.0 % sides
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.roll(of.len() as u64)).expect("few")]
    }
}

const KINDS: [Kind; 4] = [Kind::PLAIN, Kind::NAMED, Kind::AWARE, Kind::GOSSIPING];
const LIES: [Lie; 7] = [
    Lie::Garbage,
    Lie::Unrelated,
    Lie::Repeats,
    Lie::Silent,
    Lie::Dribbles,
    Lie::Promises,
    Lie::Forges,
];

fn swarm(seed: u64, worlds: &[Arc<World>]) -> Swarm {
    let dice = &mut Dice(seed);
    let world = Arc::clone(&worlds[usize::try_from(dice.roll(worlds.len() as u64)).expect("few")]);
    let (rtt, mixed) = (dice.pick(&[1_000, 50_000, 150_000]), dice.pick(&KINDS));
    let count = dice.pick(&[2, 3, 4, 8]);
    let mut sources: Vec<Behaviour> = (0..count)
        .map(|_| {
            let kind = if dice.roll(2) == 0 { mixed } else { dice.pick(&KINDS) };
            let mut source = Behaviour::good(kind, 20_000 << dice.roll(6));
            source.seed = dice.roll(u64::MAX);
            source.told = dice.pick(&[0, source.rate, source.rate * 4]);
            source.jitter = dice.pick(&[0, 0, 50]);
            source.lacks = dice.pick(&[0, 0, 30, 100]);
            source.joins = dice.pick(&[0, 0, 0, 1_500_000]);
            match dice.roll(6) {
                0 => source.dies = Some(dice.roll(5_000_000)),
                1 => source.stalls = Some((dice.roll(3_000_000), dice.roll(20_000_000))),
                2 => source.lie = Some(dice.pick(&LIES)),
                _ => {}
            }
            source
        })
        .collect();
    let mut good = Behaviour::good(dice.pick(&KINDS), 50_000);
    good.lacks = dice.pick(&[0, 0, 20]);
    let place = dice.roll(count + 1);
    sources.insert(usize::try_from(place).expect("few"), good);
    let mut options = Options::default();
    (options.max_wasted, options.max_waiting) = (1 << 20, 1 << 20);
    options.seed = dice.roll(u64::MAX);
    options.takes_over = dice.roll(4) == 0;
    let peers = dice.pick(&[None, None, Some(2_000)]);
    let restarts = dice.pick(&[None, None, None, Some(2_000_000)]);
    Swarm { world, sources, rtt, peers, options, restarts }
}

fn worlds() -> Vec<Arc<World>> {
    let shapes = [Shape::Wide, Shape::Small, Shape::Tree, Shape::Chain];
    let all = shapes
        .into_iter()
        .flat_map(|shape| [false, true].map(|old| Arc::new(World::new(shape, 400_000, old, 7))));
    all.collect()
}

/// One of `CARPOOL_SEED` alone where that is set.
const RUNS: u64 = 10_000;

#[test]
fn the_store_ends_with_all_that_there_is() {
    let worlds = worlds();
    let first = std::env::var("CARPOOL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = first.map_or(0..RUNS, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let swarm = swarm(seed, &worlds);
        let report = std::panic::catch_unwind(|| swarm.run());
        let report = report.unwrap_or_else(|_| panic!("CARPOOL_SEED={seed}"));
        assert!(
            report.complete,
            "CARPOOL_SEED={seed}: {:?} {:?} {:?}",
            report.outcome.missing, report.sources, swarm.sources
        );
        for (tally, _) in &report.sources {
            assert!(tally.duplicate_bytes < 4 << 20, "CARPOOL_SEED={seed}: {tally:?}");
        }
    }
}
