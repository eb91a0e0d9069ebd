use carpool_core::{Block, Bytes, Cid, Limits};

use crate::car_text_form::{Body, Edit, Entry, cut, print, read_head};

/// Any block of any codec comes back out of its text, and no text makes the reader panic; what it
/// reads is printed so that it reads the same. The links of a body are those of its block, and with
/// the same ones in their places it is the same.
pub fn car_text(data: &[u8]) {
    const CODECS: [u64; 8] = [0x55, 0x70, 0x71, 0x51, 0x0129, 0x0200, 0x72, 1 << 40];
    let (codec, block) = data.split_first().unwrap_or((&0, &[]));
    comes_back(CODECS[usize::from(codec % 8)], block);
    if let Ok(Some((head, at))) = read_head(data, true) {
        let again = head.print();
        let read = read_head(again.as_bytes(), true).expect("a head").expect("a whole one").0;
        assert_eq!((read.v2, read.roots), (head.v2, head.roots));
        entries(&data[at..]);
    }
    entries(data);
}

fn entries(mut text: &[u8]) {
    while !text.is_empty() {
        let end = cut(text, 0, true).expect("the text is whole");
        if let Ok(entry) = Entry::read(&text[..end])
            && let Ok(block) = entry.body().and_then(Body::encode)
        {
            comes_back(entry.cid.codec(), &block);
        }
        text = &text[end..];
    }
}

fn comes_back(codec: u64, block: &[u8]) {
    let cid: Cid = *Block::new(codec, Bytes::copy_from_slice(block)).cid();
    let text = print(&cid, block);
    assert_eq!(cut(&text, 0, true), Some(text.len()), "an entry looks like two");
    let entry = Entry::read(&text).expect("it was printed");
    assert_eq!(entry.cid, cid);
    let again = entry.body().and_then(Body::encode).expect("it was printed");
    assert!(again == block, "another block");
    links_stay(&cid, entry.body().expect("it was read before"), block);
}

fn links_stay(cid: &Cid, mut body: Body, block: &[u8]) {
    let mut links = Vec::new();
    body.each_link(|link| links.push(*link));
    let edit = body.rewrite(|link| Some(*link)).expect("as long as before");
    assert_eq!(edit == Edit::Changed, !links.is_empty());
    assert!(body.encode().expect("it was encoded before") == block, "another block");
    let found = carpool_core::links(cid, block, &Limits::default()).unwrap_or_default();
    assert!(found.iter().all(|link| links.contains(link)), "a link is not found");
}
