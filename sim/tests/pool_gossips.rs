//! Sources that take over work of each other by themselves, beside those that only mind what the sink asks others for.

use carpool_pool::{Kind, Options};
use sim::swarm::{Behaviour, Report, Shape, Swarm, World};
use std::sync::Arc;

fn run(takes_over: bool, peers: Option<u64>) -> Report {
    let world = Arc::new(World::new(Shape::Wide, 16 << 20, false, 3));
    let source = |place| {
        let mut source = Behaviour::good(Kind::GOSSIPING, 1 << 19);
        source.seed = place;
        // Less than the plan says, so that there is something to take over.
        source.rate >>= u64::from(place == 3);
        source
    };
    let mut options = Options::default();
    options.takes_over = takes_over;
    let sources = (0..4).map(source).collect();
    Swarm { world, sources, rtt: 50_000, peers, options, restarts: None }.run()
}

#[test]
fn what_the_sink_gives_comes_once_and_what_sources_take_by_themselves_does_not() {
    let mut lines = Vec::new();
    for (name, takes_over, peers) in [
        ("they mind", false, None),
        ("they take over, by way of the sink", true, None),
        ("they take over, 2 ms from each other", true, Some(2_000)),
    ] {
        let report = run(takes_over, peers);
        assert!(report.complete);
        println!(
            "{name}: efficiency {} e-3, in vain {} e-4, control {} e-4",
            report.efficiency(),
            report.duplicates(),
            report.controls()
        );
        lines.push((report.efficiency(), report.duplicates()));
    }
    let [minds, by_sink, near] = lines[..] else { unreachable!("three") };
    assert!(minds.0 >= 970 && minds.1 <= 100, "{minds:?}");
    // Why it is the sink that gives.
    assert!(minds.1 < near.1.min(by_sink.1) && minds.0 > near.0.max(by_sink.0));
}
