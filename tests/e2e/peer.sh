#!/usr/bin/env bash
# The real peer: car-mirror 0.1.0's client against our server, and our client against its server.
#
#   tests/e2e/peer.sh            the grid, three runs of each cell and shape
#   tests/e2e/peer.sh --runs N   so many
#   tests/e2e/peer.sh --pushes   1,000 streaming pushes over HTTP/1.1 to a server of ours that holds
#                                part of each DAG: 500 by the peer's client, 500 by ours
#   tests/e2e/peer.sh --long     twenty runs and the pushes (also CARPOOL_LONG=1)
#
# The peer's sources come from $CARPOOL_SHARED/peers/car-mirror (default ../shared) and are built
# in $CARPOOL_PEER_DIR (default target/peer) with their own lock file, once. Without either this is
# skipped. Any failure of a cell that has our side in it fails the script; the peer against itself
# is counted and shown.
set -euo pipefail
cd "$(dirname "$0")/../.."
repo=$PWD
carpool="${CARPOOL:-${CARGO_TARGET_DIR:-$repo/target}/debug/carpool}"
runs=3 grid=yes pushes=0
[ "${CARPOOL_LONG:-}" != 1 ] || { runs=20; pushes=500; }
case ${1:-} in
'') ;;
--runs) runs=${2:?how many} pushes=0 ;;
--pushes) grid=no pushes=500 ;;
--long) runs=20 pushes=500 ;;
*) echo "usage: peer.sh [--runs N | --pushes | --long]" >&2; exit 2 ;;
esac
fail() { echo "peer.sh: $*" >&2; exit 1; }

. tests/e2e/peer-programs
find_peer || { echo "peer.sh: skipped"; exit 0; }
[ -x "$carpool" ] || cargo build -q -p carpool-cli
[ -x "$carpool" ] || fail "no program at $carpool"

room=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$room"
}
trap finish EXIT
cd "$room"
# The text of a field of a JSON object on standard input.
text() { sed -E "s/.*\"$1\":\"([^\"]*)\".*/\1/"; }

# --- servers: each sets `url` and `server` -------------------------------------------------------

# $1: a file that a server writes where it listens into; $2: what makes an address of it.
listening() {
    for _ in $(seq 200); do
        if grep -qs "$2" "$1"; then return 0; fi
        kill -0 "$server" 2>/dev/null || return 1
        sleep 0.02
    done
    return 1
}
serve_ours() {
    rm -f listening
    "$carpool" --store "$1" serve --listen 127.0.0.1:0 --json > listening 2> server.err &
    server=$!
    listening listening '"listening"' || fail "carpool does not serve: $(cat server.err)"
    url=$(text listening < listening)
}
serve_peer() {
    local args=() car
    for car in "$@"; do args+=(--car "$car"); done
    rm -f listening
    "$peer_server" --addr 127.0.0.1:0 "${args[@]}" > listening 2> server.err &
    server=$!
    listening listening '^LISTENING' || fail "the peer does not serve: $(cat server.err)"
    url="http://$(sed -n 's/^LISTENING //p' listening)"
}
# Both end at once and well when told to; a server that does not is a failure of the run.
stop_server() {
    local code=0 pid=$server
    server=
    kill -TERM "$pid" 2>/dev/null || return 1
    wait "$pid" || code=$?
    return "$code"
}

# --- shapes --------------------------------------------------------------------------------------

# Makes $1/{old,part,new}.car and stores that hold them. `part` is the first of the DAG, breadth
# first: all but the last $4 leaves, of $5 bytes each with their frame. $2: the recipe; $3: what
# changes.
shape() {
    local dir=$1 size
    mkdir "$dir"
    "$peer_client" gen --gen "$2" --out "$dir/old.car" > "$dir/old.json"
    "$peer_client" gen --gen "$2" --change "$3" --out "$dir/new.car" > "$dir/new.json"
    size=$(wc -c < "$dir/new.car")
    head -c $((size - $4 * $5)) "$dir/new.car" > "$dir/part.car"
    text root < "$dir/old.json" > "$dir/old.root"
    text root < "$dir/new.json" > "$dir/new.root"
    local code=0
    mkdir "$dir/cold"
    "$carpool" --store "$dir/cold" names > "$dir/log" 2>&1
    "$carpool" --store "$dir/incremental" import "$dir/old.car" > "$dir/log" 2>&1
    "$carpool" --store "$dir/resumed" import "$dir/part.car" > "$dir/log" 2>&1 || code=$?
    [ "$code" = 4 ] || fail "a part of a DAG is taken for a whole: $code"
    "$carpool" --store "$dir/complete" import "$dir/new.car" > "$dir/log" 2>&1
    cp -R "$dir/complete" "$dir/source"
    "$carpool" --store "$dir/source" import "$dir/old.car" > "$dir/log" 2>&1
    "$carpool" --store "$dir/complete" export "$(cat "$dir/new.root")" -o "$dir/whole.car" > "$dir/log" 2>&1
}
# What the receiver holds before a run, as CARs for the peer.
held_cars() {
    case $2 in
    cold) ;;
    incremental) echo "$1/old.car" ;;
    resumed) echo "$1/part.car" ;;
    complete) echo "$1/new.car" ;;
    esac
}
# Our store holds all of the DAG, byte for byte.
ours_is_whole() {
    "$carpool" --store "$1" export "$root" -o out.car > log 2>> why && cmp -s out.car "$dir/whole.car" \
        || { echo "our store does not hold the whole DAG" >> why; return 1; }
}
# So does the peer's server, as its own client sees it.
peer_is_whole() {
    "$peer_client" pull --url "$url/dag" --root "$root" --out out.car > log 2>> why \
        && cmp -s out.car "$dir/new.car" \
        || { cat log >> why; echo "the peer does not hold the whole DAG" >> why; return 1; }
}

# --- runs: `dir`, `root` and `state` say what; the rest are flags --------------------------------

version() { [ "$1" = 1.1 ] || echo --http2; }
peer_pushes_to_ours() { # HTTP, body
    rm -rf store
    cp -R "$dir/$state" store
    serve_ours store
    local ok=0
    timeout 60 "$peer_client" push --url "$url/dag" --car "$dir/new.car" --body "$2" $(version "$1") \
        > why 2>&1 || ok=1
    stop_server || { echo "our server did not end well" >> why; ok=1; }
    [ "$ok" = 0 ] && ours_is_whole store
}
peer_pulls_from_ours() { # HTTP
    local have=() car ok=0
    for car in $(held_cars "$dir" "$state"); do have+=(--have "$car"); done
    serve_ours "$dir/source"
    timeout 60 "$peer_client" pull --url "$url/dag" --root "$root" "${have[@]}" --out out.car \
        $(version "$1") > why 2>&1 || ok=1
    stop_server || { echo "our server did not end well" >> why; ok=1; }
    [ "$ok" = 0 ] && cmp -s out.car "$dir/new.car"
}
ours_pushes_to_peer() { # HTTP, flags
    serve_peer $(held_cars "$dir" "$state")
    local ok=0 http=$1
    shift
    timeout 60 "$carpool" --store "$dir/source" --json push "$root" "$url" --dialect car-mirror \
        $(version "$http") "$@" > why 2>&1 || ok=1
    [ "$ok" = 1 ] || peer_is_whole || ok=1
    stop_server || true
    [ "$ok" = 0 ]
}
ours_pulls_from_peer() { # HTTP
    rm -rf store
    cp -R "$dir/$state" store
    serve_peer "$dir/new.car"
    local ok=0
    timeout 60 "$carpool" --store store --json pull "$root" "$url/dag" $(version "$1") \
        > why 2>&1 || ok=1
    stop_server || true
    [ "$ok" = 0 ] && ours_is_whole store
}
peer_pushes_to_itself() { # HTTP, body
    serve_peer $(held_cars "$dir" "$state")
    local ok=0
    timeout 60 "$peer_client" push --url "$url/dag" --car "$dir/new.car" --body "$2" $(version "$1") \
        > why 2>&1 || ok=1
    [ "$ok" = 1 ] || peer_is_whole || ok=1
    stop_server || true
    [ "$ok" = 0 ]
}

# --- the grid ------------------------------------------------------------------------------------

failures=0
# $1: what the row is called; $2: `ours` where a failure counts; then the run and its flags.
row() {
    local name=$1 whose=$2
    shift 2
    printf '%-48s' "$name"
    for state in cold incremental resumed complete; do
        local good=0 all=0
        for dir in small large; do
            root=$(cat "$dir/new.root")
            for _ in $(seq "$runs"); do
                all=$((all + 1))
                if "$@"; then
                    good=$((good + 1))
                elif [ "$whose" = ours ]; then
                    failures=$((failures + 1))
                    { echo "$name, $state, $dir:"; tail -n 5 why; } >> failed
                fi
            done
        done
        printf ' %11s' "$good/$all"
    done
    printf '\n'
}
grid() {
    echo "of $runs runs of each of two shapes: 200 leaves of 4 KiB, 24 leaves of 256 KiB"
    printf '%-48s %11s %11s %11s %11s\n' "" cold incremental resumed complete
    local http body
    for http in 1.1 2; do
        for body in stream whole; do
            row "car-mirror pushes to carpool, HTTP/$http, $body" ours peer_pushes_to_ours "$http" "$body"
        done
    done
    for http in 1.1 2; do
        row "car-mirror pulls from carpool, HTTP/$http" ours peer_pulls_from_ours "$http"
    done
    for http in 1.1 2; do
        row "carpool pushes to car-mirror, HTTP/$http" ours ours_pushes_to_peer "$http"
        row "the same, told what is held" ours ours_pushes_held "$http"
    done
    for http in 1.1 2; do
        row "carpool pulls from car-mirror, HTTP/$http" ours ours_pulls_from_peer "$http"
    done
    row "car-mirror pushes to itself, HTTP/1.1, stream" peer peer_pushes_to_itself 1.1 stream
    row "car-mirror pushes to itself, HTTP/2, stream" peer peer_pushes_to_itself 2 stream
}
# Told of the version before, which is right in the incremental state and wrong in the others.
ours_pushes_held() { ours_pushes_to_peer "$1" --held "$(cat "$dir/old.root")"; }

# --- more than 64 MiB of what is held ------------------------------------------------------------

# The peer's client streams all of a DAG to a server that holds all of it, or all but what changed.
beyond() {
    local http n=0 good=0 all=0
    "$peer_client" gen --gen 3,300,262144,16 --out push.car > push.json
    rm -rf store
    "$carpool" --store store import push.car > log 2>&1
    serve_ours store
    for http in 1.1 2; do
        for change in "" 7 290; do
            n=$((n + 1)) all=$((all + 1))
            if [ -n "$change" ]; then
                "$peer_client" gen --gen 3,300,262144,16 --change "$change,$n" --out push.car > push.json
            fi
            root=$(text root < push.json)
            if timeout 60 "$peer_client" push --url "$url/dag" --car push.car $(version "$http") > why 2>&1 \
                && "$carpool" --store store export "$root" -o out.car > log 2>> why; then
                good=$((good + 1))
            else
                failures=$((failures + 1))
                { echo "75 MiB, HTTP/$http, changed: ${change:-nothing}"; tail -n 5 why; } >> failed
            fi
        done
    done
    stop_server || fail "our server did not end well: $(cat server.err)"
    rm -f push.car out.car
    echo "car-mirror streams 75 MiB to carpool, which holds all or all but two leaves: $good/$all"
}

# --- many pushes ---------------------------------------------------------------------------------

# Each DAG is a version of its own of one that the server holds; every fifth has large leaves, and
# every seventh was begun before: the server holds its first blocks too.
push_many() {
    rm -rf store
    cp -R small/incremental store
    "$carpool" --store store import large/old.car > log 2>&1
    serve_ours store
    local n recipe a b c peer_failed=0 ours_failed=0
    for n in $(seq "$pushes"); do
        if [ $((n % 5)) = 0 ]; then
            recipe=2,24,262144,4 a=$((n % 24)) b=$(((n / 24) % 24)) c=$(((n * 7) % 24))
        else
            recipe=1,200,4096,8 a=$((n % 200)) b=$(((n / 200 + n * 3) % 200)) c=$(((n * 11) % 200))
        fi
        # Two versions that differ, so that the second client finds the server as the first did.
        one_push "$n" "$recipe" "$a,$b,$c" peer || peer_failed=$((peer_failed + 1))
        one_push "$n" "$recipe" "$a,$b,$c,$(((c + 1) % 24))" ours || ours_failed=$((ours_failed + 1))
    done
    stop_server || fail "our server did not end well: $(cat server.err)"
    echo "streaming pushes over HTTP/1.1 to a server that holds part of the DAG:"
    echo "  by car-mirror's client: $((pushes - peer_failed)) of $pushes"
    echo "  by ours:                $((pushes - ours_failed)) of $pushes"
    failures=$((failures + peer_failed + ours_failed))
}
one_push() {
    local begun=0
    "$peer_client" gen --gen "$2" --change "$3" --out push.car > push.json
    root=$(text root < push.json)
    if [ $(($1 % 7)) = 0 ]; then
        case $2 in
        1,*) begun=4134 ;;
        2,*) begun=262183 ;;
        esac
        head -c $(($(wc -c < push.car) - 10 * begun)) push.car > begun.car
        "$carpool" --store store import begun.car > log 2>&1 || true
    fi
    if [ "$4" = peer ]; then
        timeout 60 "$peer_client" push --url "$url/dag" --car push.car --body stream > why 2>&1
    else
        rm -rf near
        "$carpool" --store near import push.car > log 2>&1
        timeout 60 "$carpool" --store near push "$root" "$url" --dialect car-mirror > why 2>&1
    fi || { { echo "push $1 of $4:"; tail -n 5 why; } >> failed; return 1; }
    # Export finds every block of the DAG or fails.
    "$carpool" --store store export "$root" -o out.car > log 2>&1 \
        && [ "$(wc -c < out.car)" = "$(wc -c < push.car)" ] \
        || { echo "push $1 of $4: the server does not hold the whole DAG" >> failed; return 1; }
}

shape small 1,200,4096,8 5,77,150 80 4134
shape large 2,24,262144,4 3,17 10 262183
: > failed
[ "$grid" = no ] || { grid; beyond; }
[ "$pushes" = 0 ] || push_many
if [ "$failures" != 0 ]; then
    cat failed >&2
    fail "$failures runs failed on our side"
fi
echo "peer.sh: passed (${SECONDS} s)"
