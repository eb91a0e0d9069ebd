use carpool_core::{Cid, CidSet, cid_exact, cid_prefix};

/// A CID that is read is the one that the `cid` crate reads, and written as it was.
pub fn cid(data: &[u8]) {
    let theirs = Cid::read_bytes(data);
    let Ok((cid, n)) = cid_prefix(data) else {
        return refused(data, theirs.ok());
    };
    assert_eq!(theirs.expect("read by the other as well"), cid);
    assert_eq!(cid.to_bytes(), data[..n]);
    assert_eq!(cid_exact(&data[..n]), Ok(cid));
    assert_eq!(cid_exact(data).is_ok(), n == data.len());
    assert!((0..n).all(|cut| cid_prefix(&data[..cut]).is_err()));
    let mut set = CidSet::with_seed(1);
    assert!(set.insert(&cid) && set.contains(&cid) && set.contains_bytes(&data[..n]));
}

/// The other one reads a version 0 that says 18 and then something else than 32, and varints of
/// ten bytes.
fn refused(data: &[u8], theirs: Option<Cid>) {
    if let Some(cid) = theirs {
        let written = cid.to_bytes();
        let long_varint = data.windows(9).any(|nine| nine.iter().all(|byte| byte & 0x80 != 0));
        assert!(long_varint || !data.starts_with(&written), "{cid}");
    }
}
