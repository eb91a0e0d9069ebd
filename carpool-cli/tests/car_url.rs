//! An http URL stands for a file.

mod common;
use common::{
    Room,
    car::{Car, leaves},
};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// How a server answers.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Ranges,
    Whole,
    Liar,
    Short,
    /// Answers who gives a token and a header.
    Guarded,
}

/// Serves `bytes`; the URL, and how many bytes of them were sent.
fn serve(bytes: Vec<u8>, manner: Manner) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/a.car?x=1", listener.local_addr().expect("an address"));
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            while answer(&stream, &bytes, manner, &counted).is_some() {}
        }
    });
    (url, sent)
}

fn answer(mut stream: &TcpStream, bytes: &[u8], manner: Manner, sent: &AtomicUsize) -> Option<()> {
    let (mut range, mut allowed) = (None, 0);
    let mut lines = BufReader::new(stream).lines();
    loop {
        let line = lines.next()?.ok()?.to_lowercase();
        if line.is_empty() {
            break;
        }
        allowed += usize::from(line == "authorization: bearer s3" || line == "x-key: 7");
        range = line.strip_prefix("range: bytes=").map(str::to_owned).or(range);
    }
    let (first, last) = range.as_ref()?.split_once('-')?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    let len = bytes.len();
    let end = (last + 1).min(len);
    let (status, body) = match manner {
        Manner::Guarded if allowed < 2 => ("401 Who".to_owned(), &bytes[..0]),
        Manner::Whole => ("200 OK".to_owned(), bytes),
        _ if first >= len => (format!("416 No\r\ncontent-range: bytes */{len}"), &bytes[..0]),
        Manner::Ranges | Manner::Liar | Manner::Short | Manner::Guarded => {
            let from = if manner == Manner::Liar { first + 1 } else { first };
            let range = format!("206 Partial\r\ncontent-range: bytes {from}-{}/{len}", end - 1);
            (range, &bytes[first..end])
        }
    };
    let cut = if manner == Manner::Short { body.len() / 2 } else { body.len() };
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len()).ok()?;
    stream.write_all(&body[..cut]).ok()?;
    sent.fetch_add(cut, SeqCst);
    (cut == body.len()).then_some(())
}

#[test]
fn little_is_fetched_of_a_large_file() {
    let room = Room::new();
    let blocks = leaves(40, 200_000);
    let car = Car::of(&blocks);
    let (url, sent) = serve(car.v2(0, Some(&car.index())), Manner::Ranges);
    assert_eq!(room.run(["car", "root", &url]).exits(0).out.trim(), blocks[0].cid().to_string());
    room.run(["car", "get-block", &url, &blocks[30].cid().to_string(), "out"]).exits(0);
    assert!(fs::read(room.path("out")).unwrap() == blocks[30].data()[..]);
    let sent = sent.load(SeqCst);
    assert!(sent < 500_000, "{sent}");
}

#[test]
fn every_reading_verb() {
    let room = Room::new();
    let car = Car::of(&leaves(40, 20_000));
    let (url, _) = serve(car.bytes(), Manner::Ranges);
    assert_eq!(room.run(["car", "list", &url]).exits(0).out.lines().count(), 40);
    assert!(room.run(["car", "inspect", &url]).exits(0).out.contains("Block count: 40\n"));
    room.run(["car", "verify", &url]).exits(0);
    room.run(["car", "index", "create", &url, "out.idx"]).exits(0);
    assert!(fs::read(room.path("out.idx")).unwrap() == car.index());
}

#[test]
fn a_server_that_does_not_answer_ranges_or_lies_about_them() {
    let room = Room::new();
    for manner in [Manner::Whole, Manner::Liar, Manner::Short] {
        let (url, _) = serve(Car::of(&leaves(1, 10)).bytes(), manner);
        room.run(["car", "root", &url]).exits(1);
    }
}

#[test]
fn a_server_that_wants_a_token_and_a_header() {
    let room = Room::new();
    let car = Car::of(&leaves(40, 20_000));
    let (url, _) = serve(car.bytes(), Manner::Guarded);
    let given = ["--token", "s3", "--header", "X-Key: 7"];
    room.run(["car", "root", &url, given[0], given[1]]).exits(5);
    room.run(["car", "root", &url, given[2], given[3]]).exits(5);
    for verb in ["root", "list", "inspect", "verify"] {
        room.run([&["car", verb, &url][..], &given].concat()).exits(0);
    }
    room.run([&["car", "merge", &url, "-o", "out.car"][..], &given].concat()).exits(0);
    assert!(fs::read(room.path("out.car")).unwrap() == car.bytes());
    room.run(["car", "root", &url, "--header", "no colon"]).exits(2);
}
