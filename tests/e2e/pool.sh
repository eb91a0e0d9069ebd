#!/usr/bin/env bash
# A pull from four servers at once, over ways of different rates: two of car-mirror 0.1.0, two of ours that have each
# other as peers, one of which is killed midway.
#
#   tests/e2e/pool.sh          48 MiB, under a minute
#   tests/e2e/pool.sh --long   1 GiB (also CARPOOL_LONG=1), and duplicates are held to 1 %
#
# What is checked, and what the table says, is in tests/bench/pool.py. Where the peer is neither built nor there to be built
# all four are ours.
set -euo pipefail
cd "$(dirname "$0")/../.."
repo=$PWD
programs="${CARGO_TARGET_DIR:-$repo/target}/debug"
long=${CARPOOL_LONG:-}
case ${1:-} in
'') ;;
--long) long=1 ;;
*) echo "usage: pool.sh [--long]" >&2; exit 2 ;;
esac
fail() { echo "pool.sh: $*" >&2; exit 1; }

command -v python3 > /dev/null || { echo "pool.sh: skipped: no python3"; exit 0; }
. tests/e2e/peer-programs
find_peer || true
export CARPOOL_PEER_DIR="$peer"
export CARPOOL="${CARPOOL:-$programs/carpool}" CARPOOL_RELAY="${CARPOOL_RELAY:-$programs/relay}"
[ -x "$CARPOOL" ] || cargo build -q -p carpool-cli
[ -x "$CARPOOL_RELAY" ] || cargo build -q -p benches --bin relay
if [ "$long" = 1 ]; then
    timeout 600 tests/bench/pool.py --size 1024 --rates 240,200,160,120 --check 1
else
    timeout 90 tests/bench/pool.py --size 48 --check 5
fi
