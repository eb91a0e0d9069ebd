# Sourced by the scripts that measure `carpool car` on large files: a folder for them, $dir, below "$1"
# [default: /dev/shm], gone at the end; the repository's $root; and $CARPOOL, built where it is not set.
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d "${1:-/dev/shm}/carpool-bench.XXXXXX")
trap 'rm -rf "$dir"' EXIT INT TERM
if [ -z "${CARPOOL:-}" ]; then
    cargo build --release --manifest-path "$root/Cargo.toml" -p carpool-cli
    CARPOOL=$root/target/release/carpool
fi
