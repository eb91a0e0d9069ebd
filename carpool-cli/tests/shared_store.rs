//! Several processes work on one store at once.

mod common;
use common::{Room, assert_same, noise};

#[test]
fn everything_works_while_it_is_served() {
    let room = Room::new();
    let server = room.serve("store", &[]);
    room.write("tree/a", noise(1, 1_000_000));
    let root = room.add("tree");
    room.run(["--store", "new", "pull", &root, &server.url]).exits(0);
    room.write("more/b", noise(2, 1_000_000));
    let more = room.run(["--store", "new", "add", "-Q", "more"]).exits(0).out;
    room.run(["--store", "new", "push", more.trim(), &server.url]).exits(0);
    room.run(["get", more.trim(), "-o", "back"]).exits(0);
    assert_same(&room.path("more"), &room.path("back"));
    room.run(["export", &root, "-o", "tree.car"]).exits(0);
    room.run(["import", "tree.car"]).exits(0);
    room.run(["sync", "more", &server.url]).exits(0);
    assert!(room.run(["names"]).exits(0).out.contains(more.trim()));
    room.run(["repair"]).exits(0);
    room.run(["repair", "--rebuild"]).exits(1).says("open in another process");
}

#[test]
fn many_add_at_once() {
    let room = Room::new();
    for n in 0..6 {
        for file in 0..100 {
            room.write(format!("{n}/{file}"), noise(n * 100 + file, 5000));
            room.write(format!("{n}/shared-{file}"), noise(file, 4000));
        }
    }
    let adds: Vec<_> = (0..6).map(|n| room.start(["add", "-Q", &n.to_string()])).collect();
    let roots: Vec<_> = adds.into_iter().map(|add| add.ended().exits(0).out).collect();
    room.run(["repair"]).exits(0);
    for (n, root) in roots.iter().enumerate() {
        let out = format!("back-{n}");
        room.run(["get", root.trim(), "-o", &out]).exits(0);
        assert_same(&room.path(n.to_string()), &room.path(out));
    }
}
