#!/bin/sh
# Measures the reading verbs of `carpool car` on CARs of 1 GiB beside `openssl` and `cp`.
#
#   tests/bench/car.sh [DIR]
#
# DIR is a folder on a memory file system with room for 4 GiB [default: /dev/shm]. Each line is the
# best of three runs in seconds, the ratio to its yardstick, and the goal for that ratio or time.
# The cache is warm. Goals on two threads mean something only where two cores are free: hashing twice
# at once has to take about as long as once. CARPOOL and GIANTCAR name the two programs, built where they are not set.
set -eu
. "$(dirname "$0")/room.sh"
if [ -z "${GIANTCAR:-}" ]; then
    cargo build --release --manifest-path "$root/Cargo.toml" -p carpool-car --example giantcar
    GIANTCAR=$root/target/release/examples/giantcar
fi

# The best of three runs of "$@", in microseconds.
best() {
    best=
    for _ in 1 2 3; do
        begun=$(date +%s%N)
        "$@" > "$dir/said" 2>&1 || { cat "$dir/said" >&2; exit 1; }
        spent=$((($(date +%s%N) - begun) / 1000))
        if [ -z "$best" ] || [ "$spent" -lt "$best" ]; then best=$spent; fi
    done
    echo "$best"
}

# A hundred runs of "$@", so that the shell's own work and the start of `date` do not count.
hundred() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        "$@"; "$@"; "$@"; "$@"; "$@"; "$@"; "$@"; "$@"; "$@"; "$@"
    done
}

twice() {
    "$@" > /dev/null & "$@"
    wait
}

# line NAME MICROSECONDS YARDSTICK GOAL: the ratio is yardstick / time.
line() {
    awk -v name="$1" -v t="$2" -v y="$3" -v goal="$4" 'BEGIN {
        printf "%-44s %9.4f s  %8.2f  %s\n", name, t / 1e6, y / t, goal }'
}

for shape in "4096 262144" "1048576 1024"; do
    set -- $shape
    car=$dir/giant.car
    "$GIANTCAR" "$1" "$2" "$car" > "$dir/made"
    root_cid=$(sed 's/.*root \([^,]*\),.*/\1/' "$dir/made")
    cat "$car" > /dev/null
    echo "== $1 blocks of $2 bytes"
    openssl=$(best openssl dgst -sha256 "$car")
    line "openssl dgst -sha256" "$openssl" "$openssl" ""
    line "the same, twice at once" "$(best twice openssl dgst -sha256 "$car")" "$openssl" ""
    cp=$(best cp "$car" "$dir/copy")
    rm -f "$dir/copy"
    line "cp" "$cp" "$cp" ""
    if [ "$2" -gt 1024 ]; then one=1.6 two=3.0 create=0.02; else one=1.1 two=2.0 create=0.35; fi
    line "verify --threads 1 (rate / openssl)" \
        "$(best "$CARPOOL" car verify --threads 1 "$car")" "$openssl" ">= $one"
    line "verify --threads 2 (rate / openssl)" \
        "$(best "$CARPOOL" car verify --threads 2 "$car")" "$openssl" ">= $two"
    line "list" "$(best "$CARPOOL" car list "$car" /dev/null)" "$openssl" ""
    line "inspect" "$(best "$CARPOOL" car inspect "$car")" "$openssl" ""
    line "index create" "$(best "$CARPOOL" car index create "$car" "$dir/idx")" "$openssl" \
        "<= $create s"
    line "get-block without index (the last)" \
        "$(best "$CARPOOL" car get-block "$car" "$root_cid" "$dir/block")" "$openssl" "<= 0.15 s"
    line "index to CARv2 (cp / time)" \
        "$(best "$CARPOOL" car index "$car" "$dir/v2.car")" "$cp" ">= 0.67"
    rm -f "$car"
    line "verify --threads 1 of CARv2 with index" \
        "$(best "$CARPOOL" car verify --threads 1 "$dir/v2.car")" "$openssl" ">= $one"
    line "verify --threads 2 of CARv2 with index" \
        "$(best "$CARPOOL" car verify --threads 2 "$dir/v2.car")" "$openssl" ">= $two"
    line "get-block with index (the last), of 100" \
        $(($(best hundred "$CARPOOL" car get-block "$dir/v2.car" "$root_cid" "$dir/block") / 100)) \
        "$openssl" "<= 0.005 s"
    rm -f "$dir/v2.car"
done
