//! What `add` leaves out, and that it says so.

mod common;
use common::Room;

fn listed(room: &Room, args: &[&str]) -> Vec<String> {
    let mut command = vec!["add", "-Q"];
    command.extend(args);
    let root = room.run(command).exits(0).out.trim().to_owned();
    let mut open = vec![String::new()];
    let mut all = Vec::new();
    while let Some(below) = open.pop() {
        for entry in room.run(["ls", "--json", &format!("{root}/{below}")]).exits(0).objects() {
            let name = format!("{below}{}", entry["name"].as_str().expect("a name"));
            let (cid, folder) = (entry["cid"].as_str().expect("a CID"), format!("{name}/"));
            if cid.starts_with("bafybei") {
                open.push(folder);
            } else {
                all.push(name);
            }
        }
    }
    all.sort_unstable();
    all
}

#[test]
fn hidden_entries() {
    let room = Room::new();
    for name in ["a", ".b", ".c/x", "d/.e", "d/f"] {
        room.write(format!("tree/{name}"), name);
    }
    room.run(["add", "tree"]).exits(0).says("3 hidden entries left out; --hidden");
    assert_eq!(listed(&room, &["tree"]), ["a", "d/f"]);
    let all = [".b", ".c/x", "a", "d/.e", "d/f"];
    assert_eq!(listed(&room, &["--hidden", "tree"]), all);
    assert_eq!(listed(&room, &["-H", "tree"]), all);
    assert_eq!(listed(&room, &["--hidden=false", "tree"]), ["a", "d/f"]);
    assert_eq!(listed(&room, &["tree/.c"]), ["x"], "an argument is taken as it is");
    let server = room.serve("far", &[]);
    let synced = room.run(["--json", "sync", "tree", &server.url]).exits(0).object();
    let all = room.run(["add", "-QH", "tree"]).exits(0).out;
    assert_eq!(synced["root"], all.trim());
}

#[test]
fn patterns_speak_of_paths_below_the_argument() {
    let room = Room::new();
    for name in ["a.tmp", "b", "sub/a.tmp", "sub/b", "target/x", "sub/target/x"] {
        room.write(format!("deep/tree/{name}"), name);
    }
    let tree = room.path("deep/tree");
    let tree = tree.to_str().expect("a path");
    for tree in ["deep/tree", tree, "./deep/../deep/tree/"] {
        let ignoring = |patterns: &[&str]| {
            let mut args: Vec<String> = patterns.iter().map(|p| format!("--ignore={p}")).collect();
            args.push(tree.to_owned());
            listed(&room, &args.iter().map(String::as_str).collect::<Vec<_>>())
        };
        assert_eq!(ignoring(&["*.tmp"]), ["b", "sub/b", "sub/target/x", "target/x"]);
        assert_eq!(ignoring(&["*.tmp", "target"]), ["b", "sub/b"]);
        assert_eq!(ignoring(&["/target", "sub/a.tmp"]), ["a.tmp", "b", "sub/b", "sub/target/x"]);
        assert_eq!(ignoring(&["*", "!b"]), ["b"]);
        assert_eq!(ignoring(&["b/", "*.tmp", "target/"]), ["b", "sub/b"]);
    }
}
