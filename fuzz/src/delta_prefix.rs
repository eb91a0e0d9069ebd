use carpool_delta::{compress_with, decompress_with};

use crate::choices::Choices;

/// A frame of any bytes behind any prefix: nothing, or the length that was asked for. What is compressed comes
/// back.
pub fn delta_prefix(data: &[u8]) {
    let mut choices = Choices::new(data);
    let len = usize::from(choices.byte()) << 4 | usize::from(choices.byte() & 15);
    let size = usize::from(choices.byte());
    let prefix = choices.bytes(size);
    let rest = choices.bytes(usize::MAX);
    let made = decompress_with(prefix, rest, len);
    assert!(made.is_none_or(|made| made.len() == len));
    // The encoder has tables of its own: not each time.
    if size.is_multiple_of(16) {
        let frame = compress_with(prefix, rest).expect("zstd takes this");
        assert_eq!(decompress_with(prefix, &frame, rest.len()).as_deref(), Some(rest));
    }
}
