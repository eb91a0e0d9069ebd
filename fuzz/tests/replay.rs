//! Every input that the fuzzer found worth keeping, replayed on stable.

use sim::dag::mix;
use std::{fs, path::Path};

/// The inputs of a target in the order of their names: the corpus, and past findings.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = |kind: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target);
    let files = fs::read_dir(folder("corpus")).expect("every target has a corpus");
    let findings = fs::read_dir(folder("regressions")).into_iter().flatten();
    let mut paths: Vec<_> =
        files.chain(findings).map(|file| file.expect("readable").path()).collect();
    paths.sort_unstable();
    paths.iter().map(|path| fs::read(path).expect("readable")).collect()
}

/// A few bytes changed, taken out or doubled.
fn mutated(input: &[u8], seed: u64) -> Vec<u8> {
    let mut out = input.to_vec();
    for n in 0..1 + seed % 4 {
        let random = mix(mix(seed) ^ n).to_le_bytes();
        let pick = u32::from_le_bytes([random[0], random[1], random[2], 0]) as usize;
        let at = pick % out.len().max(1);
        match random[3] % 8 {
            _ if out.is_empty() => out.push(random[4]),
            0 => drop(out.remove(at)),
            1 => out.insert(at, random[4]),
            2 => out.truncate(at),
            3 => out.extend_from_within(at..),
            4 => out[at] ^= 1 << (random[4] % 8),
            _ => out[at] = random[4],
        }
    }
    out
}

#[test]
fn the_corpus_passes() {
    for (target, run) in fuzz::TARGETS {
        let inputs = corpus(target);
        assert!(!inputs.is_empty(), "{target} has no corpus");
        inputs.iter().for_each(|input| run(input));
    }
}

/// `FUZZ_MUTATIONS` says how many of each input.
#[test]
fn so_do_mutations_of_it() {
    let count = std::env::var("FUZZ_MUTATIONS").map_or(Ok(10), |count| count.parse());
    let count: u64 = count.expect("a number");
    for (target, run) in fuzz::TARGETS {
        for (n, input) in corpus(target).iter().enumerate() {
            let seeds = (0..count).map(|seed| mix(n as u64) ^ seed);
            seeds.for_each(|seed| run(&mutated(input, seed)));
        }
    }
}

#[test]
fn so_do_the_shortest_inputs() {
    for (_, run) in fuzz::TARGETS {
        run(&[]);
        (0..=255).for_each(|byte| run(&[byte]));
        (0..=255).for_each(|byte| run(&[byte; 40]));
    }
}
