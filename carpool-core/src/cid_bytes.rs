use cid::Cid;
use multihash::Multihash;

use crate::{Error, codec, hash::SHA2_256, varint};

/// The longest digest that a CID may carry, in bytes.
const MAX_DIGEST: u8 = 64;

/// Reads a binary CID from the front of `input`; returns it and its length in bytes.
///
/// Version 0 is the bare multihash `12 20 …` of 34 bytes, read as DAG-PB
/// ([CID, decoding algorithm](https://github.com/multiformats/cid#decoding-algorithm)).
///
/// # Errors
/// [`Error::Cid`] when the bytes are no CID of version 0 or 1, end early, or carry a digest of
/// more than 64 bytes; [`Error::Varint`] when one of its varints is malformed.
#[inline]
pub fn cid_prefix(input: &[u8]) -> Result<(Cid, usize), Error> {
    match *input {
        [0x12, 0x20, ref rest @ ..] => {
            let hash = hash_of_32(SHA2_256, rest)?;
            Cid::new_v0(hash).map(|cid| (cid, 34)).map_err(|_| Error::Cid)
        }
        [1, codec, code, 0x20, ref rest @ ..] if (codec | code) < 0x80 => {
            let hash = hash_of_32(code.into(), rest)?;
            Ok((Cid::new_v1(codec.into(), hash), 36))
        }
        _ => any_cid_prefix(input),
    }
}

/// A multihash of the most usual length: its digest is moved at once, not byte by byte.
#[inline]
fn hash_of_32(code: u64, digest: &[u8]) -> Result<Multihash<64>, Error> {
    let digest: &[u8; 32] = digest.first_chunk().ok_or(Error::Cid)?;
    Multihash::wrap(code, digest).map_err(|_| Error::Cid)
}

fn any_cid_prefix(input: &[u8]) -> Result<(Cid, usize), Error> {
    let (version, mut at) = varint::take(input)?;
    if version != 1 {
        return Err(Error::Cid);
    }
    let mut field = || {
        let (value, n) = varint::take(&input[at..])?;
        at += n;
        Ok::<_, Error>(value)
    };
    let (codec, hash_code, len) = (field()?, field()?, field()?);
    let len = u8::try_from(len).ok().filter(|&len| len <= MAX_DIGEST).ok_or(Error::Cid)?;
    let len = usize::from(len);
    let digest = input.get(at..at + len).ok_or(Error::Cid)?;
    let hash = Multihash::wrap(hash_code, digest).map_err(|_| Error::Cid)?;
    Ok((Cid::new_v1(codec, hash), at + len))
}

/// Reads a binary CID that is all of `input`.
///
/// # Errors
/// As [`cid_prefix`], and [`Error::Cid`] when bytes follow the CID.
pub fn cid_exact(input: &[u8]) -> Result<Cid, Error> {
    match cid_prefix(input)? {
        (cid, n) if n == input.len() => Ok(cid),
        _ => Err(Error::Cid),
    }
}

/// Whether all of `input` is a binary CID: as [`cid_exact`], without making one.
#[inline]
pub(crate) fn is_cid(input: &[u8]) -> bool {
    match input {
        [1, codec, code, len, digest @ ..] if (codec | code) & 0x80 == 0 && *len <= MAX_DIGEST => {
            digest.len() == usize::from(*len)
        }
        _ => cid_exact(input).is_ok(),
    }
}

/// Writes the binary form of `cid` into the front of `out`; returns its length in bytes.
pub(crate) fn write(cid: &Cid, out: &mut [u8; MAX_CID]) -> usize {
    let mut at = 0;
    let mut put = |value: u64| {
        let mut buf = [0; 10];
        let n = varint::encode(value, &mut buf);
        out[at..at + n].copy_from_slice(&buf[..n]);
        at += n;
    };
    if cid.version() == cid::Version::V1 {
        put(1);
        put(cid.codec());
    } else {
        debug_assert_eq!(cid.codec(), codec::DAG_PB, "version 0 is always DAG-PB");
    }
    put(cid.hash().code());
    put(u64::from(cid.hash().size()));
    let digest = cid.hash().digest();
    out[at..at + digest.len()].copy_from_slice(digest);
    at + digest.len()
}

/// The longest binary CID: four varints of at most ten bytes and the digest.
pub(crate) const MAX_CID: usize = 40 + MAX_DIGEST as usize;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn sample(version: u8) -> Vec<u8> {
        let mut bytes = if version == 0 { Vec::new() } else { alloc::vec![1, 0x55] };
        bytes.extend([0x12, 0x20]);
        bytes.extend([7; 32]);
        bytes
    }

    #[test]
    fn agrees_with_the_cid_crate_and_with_itself() {
        for version in [0, 1] {
            let bytes = sample(version);
            let (cid, n) = cid_prefix(&bytes).unwrap();
            assert_eq!((n, cid.to_bytes()), (bytes.len(), bytes.clone()));
            assert_eq!(Cid::try_from(&bytes[..]).unwrap(), cid);
            let mut out = [0; MAX_CID];
            let n = write(&cid, &mut out);
            assert_eq!(out[..n], bytes);
            assert!((0..bytes.len()).all(|cut| cid_prefix(&bytes[..cut]).is_err()));
        }
    }

    #[test]
    fn refuses_what_is_no_cid() {
        let long_digest = [&[1, 0x55, 0x00, 65][..], &[0; 65]].concat();
        let trailing = [&sample(1)[..], &[0]].concat();
        assert_eq!(cid_prefix(&[2, 0x55, 0x12, 0x20]), Err(Error::Cid));
        assert_eq!(cid_prefix(&long_digest), Err(Error::Cid));
        assert!(cid_prefix(&[&[1, 0x55, 0x00, 64][..], &[0; 64]].concat()).is_ok());
        assert_eq!(cid_exact(&trailing), Err(Error::Cid));
    }

    #[test]
    fn the_usual_forms_are_read_as_all_others() {
        let short = sample(1);
        for n in 0..=short.len() {
            assert_eq!(cid_prefix(&short[..n]), any_cid_prefix(&short[..n]), "{n}");
        }
        for at in 0..4 {
            for byte in 0..=255 {
                let mut bytes = [&short[..], &[7; 40]].concat();
                bytes[at] = byte;
                if !bytes.starts_with(&[0x12, 0x20]) {
                    assert_eq!(cid_prefix(&bytes), any_cid_prefix(&bytes), "{at} {byte:x}");
                }
            }
        }
    }

    #[test]
    fn checking_agrees_with_reading() {
        let bytes = [0, 1, 2, 0x12, 0x20, 63, 64, 65, 0x7f, 0x80, 0xff];
        for [a, b, c, d] in (0..11_usize.pow(4)).map(|n| [n, n / 11, n / 121, n / 1331]) {
            let front = [a, b, c, d].map(|n| bytes[n % 11]);
            for rest in [0, 1, 31, 32, 63, 64, 65] {
                let input = [&front[..], &[0; 65][..rest]].concat();
                assert_eq!(is_cid(&input), cid_exact(&input).is_ok(), "{input:x?}");
            }
        }
    }
}
