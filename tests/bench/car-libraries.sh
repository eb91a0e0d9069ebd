#!/bin/sh
# Measures carpool-car, carpool-core and carpool-hash beside the other Rust crates that read and write
# CARs, on the same inputs in the same run, and prints the goals with their ratios.
#
#   tests/bench/car-libraries.sh [GROUP...]   goals, read, write, links [default: all four, in one run of a minute]
#   tests/bench/car-libraries.sh build        only builds
#
# The peers are those of the kit `peers/car-bench` in $CARPOOL_SHARED (default ../shared), with the
# versions that its Cargo.lock names; ours are the cases in car-libraries/ours.rs. The kit is copied to
# target/car-bench and built there. Rates are medians of RUNS rounds (default 7), in which the cases take
# turns, by processor time. That of two cores is by wall time, in which whoever else uses the machine
# shows, and once more by the processor time of both threads. CAR_BENCH_DATA is a folder for 450 MiB of
# inputs [default: target/car-bench/data].
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
kit=${CARPOOL_SHARED:-$root/../shared}/peers/car-bench
if [ ! -d "$kit" ]; then
    echo "skipped: no kit of peers at $kit"
    exit 0
fi
work=$root/target/car-bench
# It is put together in a folder of its own, so that what is as it was is not built again.
new=$work/new
mkdir -p "$work/src" "$new/src"
# What the build adds to it for our crates is kept.
[ -f "$work/Cargo.lock" ] || cp "$kit/Cargo.lock" "$work/Cargo.lock"
cp -f "$kit/Cargo.toml" "$new/Cargo.toml"
cp -f "$kit/src/main.rs" "$kit/src/lib.rs" "$new/src/"
cp -f "$root/tests/bench/car-libraries/ours.rs" "$new/src/ours.rs"
chmod -R u+w "$work/Cargo.lock" "$work/src" "$new"

for crate in car core hash; do
    sed -i "/^\[dependencies\]/a carpool-$crate = { path = \"$root/carpool-$crate\" }" "$new/Cargo.toml"
done
sed -i -e '0,/^use /s//mod ours;\nuse /' \
    -e 's|// >>> add carpool here|ours::read(\&mut g, car, p, v);|' \
    -e '/g\.add("own: section() -> warm Vec"/a ours::write(\&mut g, blocks, warm);' \
    -e '/g\.add("own: scanner + Cid::read_bytes".* in cb /a ours::links(\&mut g, cb);' \
    -e '/g\.add("own: scanner + Cid::read_bytes".* in pb /a ours::links(\&mut g, pb);' \
    -e '/{ write(set, p) }/a if what == "goals" || what == "all" { ours::goals(set, p) }' \
    -e '/if what == "links" /i if what == "goals" || what == "all" { let m = d.join("mixed.car"); if !m.exists() { std::fs::write(\&m, write_car(\&ours::mixed())).unwrap() } ours::goals("mixed", \&m) }' \
    "$new/src/main.rs"
[ "$(grep -c 'ours' "$new/src/main.rs")" -eq 7 ] || { echo "the kit has changed" >&2; exit 1; }
for file in Cargo.toml src/main.rs src/lib.rs src/ours.rs; do
    cmp -s "$new/$file" "$work/$file" || cp "$new/$file" "$work/$file"
done

cargo build --release --manifest-path "$work/Cargo.toml" --target-dir "$work/target" --bin car-bench
[ "${1:-}" != build ] || exit 0

export CAR_BENCH_DATA="${CAR_BENCH_DATA:-$work/data}"
said=$work/said.tsv
: > "$said"
[ $# -gt 0 ] || set -- goals read write links
for group in "$@"; do
    "$work/target/release/car-bench" "$group" | tee -a "$said"
done

echo
awk -F '\t' '
    { split($3, c, " "); cpu[$1, $2] = c[2]; split($4, w, " "); wall[$1, $2] = w[2] }
    # The fastest peer of a group whose name matches.
    function best(group, names,    key, part, found) {
        found = ""
        for (key in cpu) {
            split(key, part, SUBSEP)
            if (part[1] == group && part[2] ~ names)
                if (found == "" || cpu[key] + 0 > cpu[group, found] + 0) found = part[2]
        }
        return found
    }
    function line(what, ours, beside, peer, goal) {
        printf "| %s | %d MB/s | %d MB/s, %s | %.2f | ≥ %s | %s |\n", what, ours, peer, beside, \
            ours / peer, goal, (ours / peer >= goal) ? "ok" : "**missed**"
    }
    function against(what, group, mine, peers, goal,    peer) {
        if (!((group, mine) in cpu)) return
        peer = best(group, peers)
        line(what, cpu[group, mine], peer, cpu[group, peer], goal)
    }
    function verify(what, set, goal,    group, one, two) {
        group = "goal/verify/" set
        one = "carpool-car Sections, one core"
        two = "carpool-car Sections, two cores"
        against("read and verify " what ", one core", group, one, "^sha2", goal)
        if (!((group, one) in wall)) return
        against("the same through `Decoder`", group, "carpool-car Decoder, one core", "^sha2", goal)
        line("the same on two cores", wall[group, two], "one core", wall[group, one], 1.8)
        line("the same by processor time", 2 * cpu[group, two], "one core", cpu[group, one], 1.8)
    }
    END {
        print "| what | ours | beside it, in the same run | ratio | goal | |"
        print "|---|---:|---|---:|---|---|"
        verify("blocks of 256 KiB", "raw256k", 1.85)
        verify("blocks of 1 KiB", "cbor1k", 1.5)
        verify("blocks of 100 B to 256 KiB", "mixed", 1.7)
        memory = "&\\[u8\\]$|Cursor"
        against("read blocks of 1 KiB, borrowed", "read/noverify/cbor1k", \
            "carpool-car Sections, &[u8]", "^(iroh|rs|fvm).*(" memory ")", 4)
        against("read blocks of 1 KiB from a file", "read/noverify/cbor1k", \
            "carpool-car Sections::window, File", "^(iroh|rs|fvm).*File|^blockless", 1.8)
        ours = "carpool-car write_section -> warm Vec"
        against("write blocks of 256 KiB", "write/raw256k", ours, "^(iroh|fvm).*warm Vec", 0.95)
        against("write blocks of 1 KiB", "write/cbor1k", ours, "^(iroh|fvm).*warm Vec", 0.95)
        ours = "carpool-core for_each_link_bytes"
        against("links of DAG-CBOR", "links/dag-cbor(1KiB,8 links)", ours, "DagCborCodec::links$", 2.2)
        against("links of DAG-PB", "links/dag-pb(8KiB,174 links)", ours, "^ipld-dagpb 0.2 links", 6)
    }' "$said"
