#!/usr/bin/env bash
# What the committed corpus of each target reaches of the sources that the target is for:
#
#     fuzz/coverage.sh                     # all targets
#     fuzz/coverage.sh car_text hash_lanes # some
#
# prints the rows of the table in docs/fuzzing.md. The tools of LLVM are those of the toolchain
# (`rustup component add llvm-tools`), or those that LLVM_PROFDATA and LLVM_COV name, which have to
# read what this rustc writes.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
profdata=${LLVM_PROFDATA:-$tools/llvm-profdata} cov=${LLVM_COV:-$tools/llvm-cov}
if ! command -v "$profdata" >/dev/null || ! command -v "$cov" >/dev/null; then
    echo "needs LLVM's tools: rustup component add llvm-tools" >&2
    exit 2
fi

sources() {
    case $1 in
        varint) echo carpool-core/src/varint.rs ;;
        cid) echo carpool-core/src/cid_bytes.rs ;;
        cbor_reader) echo carpool-core/src/cbor.rs ;;
        links) echo carpool-core/src/links/{cbor,pb,mod,strict,checked}.rs ;;
        bloom) echo carpool-bloom/src/filter.rs ;;
        car_header) echo carpool-car/src/header.rs ;;
        car_decode) echo carpool-car/src/{decoder,section,buffer,frame}.rs ;;
        car_v2_header) echo carpool-car/src/v2.rs ;;
        car_reader) echo carpool-car/src/{reader,resume}.rs ;;
        car_index) echo carpool-car/src/index/{reader,layout,entry}.rs ;;
        car_index_lookup) echo carpool-car/src/index/lookup.rs ;;
        car_indexer) echo carpool-car/src/index/indexer/{mod,group,merge,sort,tournament}.rs ;;
        sharded_index) echo carpool-car/src/index/sharded.rs ;;
        car_check) echo carpool-car/src/check/*.rs ;;
        car_text) echo carpool-cli/src/car/text/*.rs ;;
        hash_lanes) echo carpool-hash/src/{lanes,queue,message,kernel,portable,x86_64}.rs ;;
        delta_copies) echo carpool-delta/src/{apply,index,operation,scan}.rs ;;
        delta_prefix) echo carpool-delta/src/prefix.rs ;;
        delta_frame) echo carpool-delta/src/{stream,sample}.rs carpool-delta/src/frame/{,decoder/}*.rs ;;
        unixfs_node) echo carpool-unixfs/src/{dag_pb,data,node}.rs ;;
        http_message) echo carpool-http/src/message.rs ;;
        http_request) echo carpool-http/src/names.rs carpool-http/src/server/{mod,names,pull,push,refusal}.rs ;;
        sink_events) echo carpool-mirror/src/sink/*.rs carpool-mirror/src/wants.rs ;;
        reconciliation) echo carpool-mirror/src/sketch/{cells,lacking,range,reconciliation}.rs ;;
        pool_engine) echo carpool-pool/src/{source,engine/*,frontier/*}.rs ;;
        pool_gossip) echo carpool-pool/src/provided/*.rs ;;
        pool_plan) echo carpool-pool/src/plan.rs ;;
        source_events) echo carpool-mirror/src/source/*.rs ;;
        session_faults) echo carpool-mirror/src/narrowing.rs carpool-selector/src/walk.rs ;;
    esac
}

targets=("$@")
if [ $# -eq 0 ]; then
    for source in fuzz/fuzz_targets/*.rs; do
        targets+=("$(basename "$source" .rs)")
    done
fi

# A folder of its own: everything is built with counters, which build scripts write too.
built=fuzz/target/coverage
LLVM_PROFILE_FILE=/dev/null RUSTFLAGS="-C instrument-coverage" cargo build --quiet -p fuzz --example replay --target-dir "$built"
replay=$built/debug/examples/replay

echo "| target | source | lines | |"
echo "|---|---|---|---|"
for target in "${targets[@]}"; do
    profile=$built/$target
    LLVM_PROFILE_FILE=$profile.profraw "$replay" "$target" >/dev/null
    "$profdata" merge -sparse "$profile.profraw" -o "$profile.profdata"
    "$cov" report "$replay" -instr-profile="$profile.profdata" >"$profile.report"
    for source in $(sources "$target"); do
        # The columns: file, …, lines, missed lines, their share. Some files are named through `..`.
        awk -v target="$target" -v source="$source" '
            substr($1, length($1) - length(source) + 1) == source {
                printf "| `%s` | `%s` | %d of %4d | %d %% |\n", target, source, $8 - $9, $8,
                    $8 ? 100 * ($8 - $9) / $8 : 0 }' "$profile.report"
    done
done
