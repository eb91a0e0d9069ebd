use crate::lab::{Node, Sink, Source, Strategy, Transcript, request};

/// The sink sends the first eight bytes of the digest of everything that it holds; the source sends
/// what is not on the list. One round, nothing to tune, eight bytes a block.
#[derive(Clone, Copy, Debug)]
pub struct Naive;

const PREFIX: u64 = 8;

impl Strategy for Naive {
    fn name(&self) -> &'static str {
        "naive"
    }

    fn run(&self, source: &mut Source<'_>, sink: &Sink<'_>) -> Transcript {
        let mut transcript = Transcript::new();
        transcript.request(request(1, PREFIX * sink.facts.blocks));
        let mut stack: Vec<Node> = vec![source.root()];
        while let Some(node) = stack.pop() {
            source.comparisons += 1;
            if !sink.holds(node) {
                stack.extend(source.send(node, &mut transcript));
            }
        }
        transcript
    }
}
