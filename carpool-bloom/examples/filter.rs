//! Builds a filter of a thousand keys, sends it, asks it.
use carpool_bloom::{Error, Filter, Limits, Params};

fn main() -> Result<(), Error> {
    let keys: Vec<String> = (0..1_000).map(|i| format!("key {i}")).collect();

    let mut filter = Filter::new(Params::for_items(1_000));
    filter.insert_all(&keys);
    println!("{} keys in {} bits, k = {}", keys.len(), filter.bits(), filter.k());
    println!("fill {:.3}, false positives {:.1e}", filter.fill(), filter.predicted_fpr());

    let (k, bytes) = (filter.k(), filter.into_bytes());
    let received = Filter::from_wire(bytes, k, &Limits::default())?.expect("bytes were sent");
    println!(
        "key 7: {}, key 1007: {}",
        received.contains(b"key 7"),
        received.contains(b"key 1007")
    );
    Ok(())
}
