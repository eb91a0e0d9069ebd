use http::{HeaderMap, header};

use super::Coding;

/// A weight of 1, in thousandths.
const WHOLE: u16 = 1000;

/// What the peer would best be sent, as its `Accept-Encoding` says: a coding, and whether it has to
/// be that one (`identity` is refused). `None` for a body as it is.
pub(crate) fn accepted(headers: &HeaderMap) -> Option<(Coding, bool)> {
    let list = List::of(headers);
    let plain = list.weight("identity");
    let by_weight = |coding| (list.weight_of(coding).unwrap_or(0), coding);
    let (zstd, gzip) = (by_weight(Coding::Zstd), by_weight(Coding::Gzip));
    let (weight, coding) = if gzip.0 > zstd.0 { gzip } else { zstd };
    let named = list.named("identity").unwrap_or(0);
    (weight > 0 && weight >= named).then_some((coding, plain == Some(0)))
}

/// Whether the peer has said that it takes this coding.
pub(crate) fn takes(headers: &HeaderMap, coding: Coding) -> bool {
    List::of(headers).weight_of(coding).is_some_and(|weight| weight > 0)
}

/// The members of the header that can be read, with their weights in thousandths.
struct List<'a>(Vec<(&'a str, u16)>);

impl<'a> List<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT_ENCODING).into_iter();
        let texts = values.filter_map(|value| value.to_str().ok());
        Self(texts.flat_map(|text| text.split(',')).filter_map(member).collect())
    }

    fn named(&self, token: &str) -> Option<u16> {
        let found = self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(token));
        found.map(|(_, weight)| *weight)
    }

    /// `*` stands for all that are not named.
    fn weight(&self, token: &str) -> Option<u16> {
        self.named(token).or_else(|| self.named("*"))
    }

    fn weight_of(&self, coding: Coding) -> Option<u16> {
        let named = self.0.iter().find(|(name, _)| Coding::named(name) == Some(coding));
        named.map(|(_, weight)| *weight).or_else(|| self.named("*"))
    }
}

/// `coding`, or `coding;q=0.5`.
fn member(text: &str) -> Option<(&str, u16)> {
    let (token, rest) = text.split_once(';').map_or((text, None), |(of, rest)| (of, Some(rest)));
    let weight = rest.map_or(Some(WHOLE), |rest| {
        let (key, value) = rest.split_once('=')?;
        key.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim())).flatten()
    })?;
    let token = token.trim();
    (!token.is_empty()).then_some((token, weight))
}

/// A weight of RFC 9110: 0 to 1 with up to three digits behind the point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = part.len() <= 3 && part.bytes().all(|digit| digit.is_ascii_digit());
    let part: u16 = format!("{part:0<3}").parse().ok().filter(|_| digits)?;
    match whole {
        "0" => Some(part),
        "1" => (part == 0).then_some(WHOLE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_is_liked_best_is_sent() {
        let (zstd, gzip) = (Some((Coding::Zstd, false)), Some((Coding::Gzip, false)));
        for (values, expected) in [
            (&[][..], None),
            (&[""], None),
            (&["identity"], None),
            (&["br, deflate"], None),
            (&["gzip, deflate, br, zstd"], zstd),
            (&["gzip", "zstd"], zstd),
            (&["GZIP"], gzip),
            (&["x-gzip"], gzip),
            (&["zstd;q=0.5, gzip"], gzip),
            (&["zstd;q=0.5, gzip;q=0.500"], zstd),
            (&["zstd; q=0, gzip;Q=0.001"], gzip),
            (&["zstd;q=0, gzip;q=0.000"], None),
            (&["*"], zstd),
            (&["*, zstd;q=0"], gzip),
            (&["*;q=0"], None),
            (&["identity, zstd"], zstd),
            (&["identity, zstd;q=0.9"], None),
            (&["identity;q=0.1, zstd;q=0.9"], zstd),
            (&["identity;q=0, gzip"], Some((Coding::Gzip, true))),
            (&["*;q=0, zstd"], Some((Coding::Zstd, true))),
            (&["zstd;q=2, gzip;q=0.1"], gzip),
            (&["zstd;q=1.001, gzip;q=0.0001"], None),
            (&["zstd;level=9, gzip;q"], None),
            (&["zstd;q=0.+1"], None),
        ] {
            assert_eq!(accepted(&headers(values)), expected, "{values:?}");
        }
    }

    #[test]
    fn a_coding_is_taken_that_was_said_to_be() {
        for (value, zstd) in
            [("zstd, gzip", true), ("gzip", false), ("zstd;q=0", false), ("*", true)]
        {
            assert_eq!(takes(&headers(&[value]), Coding::Zstd), zstd, "{value}");
        }
        assert!(!takes(&HeaderMap::new(), Coding::Zstd));
    }
}
