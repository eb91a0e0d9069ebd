/// Whether a name may stand in a directory: not empty, not `.` or `..`, without `/` and NUL.
///
/// Anything else would lead out of the directory when it is written to a disk. Bytes are not
/// normalised and need not be UTF-8.
pub(crate) fn is_safe(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.iter().any(|byte| matches!(byte, b'/' | 0))
}

#[cfg(test)]
mod tests {
    use super::is_safe;

    #[test]
    fn names_that_would_lead_elsewhere_are_refused() {
        for bad in [&b""[..], b".", b"..", b"/", b"a/b", b"a\0"] {
            assert!(!is_safe(bad), "{bad:?}");
        }
        for good in [&b"..."[..], b".a", b"a b", b"\xff", b"\\", b"new\nline"] {
            assert!(is_safe(good), "{good:?}");
        }
    }
}
