use carpool_core::varint::{self, MAX_BYTES};

/// A varint that is read is written as it was; none needs more than nine bytes, and what is
/// undecided becomes decided by more bytes.
pub fn varint(data: &[u8]) {
    match varint::decode(data) {
        Ok(Some((value, n))) => {
            let mut out = [0; 10];
            assert_eq!((varint::encode(value, &mut out), varint::len(value)), (n, n));
            assert_eq!(out[..n], data[..n]);
            assert_eq!(varint::decode(&data[..n]), Ok(Some((value, n))));
            assert!((0..n).all(|cut| varint::decode(&data[..cut]) == Ok(None)));
        }
        Ok(None) => {
            assert!(data.len() < MAX_BYTES && data.iter().all(|byte| byte & 0x80 != 0));
            let longer = [data, &[1]].concat();
            assert!(varint::decode(&longer).is_ok_and(|read| read.is_some()));
        }
        Err(_) => assert!(varint::take(data).is_err()),
    }
}
