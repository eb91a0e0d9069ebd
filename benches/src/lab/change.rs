use sim::dag::mix;
use std::collections::BTreeSet;

/// What happens to the leaves of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Leaves get other bytes.
    Replace,
    /// New leaves come in between; what is behind them shifts.
    Insert,
    /// New leaves come at the end.
    Append,
    /// Leaves go to other places.
    Move,
    /// Leaves come once more, at other places, in whole nodes where they are neighbours.
    Copy,
}

impl Change {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 5] = [
        ("replace", Self::Replace),
        ("insert", Self::Insert),
        ("append", Self::Append),
        ("move", Self::Move),
        ("copy", Self::Copy),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, change)| *change == self).expect("all are listed").0
    }
}

/// A change of `d` leaves: anywhere, or one beside the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What happens.
    pub change: Change,
    /// To how many leaves.
    pub d: u64,
    /// Whether they are neighbours.
    pub clustered: bool,
}

/// A run of leaves of the new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Its first place in the new version.
    pub(super) start: u64,
    pub(super) len: u64,
    /// Where it was in the old version; `None` for leaves that are new.
    pub(super) old: Option<u64>,
}

/// The leaves of the new version as runs of those of the old: memory follows the change.
#[derive(Clone, Debug)]
pub(super) struct Sequence {
    segments: Vec<Segment>,
    /// Runs of old leaves, by their place there: in layers, since leaves may be there more than once.
    by_old: Vec<Vec<Segment>>,
    pub(super) old_len: u64,
    pub(super) new_len: u64,
}

/// What happens before an old place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// Old leaves come, this many from here on.
    Bring(u64, u64),
    /// New leaves come.
    Add(u64),
    /// The old leaves from here on go.
    Drop(u64),
}

impl Sequence {
    pub(super) fn new(n: u64, edit: &Edit) -> Self {
        let mut sequence = Self { segments: vec![], by_old: vec![], old_len: n, new_len: 0 };
        let mut at = 0;
        for (place, event) in events(n, edit) {
            sequence.push(Some(at), place.saturating_sub(at));
            at = at.max(place);
            match event {
                Event::Bring(old, len) => sequence.push(Some(old), len),
                Event::Add(len) => sequence.push(None, len),
                Event::Drop(len) => at = place + len,
            }
        }
        sequence.push(Some(at), n - at);
        sequence.by_old = layers(&sequence.segments);
        sequence
    }

    /// Goes on with the last run where it can.
    fn push(&mut self, old: Option<u64>, len: u64) {
        if len == 0 {
            return;
        }
        let joins = |last: &Segment| last.old.map(|at| at + last.len) == old && old.is_some();
        match self.segments.last_mut() {
            Some(last) if joins(last) || (last.old.is_none() && old.is_none()) => last.len += len,
            _ => self.segments.push(Segment { start: self.new_len, len, old }),
        }
        self.new_len += len;
    }

    /// Where the leaves `start..start + len` of the new version stood, if they stood together.
    pub(super) fn in_old(&self, start: u64, len: u64) -> Option<u64> {
        let after = self.segments.partition_point(|segment| segment.start <= start);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        let within = start - segment.start;
        let old = segment.old?;
        (within + len <= segment.len).then_some(old + within)
    }

    /// Where the leaves `start..start + len` of the old version stand, if they stand together.
    /// In one place of each layer at most.
    pub(super) fn in_new(&self, start: u64, len: u64) -> impl Iterator<Item = u64> {
        self.by_old.iter().filter_map(move |runs| in_run(runs, start, len))
    }
}

/// Runs of old leaves, each after the one before in its layer.
fn layers(segments: &[Segment]) -> Vec<Vec<Segment>> {
    let end = |segment: &Segment| segment.old.map_or(0, |old| old + segment.len);
    let mut held: Vec<Segment> =
        segments.iter().filter(|segment| segment.old.is_some()).copied().collect();
    held.sort_unstable_by_key(|segment| segment.old);
    let mut layers: Vec<Vec<Segment>> = Vec::new();
    for segment in held {
        let is_free = |layer: &&mut Vec<Segment>| layer.last().map(end) <= segment.old;
        match layers.iter_mut().find(is_free) {
            Some(layer) => layer.push(segment),
            None => layers.push(vec![segment]),
        }
    }
    layers
}

fn in_run(runs: &[Segment], start: u64, len: u64) -> Option<u64> {
    let after = runs.partition_point(|segment| segment.old <= Some(start));
    let segment = runs.get(after.checked_sub(1)?)?;
    let within = start - segment.old?;
    (within + len <= segment.len).then_some(segment.start + within)
}

fn events(n: u64, edit: &Edit) -> Vec<(u64, Event)> {
    let Edit { change, d, clustered } = *edit;
    let d =
        if matches!(change, Change::Replace | Change::Move | Change::Copy) { d.min(n) } else { d };
    let runs = if clustered { vec![(mix(d) % (n - d.min(n) + 1), d)] } else { scattered(n, d) };
    let mut events: Vec<_> = match change {
        Change::Append => vec![(n, Event::Add(d))],
        Change::Insert => runs.iter().map(|(at, len)| (*at, Event::Add(*len))).collect(),
        Change::Replace => {
            let both = |(at, len): &(u64, u64)| [(*at, Event::Add(*len)), (*at, Event::Drop(*len))];
            runs.iter().flat_map(both).collect()
        }
        Change::Copy => {
            let to = |at: u64, len: u64| target(n, at, len, &runs);
            runs.iter().map(|(at, len)| (to(*at, *len), Event::Bring(*at, *len))).collect()
        }
        Change::Move => {
            let to = |at: u64, len: u64| target(n, at, len, &runs);
            let both = |(at, len): &(u64, u64)| {
                [(to(*at, *len), Event::Bring(*at, *len)), (*at, Event::Drop(*len))]
            };
            runs.iter().flat_map(both).collect()
        }
    };
    events.sort_unstable();
    events
}

/// Single places, each once, in order; where more are inserted than there are places, the rest
/// comes in front.
fn scattered(n: u64, d: u64) -> Vec<(u64, u64)> {
    if d >= n {
        let rest = (0, d - n + 1);
        return std::iter::once(rest).chain((1..n).map(|at| (at, 1))).collect();
    }
    let (mut places, mut state) = (BTreeSet::new(), d);
    while (places.len() as u64) < d {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        places.insert(mix(state) % n);
    }
    places.into_iter().map(|at| (at, 1)).collect()
}

/// Somewhere else, and not inside a run that goes.
fn target(n: u64, at: u64, len: u64, runs: &[(u64, u64)]) -> u64 {
    let inside = |place: u64| {
        let after = runs.partition_point(|(at, _)| *at <= place);
        after > 0 && place < runs[after - 1].0 + runs[after - 1].1 && place != runs[after - 1].0
    };
    let place = (at + len + mix(at) % (n - len).max(1)) % (n + 1);
    if inside(place) { n } else { place }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Old places in their new order; new leaves are `None`.
    fn listed(sequence: &Sequence) -> Vec<Option<u64>> {
        let run = |segment: &Segment| {
            let old = segment.old;
            (0..segment.len).map(move |i| old.map(|old| old + i)).collect::<Vec<_>>()
        };
        sequence.segments.iter().flat_map(run).collect()
    }

    #[test]
    fn each_change_keeps_loses_and_adds_what_it_says() {
        for (name, change) in Change::ALL {
            for clustered in [false, true] {
                for (n, d) in [(1, 1), (50, 1), (50, 7), (50, 50), (50, 60)] {
                    let sequence = Sequence::new(n, &Edit { change, d, clustered });
                    let leaves = listed(&sequence);
                    let mut kept: Vec<u64> = leaves.iter().flatten().copied().collect();
                    kept.sort_unstable();
                    let new = leaves.len() - kept.len();
                    let lost = if change == Change::Replace { d.min(n) } else { 0 };
                    let adds = match change {
                        Change::Move | Change::Copy => 0,
                        Change::Replace => d.min(n),
                        Change::Insert | Change::Append => d,
                    };
                    let copied = if change == Change::Copy { d.min(n) } else { 0 };
                    assert_eq!(new as u64, adds, "{name} {clustered} {n} {d}");
                    assert_eq!(kept.len() as u64, n - lost + copied, "{name} {clustered} {n} {d}");
                    kept.dedup();
                    assert_eq!(kept.len() as u64, n - lost, "{name}: each of them");
                    assert_eq!(leaves.len() as u64, sequence.new_len);
                }
            }
        }
    }

    #[test]
    fn both_directions_agree_with_the_list() {
        for (_, change) in Change::ALL {
            let sequence = Sequence::new(60, &Edit { change, d: 5, clustered: false });
            let leaves = listed(&sequence);
            for len in 1..9 {
                for (start, window) in leaves.windows(len).enumerate() {
                    let old = window[0].filter(|first| {
                        window.iter().enumerate().all(|(i, leaf)| *leaf == Some(first + i as u64))
                    });
                    let (start, len) = (start as u64, len as u64);
                    assert_eq!(sequence.in_old(start, len), old);
                    if let Some(old) = old {
                        assert!(sequence.in_new(old, len).any(|place| place == start));
                    }
                }
            }
        }
    }
}
