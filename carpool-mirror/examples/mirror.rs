//! A whole transfer in memory: a source and a sink, no I/O.

use carpool_core::{Block, Bytes, Cid, Limits, codec};
use carpool_mirror::{Sink, SinkOutput, Source, SourceOutput};
use carpool_selector::Order;
use std::collections::BTreeMap;

type Blocks = BTreeMap<Cid, Bytes>;

fn main() -> Result<(), carpool_mirror::Error> {
    let leaf = Block::new(codec::RAW, "hello".into());
    let link = [b"\x81\xd8\x2a\x58\x25\x00", &leaf.cid().to_bytes()[..]].concat();
    let root = Block::new(codec::DAG_CBOR, link.into());
    let root_cid = *root.cid();
    let here: Blocks = [leaf, root].into_iter().map(Block::into_parts).collect();
    let mut there = Blocks::new();

    let limits = Limits::default();
    let mut sink = Sink::new([root_cid], [], &limits, 0);
    let mut source = Source::new(Order::DepthFirst, &limits, 0);
    loop {
        match sink.poll()?.expect("a sink whose look-ups are answered speaks") {
            SinkOutput::Load(cid) => sink.handle_load(&cid, there.get(&cid).cloned()),
            SinkOutput::Has(cid) => sink.handle_has(&cid, there.contains_key(&cid)),
            SinkOutput::Store(block) => there.extend([block.into_parts()]),
            SinkOutput::Plan(_) | SinkOutput::Summary | SinkOutput::Ask(_) => {
                unreachable!("this sink has neither a plan nor a summary")
            }
            SinkOutput::Transmit(status) => {
                source.handle_status(status)?;
                send(&mut source, &here, &mut sink, &mut there)?;
            }
            SinkOutput::Done(outcome) => {
                println!("{} blocks, {} rounds", there.len(), outcome.rounds);
                assert_eq!((outcome.missing, there), (0, here));
                return Ok(());
            }
        }
    }
}

/// One round: the source's blocks, one by one, and the sink's look-ups after each.
fn send(
    source: &mut Source,
    here: &Blocks,
    sink: &mut Sink,
    there: &mut Blocks,
) -> Result<(), carpool_mirror::Error> {
    while let Some(output) = source.poll()? {
        match output {
            SourceOutput::Load(cid) => source.handle_load(&cid, here.get(&cid).cloned()),
            SourceOutput::Missing(cid) => println!("{cid} is not held"),
            SourceOutput::EndRound => sink.handle_end_round(),
            SourceOutput::Transmit(block) => {
                sink.handle_block(block)?;
                while let Some(output) = sink.poll()? {
                    match output {
                        SinkOutput::Load(cid) => sink.handle_load(&cid, there.get(&cid).cloned()),
                        SinkOutput::Has(cid) => sink.handle_has(&cid, there.contains_key(&cid)),
                        SinkOutput::Store(block) => there.extend([block.into_parts()]),
                        SinkOutput::Plan(_)
                        | SinkOutput::Summary
                        | SinkOutput::Transmit(_)
                        | SinkOutput::Ask(_)
                        | SinkOutput::Done(_) => unreachable!("in a round"),
                    }
                }
            }
        }
    }
    Ok(())
}
