use carpool_core::{Cid, Error, Limits, for_each_link, identity_data};

/// Calls `each` with every link of a block that wants a block of its own. An identity CID stands for
/// the data that it carries, so that the links of that are the block's.
///
/// # Errors
/// As [`for_each_link`]; `each` was called with the links before the fault.
pub fn for_each_stored_link(
    cid: &Cid,
    data: &[u8],
    limits: &Limits,
    mut each: impl FnMut(Cid),
) -> Result<(), Error> {
    let mut inner = Ok(());
    let outer = for_each_link(cid, data, limits, |link| match identity_data(&link) {
        Some(data) => keep(&mut inner, carried(&link, data, limits, &mut each)),
        None => each(link),
    });
    outer.and(inner)
}

/// It is shorter than the CID that carries it, so this ends soon.
fn carried(
    cid: &Cid,
    data: &[u8],
    limits: &Limits,
    each: &mut dyn FnMut(Cid),
) -> Result<(), Error> {
    let mut inner = Ok(());
    let outer = for_each_link(cid, data, limits, |link| match identity_data(&link) {
        Some(data) => keep(&mut inner, carried(&link, data, limits, each)),
        None => each(link),
    });
    outer.and(inner)
}

/// Keeps the first fault.
fn keep(first: &mut Result<(), Error>, next: Result<(), Error>) {
    if first.is_ok() {
        *first = next;
    }
}
