use carpool_mirror::{
    Error,
    bitmap::{decode, encode},
};

use crate::choices::Choices;

/// Any bytes for any number of bits: refused, or the one encoding of those bits; and any bits come
/// back.
pub fn bitmap(data: &[u8]) {
    let mut choices = Choices::new(data);
    let len = usize::from(choices.byte()) << 4 | usize::from(choices.byte()) & 15;
    let bytes = choices.bytes(usize::MAX);
    match decode(bytes, len) {
        Ok(bits) => {
            assert_eq!(bits.len(), len);
            assert_eq!(encode(bits).as_deref(), Ok(bytes));
        }
        Err(error) => assert!(matches!(error, Error::NoBitmap { .. }), "{error}"),
    }
    let bits: Vec<bool> = bytes.iter().flat_map(|byte| runs(*byte)).collect();
    let encoded = encode(bits.iter().copied()).expect("few bits");
    assert!(encoded.len() <= bits.len() / 7 + 8);
    assert_eq!(decode(&encoded, bits.len()), Ok(bits));
}

/// Seven bits as they are, or a run of up to 64.
fn runs(byte: u8) -> Vec<bool> {
    if byte < 0x80 {
        return (0..7).map(|bit| byte >> bit & 1 == 1).collect();
    }
    vec![byte & 0x40 != 0; 1 + usize::from(byte & 0x3f)]
}
