//! What the best possible assignment takes: nobody can be faster.

use std::collections::HashMap;

use super::Swarm;

/// Three round trips, and the least time in which the sources can send what is missing, given who holds what: of
/// any set of sources, what only they hold has to go through their lines. All sets of up to eight sources are
/// looked at, and of more each single one and all together, so that what is found is never too long.
pub(super) fn time(swarm: &Swarm) -> u64 {
    3 * swarm.rtt + bound(swarm)
}

fn bound(swarm: &Swarm) -> u64 {
    let n = swarm.sources.len();
    let holders = holders(swarm);
    let all = if n == 64 { u64::MAX } else { (1 << n) - 1 };
    let sets: Vec<u64> = if n <= 8 {
        (1..=all).collect()
    } else {
        (0..n).map(|place| 1 << place).chain([all]).collect()
    };
    sets.into_iter()
        .map(|set| {
            let bytes =
                holders.iter().filter(|(of, _)| **of & !set == 0).map(|(_, bytes)| bytes).sum();
            least(swarm, set, bytes)
        })
        .max()
        .unwrap_or(0)
}

/// Bytes by who holds them.
fn holders(swarm: &Swarm) -> HashMap<u64, u64> {
    let world = &swarm.world;
    let held: std::collections::HashSet<_> = world.held.iter().map(|block| *block.cid()).collect();
    let mut bytes = HashMap::new();
    for (cid, number) in world.order.iter().zip(0..) {
        if held.contains(cid) {
            continue;
        }
        let of = swarm
            .sources
            .iter()
            .enumerate()
            .filter(|(_, source)| source.lie.is_none() && source.has(number));
        let of = of.fold(0_u64, |set, (place, _)| set | 1 << place);
        if of != 0 {
            *bytes.entry(of).or_insert(0) +=
                world.data(cid).map_or(0, |data| data.len() as u64 + super::SECTION);
        }
    }
    bytes
}

/// When the sources of a set have sent so many bytes, if none of them is ever idle while it is there.
fn least(swarm: &Swarm, set: u64, bytes: u64) -> u64 {
    let sources: Vec<_> = swarm
        .sources
        .iter()
        .enumerate()
        .filter(|(place, source)| set & 1 << place != 0 && source.lie.is_none())
        .map(|(_, source)| source)
        .collect();
    let sent = |until: u64| -> u128 {
        let of = |source: &&super::Behaviour| {
            let end = source.dies.unwrap_or(u64::MAX).min(until);
            let there = end.saturating_sub(source.joins);
            let still = source.stalls.map_or(0, |(from, long)| {
                end.min(from.saturating_add(long)).saturating_sub(from.max(source.joins))
            });
            u128::from(mean_rate(source)) * u128::from(there.saturating_sub(still))
        };
        sources.iter().map(of).sum()
    };
    let needed = u128::from(bytes) * 1_000_000;
    let (mut low, mut high) = (0, 1 << 42);
    if sent(high) < needed {
        return 0;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if sent(middle) >= needed { high = middle } else { low = middle + 1 }
    }
    low
}

/// What a rate that changes with each block comes to: blocks at a low rate take longer, so it is the harmonic mean.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a mean"
)]
fn mean_rate(source: &super::Behaviour) -> u64 {
    let off = source.jitter as f64 / 100.0;
    if off == 0.0 {
        return source.rate;
    }
    (source.rate as f64 * 2.0 * off / ((1.0 + off) / (1.0 - off)).ln()) as u64
}
