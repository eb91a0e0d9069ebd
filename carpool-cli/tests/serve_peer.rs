//! `serve --peer`: a server in front of others serves what they hold.

mod common;
use common::{Room, assert_same, noise};

#[test]
fn what_a_peer_holds_is_pulled_from_the_server_in_front() {
    let room = Room::new();
    room.write("tree/a", noise(1, 2_000_000));
    room.write("tree/b", "beta");
    let root = room.add("tree");
    let behind = room.serve("store", &[]);
    let front = room.serve("front", &["--peer", &behind.url, "--read-only"]);
    room.run(["--store", "new", "pull", &root, &front.url]).exits(0);
    room.run(["--store", "new", "get", &root, "-o", "back"]).exits(0);
    assert_same(&room.path("tree"), &room.path("back"));
    drop(behind);
    room.run(["--store", "third", "pull", &root, &front.url]).exits(0);
}

#[test]
fn the_token_of_peers_is_another_than_that_of_clients() {
    let room = Room::new();
    room.write("tree/a", noise(1, 100_000));
    let root = room.add("tree");
    let behind = room.serve("store", &["--token", "inner"]);
    let peer = ["--peer", &behind.url, "--token", "outer"];
    let closed = room.serve("closed", &peer);
    let client = ["--token", "outer"];
    let pull = |store: &str, url: &str| {
        room.run(["--store", store, "pull", &root, url].iter().chain(&client))
    };
    pull("new", &closed.url).exits(4);
    let open = room.serve("open", &[&peer[..], &["--peer-token", "inner"]].concat());
    pull("new", &open.url).exits(0);
}

#[test]
fn two_that_have_each_other_serve_what_either_holds() {
    let room = Room::new();
    room.write("tree/a", noise(1, 100_000));
    let root = room.add("tree");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let first = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let second = room.serve("store", &["--peer", &first]);
    let listen = first.strip_prefix("http://").expect("a URL");
    let first = room.serve_at(listen, "first", &["--peer", &second.url]);
    room.run(["--store", "new", "pull", &root, &first.url]).exits(0);
    let unknown = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    for url in [&first.url, &second.url] {
        room.run(["--store", "new", "pull", unknown, url]).exits(4);
    }
}
