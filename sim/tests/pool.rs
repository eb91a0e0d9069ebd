//! Pools: one sink, many sources.

use carpool_pool::{Kind, Options};
use sim::swarm::{Behaviour, Report, Shape, Swarm, World};
use std::sync::Arc;

fn run(world: &Arc<World>, sources: Vec<Behaviour>, rtt: u64) -> Report {
    let options = Options::default();
    Swarm { world: Arc::clone(world), sources, rtt, options, restarts: None }.run()
}

#[test]
fn look() {
    for shape in [Shape::Wide, Shape::Small, Shape::Tree, Shape::Chain] {
        let world = Arc::new(World::new(shape, 8 << 20, false, 1));
        for kind in [Kind::PLAIN, Kind::NAMED, Kind::AWARE] {
            for rates in [&[1, 1, 1, 1][..], &[100, 50, 25, 10]] {
                for known in [true, false] {
                    for rtt in [1_000, 50_000, 150_000] {
                        let sum: u64 = rates.iter().sum();
                        let sources: Vec<Behaviour> = rates
                            .iter()
                            .map(|share| {
                                let mut source = Behaviour::good(kind, (8 << 20) / 8 * share / sum);
                                if !known {
                                    source.told = 0;
                                }
                                source
                            })
                            .collect();
                        let report = run(&world, sources, rtt);
                        let stolen: u64 = report.sources.iter().map(|(t, _)| t.stolen).sum();
                        let requests: u64 = report.sources.iter().map(|(t, _)| t.requests).sum();
                        println!(
                            "{shape:?} {} {rates:?} known {known} rtt {} eff {} dup {} ctl {} waited {} stolen {} req {} steps {} {}",
                            if kind.aware {
                                "aware"
                            } else if kind.named {
                                "named"
                            } else {
                                "plain"
                            },
                            rtt / 1000,
                            report.efficiency(),
                            report.duplicates(),
                            report.controls(),
                            report.waited,
                            stolen,
                            requests,
                            report.steps,
                            if report.complete { "" } else { "INCOMPLETE" }
                        );
                    }
                }
            }
        }
    }
}
