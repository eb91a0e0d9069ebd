//! What `-v` says of a transfer, a line for each round.

use carpool_http::{
    Encodings,
    client::{Call, End, Event, FilterSize, Round, Wants},
    message::Dialect,
};

use crate::output::{printable, size};

/// An event as a line for people.
pub(crate) fn event_line(event: &Event) -> String {
    match event {
        Event::Speaks(dialect) => format!("the server speaks {}", dialect_name(*dialect)),
        Event::Turns(dialect) => {
            format!("the server has no such route; trying {}", dialect_name(*dialect))
        }
        Event::Plans(plan) => format!("plan: {plan}"),
        Event::Encodes(encoding) => encoding.to_string(),
        Event::Round(round) => round_line(round),
        other => format!("{other:?}"),
    }
}

const fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Spec => "CAR Mirror over HTTP 0.2.0",
        Dialect::CarMirror => "the dialect of car-mirror 0.1.0",
    }
}

fn round_line(round: &Round) -> String {
    let Round { number, bytes, seconds, .. } = round;
    let pull = matches!(round.call, Call::Request(_));
    let moved = if pull { "came" } else { "sent" };
    let blocks = counted(round.blocks, "block");
    let duplicates = counted(round.duplicates, "duplicate");
    format!(
        "round {number}: {}; {blocks}, {} {moved}{}, {duplicates}, {seconds:.2} s; {}",
        call(&round.call),
        size(*bytes),
        encoded(&round.encodings),
        end(&round.end),
    )
}

/// What blocks travelled as, where that was in a delta body.
fn encoded(encodings: &Encodings) -> String {
    let Encodings { plain, compressed, copies, prefix, .. } = encodings;
    let all = [
        (copies, "as copies of old ones"),
        (prefix, "as old ones with a difference"),
        (compressed, "compressed"),
        (plain, "as they are"),
    ];
    let some = all.into_iter().filter(|(tally, _)| tally.blocks > 0);
    let said: Vec<String> = some
        .map(|(tally, what)| format!("{} {what} ({})", tally.blocks, size(tally.bytes)))
        .collect();
    if said.is_empty() { String::new() } else { format!(", {}", said.join(", ")) }
}

fn call(call: &Call) -> String {
    match call {
        Call::Request(wants) => format!("asked for {}", wanted(wants, "root")),
        Call::Cold => "cold call, nothing is known of the server".into(),
        Call::Estimate => "without what the server is believed to hold".into(),
        Call::Answer => "what the server asked for".into(),
        other => format!("{other:?}"),
    }
}

fn end(end: &End) -> String {
    match end {
        End::Missing(0) => "nothing is missing now".into(),
        End::Missing(1) => "1 subgraph is missing now".into(),
        End::Missing(missing) => format!("{missing} subgraphs are missing now"),
        End::Wants(Wants { roots: 0, bitmap: None, .. }) => "the server has all of it".into(),
        End::Wants(wants) => format!("the server wants {}", wanted(wants, "subgraph")),
        End::Failed(reason) => format!("it failed: {}", printable(reason)),
        other => format!("{other:?}"),
    }
}

fn wanted(wants: &Wants, what: &str) -> String {
    let roots = match (wants.roots, wants.bitmap) {
        (roots, None) => counted(roots, what),
        (0, Some(bytes)) => format!("links of blocks that are known, a bitmap of {}", size(bytes)),
        (roots, Some(bytes)) => {
            format!(
                "{} and links of blocks that are known, a bitmap of {}",
                counted(roots, what),
                size(bytes)
            )
        }
    };
    if let Some(cells) = wants.cells {
        return format!("{roots} with {} of a sketch", counted(cells, "cell"));
    }
    let Some(FilterSize { bytes, k, keys, .. }) = wants.filter else {
        return format!("{roots} without a filter");
    };
    let (bytes, keys) = (size(bytes), counted(keys, "block"));
    let only = if wants.held_back { ", unless the server knows a root that is held" } else { "" };
    format!("{roots} with a filter of {bytes} over about {keys} (k {k}){only}")
}

fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
