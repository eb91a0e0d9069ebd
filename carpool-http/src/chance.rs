/// Bytes that nobody can guess; `None` where the system has none to give.
pub(crate) fn secret<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let filled = rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes);
    filled.is_ok().then_some(bytes)
}
