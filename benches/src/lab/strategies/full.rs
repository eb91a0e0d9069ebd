use crate::lab::{Sink, Source, Strategy, Transcript, request};

/// All of the new version, whatever the sink holds.
#[derive(Clone, Copy, Debug)]
pub struct Full;

impl Strategy for Full {
    fn name(&self) -> &'static str {
        "full"
    }

    fn run(&self, source: &mut Source<'_>, _: &Sink<'_>) -> Transcript {
        let mut transcript = Transcript::new();
        transcript.request(request(1, 0));
        let mut stack = vec![source.root()];
        while let Some(node) = stack.pop() {
            stack.extend(source.send(node, &mut transcript).into_iter().rev());
        }
        transcript
    }
}
