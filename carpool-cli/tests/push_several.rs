//! `push ROOT URL1 URL2…`: every server gets all of it, whatever becomes of the others.

mod common;
use common::{Room, noise, wait_until};
use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

const GONE: &str = "http://127.0.0.1:1";

/// A room with a tree in its store, and the root.
fn room() -> (Room, String) {
    let room = Room::new();
    room.write("tree/a", noise(1, 600_000));
    room.write("tree/b", "beta");
    let root = room.add("tree");
    (room, root)
}

#[test]
fn every_server_gets_all_of_it() {
    let (room, root) = room();
    let stores = ["one", "two", "three"];
    let servers = stores.map(|store| room.serve(store, &[]));
    let urls = servers.each_ref().map(|server| server.url.as_str());
    let out = room.run(["push", &root].iter().chain(&urls)).exits(0).out;
    assert!(out.starts_with(&format!("{root}: 3 of 3 servers hold it now")), "{out}");
    for (store, url) in stores.iter().zip(urls) {
        let line = out.lines().find(|line| line.starts_with(url)).expect("a line of each");
        assert!(line.ends_with("done") && line.contains("blocks"), "{line}");
        room.run(["--store", store, "stat", &root]).exits(0);
    }
}

#[test]
fn json_has_an_object_for_each_in_the_order_of_the_command_line() {
    let (room, root) = room();
    let [one, two] = ["one", "two"].map(|store| room.serve(store, &[]));
    room.run(["push", &root, &two.url]).exits(0);
    let args = ["--json", "push", &root, &two.url, &one.url, GONE];
    let said = room.run(args).exits(1).object();
    assert_eq!(said["root"], root.as_str());
    assert!(said["seconds"].as_f64() > Some(0.0));
    let sinks = said["sinks"].as_array().expect("an array");
    for (sink, (url, sent, exit)) in
        sinks.iter().zip([(&two.url[..], 1, 0), (&one.url, 3, 0), (GONE, 1, 1)])
    {
        assert_eq!((&sink["url"], &sink["root"]), (&url.into(), &root.as_str().into()));
        assert_eq!(
            sink["blocks_sent"], sent,
            "the root says what is held, to whom it does not reach too"
        );
        assert_eq!((&sink["exit_code"], sink["error"].is_null()), (&exit.into(), exit == 0));
        assert!(sink["encodings"].is_object() && sink["bytes_sent"].is_u64(), "{sink}");
    }
    assert_eq!(sinks.len(), 3);
}

/// What is said of one server is what was always said.
#[test]
fn one_server_is_no_array() {
    let (room, root) = room();
    let server = room.serve("far", &[]);
    let said = room.run(["--json", "push", &root, &server.url]).exits(0).object();
    assert!(said.get("sinks").is_none() && said.get("url").is_none(), "{said}");
    assert_eq!(said["blocks_sent"], 3);
}

#[test]
fn the_exit_code_is_what_all_failures_have_in_common() {
    let (room, root) = room();
    let good = room.serve("good", &[]);
    let [a, b] = ["a", "b"].map(|store| room.serve(store, &["--read-only"]));
    let (good, a, b) = (&good.url[..], &a.url[..], &b.url[..]);
    let other = "http://127.0.0.1:2";
    for (urls, exit, said) in [
        (&[a, b][..], 5, "2 of 2"),
        (&[a, good], 5, "1 of 2"),
        (&[GONE, good, other], 1, "2 of 3"),
        (&[GONE, a, good], 4, "2 of 3"),
    ] {
        room.run(["push", &root].iter().chain(urls)).exits(exit).says(said);
    }
    room.run(["--store", "good", "stat", &root]).exits(0);
    let out = room.run(["push", &root, a, good]).exits(5).out;
    assert!(out.contains("1 of 2 servers hold it now") && out.contains("read-only"), "{out}");
}

#[test]
fn wrong_urls_are_found_before_anybody_is_asked() {
    let (room, root) = room();
    let server = room.serve("far", &[]);
    let url = &server.url[..];
    let named = format!("{url}#name");
    for (wrong, said) in [
        (&["nowhere"][..], "URL"),
        (&["ftp://127.0.0.1"], "http"),
        (&[&named], "sync"),
        (&[url], "twice"),
        (&[GONE, "--at-once=0"], "at-once"),
    ] {
        let ran = room.run(["push", &root, url].iter().chain(wrong)).exits(2).says(said);
        assert!(ran.out.is_empty(), "{wrong:?}");
    }
    room.run(["--store", "far", "stat", &root]).exits(4);
    let nothing = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    room.run(["push", nothing, url, GONE]).exits(4).says("not held here");
}

#[test]
fn what_is_explained_says_of_whom() {
    let (room, root) = room();
    let [one, two] = ["one", "two"].map(|store| room.serve(store, &[]));
    let err = room.run(["push", "-v", &root, &one.url, &two.url]).exits(0).err;
    for url in [&one.url, &two.url] {
        assert!(err.lines().any(|line| line.starts_with(&format!("{url}: round 1"))), "{err}");
    }
    let err = room.run(["push", "-v", &root, &one.url]).exits(0).err;
    assert!(err.lines().any(|line| line.starts_with("round 1")), "of one as ever: {err}");
}

/// Servers that accept and say nothing, and how many were spoken to.
fn silent(n: usize) -> (Vec<String>, Arc<AtomicU64>) {
    let spoken = Arc::<AtomicU64>::default();
    let start = |_| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let spoken = Arc::clone(&spoken);
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming().flatten() {
                spoken.fetch_add(1, Relaxed);
                open.push(stream);
            }
        });
        url
    };
    ((0..n).map(start).collect(), spoken)
}

#[test]
fn as_many_at_a_time_as_was_said_and_not_one_more() {
    let (room, root) = room();
    for (at_once, servers, spoken_to) in [("2", 2, 2), ("2", 3, 2), ("1", 3, 1)] {
        let (urls, spoken) = silent(servers);
        let args = ["push", &root, "--at-once", at_once].map(str::to_owned);
        let running = room.start(args.into_iter().chain(urls));
        wait_until("the first", || spoken.load(Relaxed) == spoken_to);
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(spoken.load(Relaxed), spoken_to, "{at_once} of {servers}");
        running.signal("KILL");
        running.ended();
    }
}

/// A server that stands still keeps nobody else.
#[test]
fn the_others_do_not_wait() {
    let (room, root) = room();
    let (still, _spoken) = silent(1);
    let good = room.serve("good", &[]);
    let running = room.start(["push", &root, &still[0], &good.url]);
    wait_until("the good one", || room.run(["--store", "good", "stat", &root]).code == Some(0));
    running.signal("KILL");
    running.ended();
}
