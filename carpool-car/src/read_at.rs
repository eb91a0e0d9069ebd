/// Bytes that a machine asks its driver for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadAt {
    /// Where they begin.
    pub offset: u64,
    /// How many. The driver may give fewer only at the end of the input.
    pub len: usize,
}
