#!/usr/bin/env bash
# The story of the README with the built program: serve, sync, change, sync, pull by name, get,
# compare.
set -euo pipefail
cd "$(dirname "$0")/../.."
carpool="${CARGO_TARGET_DIR:-$PWD/target}/debug/carpool"
[ -x "$carpool" ] || cargo build -q -p carpool-cli
[ -x "$carpool" ]

room=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$room"
}
trap finish EXIT
cd "$room"
fail() { echo "readme.sh: $*" >&2; exit 1; }
# The number of a field of a JSON object on standard input.
field() { sed -E "s/.*\"$1\":([0-9]+).*/\1/"; }

mkdir -p photos/2024
for n in $(seq 200); do
    head -c 20000 /dev/urandom > "photos/2024/$n.jpg"
done
echo "a caption" > "photos/a caption.txt"
touch photos/.hidden

"$carpool" --store far serve --listen 127.0.0.1:0 --json > listening &
server=$!
for _ in $(seq 100); do
    [ -s listening ] && break
    sleep 0.05
done
url=$(sed -E 's/.*"listening":"([^"]*)".*/\1/' listening)
[ -n "$url" ] || fail "the server does not say where it listens"

first=$("$carpool" --store near --json sync photos "$url")
echo "another caption" > "photos/a caption.txt"
echo "new" > photos/new.txt
second=$("$carpool" --store near --json sync photos "$url")
[ "$(field bytes_sent <<< "$first")" -gt 4000000 ] || fail "the first sync sent too little: $first"
[ "$(field bytes_sent <<< "$second")" -lt 10000 ] || fail "the second sync sent too much: $second"

"$carpool" --store elsewhere pull "$url#photos"
root=$("$carpool" --store elsewhere names | sed 's/ .*//')
"$carpool" --store elsewhere get "$root" -o back
diff -r photos back

kill -TERM "$server"
wait "$server" || fail "the server did not end well"
server=
echo "readme.sh: passed"
