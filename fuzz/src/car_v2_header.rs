use carpool_car::{Error, v2};

/// Any forty bytes are written as they were read, and are good where the parts that they name lie
/// one behind another.
pub fn car_v2_header(data: &[u8]) {
    let mut bytes = [0; v2::HEADER_BYTES];
    let n = data.len().min(bytes.len());
    bytes[..n].copy_from_slice(&data[..n]);
    let mut header = v2::Header::decode_unchecked(&bytes);
    assert_eq!(header.encode(), bytes);
    let end = u128::from(header.data_offset) + u128::from(header.data_size);
    let good = header.data_offset >= 51
        && header.data_size > 0
        && end <= u128::from(u64::MAX)
        && (header.index_offset == 0 || u128::from(header.index_offset) >= end);
    match v2::Header::decode(&bytes) {
        Ok(read) => assert!(good && read == header && end == u128::from(header.data_end())),
        Err(Error::Unfinalised) => assert_eq!(bytes, [0; v2::HEADER_BYTES]),
        Err(_) => assert!(!good),
    }
    let full = header.is_fully_indexed();
    assert_eq!(full, bytes[0] & 0x80 != 0);
    header.set_fully_indexed(!full);
    assert_eq!(header.encode()[0], bytes[0] ^ 0x80);
    assert_eq!(header.encode()[1..], bytes[1..]);
    if let Ok(new) = v2::Header::new(header.data_size, full) {
        assert_eq!(new.check(), Ok(()));
    }
}
