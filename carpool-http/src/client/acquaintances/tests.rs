use super::*;
use proptest::prelude::*;

fn named(number: u64) -> NamedKey {
    NamedKey { number, key: Key::new([1; 16]) }
}

#[test]
fn a_key_is_used_for_an_hour_and_no_longer() {
    let (known, begun) = (Acquaintances::default(), now());
    known.give_key("a", named(1), begun);
    let drawn = known.drawn_key("a", begun).expect("chance");
    let later = begun + KEY_LIFE - 1;
    known.give_key("a", named(2), later);
    assert_eq!(known.given_key("a", later), Some(named(1)), "the one in use stays");
    assert_eq!(known.drawn_key("a", later), Some(drawn));
    assert_eq!(known.given_key("a", begun + KEY_LIFE), None);
    assert_ne!(known.drawn_key("a", begun + KEY_LIFE), Some(drawn));
    known.give_key("a", named(3), begun + KEY_LIFE);
    assert_eq!(known.given_key("a", begun + KEY_LIFE), Some(named(3)));
}

#[test]
fn what_a_server_reads_and_the_path_are_known_for_a_week() {
    let known = Acquaintances::default();
    known.note_reads("a", true, 100);
    known.note_round_trip("a", 7, 100);
    known.note_rate("a", 9, 100);
    let at = |now| (known.reads("a", now), known.round_trip("a", now), known.rate("a", now));
    let end = 100 + Acquaintances::LIFE_SECONDS;
    assert_eq!(at(end - 1), (Some(true), Some(7), Some(9)));
    assert_eq!(at(end), (None, None, None));
    known.note_reads("a", false, end);
    assert_eq!(known.reads("a", end), Some(false));
}

#[test]
fn each_server_has_its_own_and_clones_share_them() {
    let (known, now) = (Acquaintances::default(), now());
    let clone = known.clone();
    clone.give_key("a", named(1), now);
    assert_eq!((known.given_key("a", now), clone.given_key("b", now)), (Some(named(1)), None));
    assert_ne!(known.drawn_key("a", now), known.drawn_key("b", now));
    known.drop_key("b", 1);
    assert_eq!(known.given_key("a", now), Some(named(1)));
    known.drop_key("a", 1);
    assert_eq!(known.given_key("a", now), None);
    known.note_change("a", "photos", 5);
    assert_eq!((known.change("a", "photos"), known.change("a", "")), (Some(5), None));
    assert_eq!(known.change("b", "photos"), None);
}

#[test]
fn servers_at_the_limit_and_past_it() {
    const MAX: usize = Acquaintances::MAX_SERVERS;
    let (known, now) = (Acquaintances::default(), now());
    let note = |n: usize| known.note_reads(&n.to_string(), true, now);
    (0..MAX).for_each(note);
    note(0);
    note(MAX);
    let reads = |n: usize| known.reads(&n.to_string(), now).is_some();
    assert!(reads(0) && !reads(1) && reads(MAX), "the one used longest ago goes");
    assert_eq!(known.lock().len(), MAX);
}

#[test]
fn names_at_the_limits_and_past_them() {
    const MAX: usize = Acquaintances::MAX_NAMES;
    let known = Acquaintances::default();
    let note = |n: usize| known.note_change("a", &n.to_string(), n as u64);
    (0..MAX).for_each(note);
    note(0);
    note(MAX);
    let knows = |n: usize| known.change("a", &n.to_string()) == Some(n as u64);
    assert!(knows(0) && !knows(1) && knows(MAX), "the one used longest ago goes");
    let name = |bytes: usize| "n".repeat(bytes);
    let longest = Acquaintances::MAX_NAME_BYTES;
    for bytes in [longest, longest + 1] {
        known.note_change("b", &name(bytes), 1);
    }
    assert_eq!(known.change("b", &name(longest)), Some(1));
    assert_eq!(known.change("b", &name(longest + 1)), None);
}

/// Something of every kind.
fn some(now: Seconds) -> Acquaintances {
    let known = Acquaintances::default();
    for base in ["http://a", "https://b.example/path"] {
        known.note_reads(base, base.len() > 8, now);
        known.note_takes_deltas(base, true, now);
        known.note_takes_zstd(base, base.len() > 8, now);
        known.note_round_trip(base, 50_000, now);
        known.note_rate(base, u64::MAX, now);
        known.give_key(base, named(u64::MAX), now);
        known.drawn_key(base, now).expect("chance");
        for (name, blocks) in [("", 0), ("photos", 12), ("a \"name\"\n", u64::MAX)] {
            known.note_change(base, name, blocks);
        }
    }
    known.note_reads("http://only", true, now);
    known
}

#[test]
fn text_comes_back() {
    let known = some(now());
    let back = Acquaintances::decode(&known.encode());
    assert_eq!(*back.lock(), *known.lock());
    assert_eq!(back.encode(), known.encode());
    assert!(Acquaintances::decode(&Acquaintances::default().encode()).lock().is_empty());
}

#[test]
fn what_is_damaged_or_of_another_version_is_forgotten() {
    let text = some(5).encode();
    for len in 0..text.len() - 2 {
        assert!(Acquaintances::decode(&text[..len]).lock().is_empty(), "{len} bytes");
    }
    let other = String::from_utf8(text).expect("JSON").replace("\"version\": 1", "\"version\": 2");
    assert!(Acquaintances::decode(other.as_bytes()).lock().is_empty());
    let key = r#"{"version":1,"servers":[{"url":"a","key_given":["x.y",1],"last_changes":[]}]}"#;
    let known = Acquaintances::decode(key.as_bytes());
    assert_eq!(known.given_key("a", 1), None);
    assert_eq!(known.lock().len(), 1, "the rest of it is good");
}

#[test]
fn text_at_the_limit_and_past_it() {
    const MAX: usize = Acquaintances::MAX_BYTES;
    let mut text = some(5).encode();
    text.resize(MAX, b' ');
    assert_eq!(Acquaintances::decode(&text).lock().len(), 3);
    text.push(b' ');
    assert!(Acquaintances::decode(&text).lock().is_empty());
}

#[test]
fn counts_in_a_text_at_the_limits_and_past_them() {
    let text = |servers: usize, names: usize| {
        let changes: Vec<(String, u64)> = (0..names).map(|n| (n.to_string(), 1)).collect();
        let server =
            |n: usize| serde_json::json!({ "url": n.to_string(), "last_changes": changes });
        let servers: Vec<_> = (0..servers).map(server).collect();
        serde_json::json!({ "version": 1, "servers": servers }).to_string()
    };
    let [servers, names] = [Acquaintances::MAX_SERVERS, Acquaintances::MAX_NAMES];
    for more in [0, 1] {
        let known = Acquaintances::decode(text(servers + more, names + more).as_bytes());
        let records = known.lock();
        assert_eq!((records.len(), records[0].changes.len()), (servers, names));
        assert_eq!(records[0].base, more.to_string(), "the last ones stay");
    }
}

#[test]
fn more_than_there_is_room_for_leaves_out_what_was_used_longest_ago() {
    let known = Acquaintances::default();
    for server in 0..Acquaintances::MAX_SERVERS {
        for name in 0..Acquaintances::MAX_NAMES {
            let name = format!("{name:0>width$}", width = Acquaintances::MAX_NAME_BYTES);
            known.note_change(&server.to_string(), &name, 1);
        }
    }
    let text = known.encode();
    assert!(text.len() <= Acquaintances::MAX_BYTES && text.len() > Acquaintances::MAX_BYTES / 2);
    let back = Acquaintances::decode(&text);
    let last = (Acquaintances::MAX_SERVERS - 1).to_string();
    assert!(back.lock().last().is_some_and(|record| record.base == last));
}

#[test]
fn secrets_are_not_shown() {
    let known = Acquaintances::default();
    known.note_reads("http://user:password@host/path", true, 1);
    known.note_reads("http://host/@path", true, 1);
    known.give_key("http://host/@path", NamedKey { number: 1, key: Key::new([0xab; 16]) }, 1);
    let text = String::from_utf8(known.encode()).expect("JSON");
    assert!(!text.contains("password") && text.contains("host/@path"), "{text}");
    assert_eq!(known.reads("http://user:password@host/path", 1), Some(true), "in memory");
    assert_eq!(format!("{known:?}"), "Acquaintances(2)");
}

proptest! {
    #[test]
    fn any_text_is_read(text in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), byte: u8) {
        let _ = Acquaintances::decode(&text);
        let mut text = some(5).encode();
        let at = at.index(text.len());
        text[at] = byte;
        let known = Acquaintances::decode(&text);
        prop_assert!(known.encode().len() <= Acquaintances::MAX_BYTES);
    }
}
