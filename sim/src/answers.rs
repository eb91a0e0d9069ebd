use crate::dag::mix;

/// In which order look-ups are answered: 0 as they were asked, any other seed at random.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerOrder {
    state: u64,
}

impl AnswerOrder {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn arrange<T>(&mut self, asked: &mut [T]) {
        if self.state == 0 {
            return;
        }
        for i in (1..asked.len()).rev() {
            self.state = mix(self.state.wrapping_add(0x9E37_79B9_7F4A_7C15)) | 1;
            let pick = self.state % (i as u64 + 1);
            asked.swap(i, usize::try_from(pick).expect("at most i"));
        }
    }
}
