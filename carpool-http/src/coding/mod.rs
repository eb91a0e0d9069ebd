//! Content codings of CARs (RFC 9110): zstd (RFC 8878, with the window that RFC 9659 allows) and
//! gzip (RFC 1952), one stream over a whole body.

mod accept;
mod decode;
mod encode;

use http::{HeaderMap, header};

use crate::{Error, Result};
pub(crate) use accept::{accepted, takes};
pub(crate) use decode::{Decoded, decoded};
pub(crate) use encode::{Ready, Squeeze, Wish};

/// What is put for `Accept-Encoding`, in requests and in answers.
pub(crate) const TAKEN: &str = "zstd, gzip";

/// A way to write a body in fewer bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Zstd,
    Gzip,
}

impl Coding {
    pub(crate) const fn token(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    fn named(token: &str) -> Option<Self> {
        let is = |name: &str| token.eq_ignore_ascii_case(name);
        if is("zstd") {
            return Some(Self::Zstd);
        }
        (is("gzip") || is("x-gzip")).then_some(Self::Gzip)
    }

    /// The coding of a body, as its headers say; `None` for one that is as it is.
    ///
    /// # Errors
    /// [`Error::Coding`] for a coding that is not known, and for several, one over the other.
    pub(crate) fn of_body(headers: &HeaderMap) -> Result<Option<Self>> {
        let unknown = |what: &str| Error::Coding(format!("no body is read in {what:?}"));
        let mut found = None;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            let value = value.to_str().map_err(|_| unknown("a coding that is no text"))?;
            let named = value.split(',').map(str::trim).filter(|token| !token.is_empty());
            for token in named.filter(|token| !token.eq_ignore_ascii_case("identity")) {
                let coding = Self::named(token).filter(|_| found.is_none());
                found = Some(coding.ok_or_else(|| unknown(value))?);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_coding_that_is_known() {
        for (values, expected) in [
            (&[][..], Some(None)),
            (&["identity"], Some(None)),
            (&[""], Some(None)),
            (&["zstd"], Some(Some(Coding::Zstd))),
            (&["identity, ZSTD"], Some(Some(Coding::Zstd))),
            (&["x-gzip"], Some(Some(Coding::Gzip))),
            (&["gzip", "identity"], Some(Some(Coding::Gzip))),
            (&["br"], None),
            (&["gzip, zstd"], None),
            (&["zstd", "zstd"], None),
            (&["zstd;q=1"], None),
            (&["\u{e9}"], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                let value = http::HeaderValue::from_bytes(value.as_bytes()).expect("a value");
                headers.append(header::CONTENT_ENCODING, value);
            }
            assert_eq!(Coding::of_body(&headers).ok(), expected, "{values:?}");
        }
    }
}
