#!/usr/bin/env bash
# Every test that the conformance table names exists, and every page of the book.
set -euo pipefail
cd "$(dirname "$0")/../.."
missing=0
named=$(grep -oE '`[a-z-]+/(tests|src)/[a-z_]+\.rs::[a-z0-9_]+`' docs/conformance.md | tr -d '`' | sort -u)
[ "$(wc -l <<<"$named")" -gt 40 ] || { echo "the table could not be read"; exit 1; }
while IFS= read -r test; do
    file=${test%%::*} name=${test##*::}
    grep -qE "fn $name\b" "$file" 2>/dev/null || { echo "no such test: $test"; missing=1; }
done <<<"$named"
while IFS= read -r page; do
    [ -e "docs/$page" ] || { echo "no such page: $page"; missing=1; }
done < <(grep -oE '[a-z-]+\.md' docs/SUMMARY.md)
[ "$missing" = 0 ] && echo "$(wc -l <<<"$named") tests named, all there"
exit "$missing"
