#!/bin/sh
# Measures the making verbs of `carpool car` on 1 GiB beside `openssl` and `cp` of the same file.
#
#   tests/bench/car-making.sh [DIR]
#
# DIR is a folder on a memory file system with room for 4 GiB [default: /dev/shm]. CARPOOL names the
# program, built where it is not set; RUNS how often each is run [default: 5]. Each line is the
# median on the clock, the median of processor time (all threads), and the most memory. GNU time
# and python3 are needed. The cache is warm.
set -eu
. "$(dirname "$0")/room.sh"
cd "$dir"
head -c 1073741824 /dev/urandom > big
cat > cut.py << 'END'
"""Cuts a file into a CARv1 of raw blocks of as many bytes; the first is the root."""
import hashlib, sys

def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])

def cid(data):
    return b"\x01\x55\x12\x20" + hashlib.sha256(data).digest()

source, target, size = open(sys.argv[1], "rb"), open(sys.argv[2], "wb", 1 << 20), int(sys.argv[3])
head = b"\xa2eroots\x81\xd8\x2a\x58\x25\0" + cid(source.read(size)) + b"gversion\x01"
target.write(varint(len(head)) + head)
source.seek(0)
while data := source.read(size):
    target.write(varint(36 + len(data)) + cid(data) + data)
END
python3 cut.py big kib.car 1024
: > none

timed() {
    name=$1
    shift
    env time -f "$name %e %U %S %M" -a -o times "$@" > said 2>&1 || { cat said >&2; exit 1; }
    rm -f out.car
}
for _ in $(seq "${RUNS:-5}"); do
    timed openssl-file openssl dgst -sha256 big
    timed cp-file cp big out.car
    timed create-2 "$CARPOOL" car create -f out.car big
    timed create-1 "$CARPOOL" car create --version 1 -f out.car big
    timed openssl-car openssl dgst -sha256 kib.car
    timed cp-car cp kib.car out.car
    timed filter-2 "$CARPOOL" car filter --inverse --cid-file none kib.car out.car
    timed filter-1 "$CARPOOL" car filter --version 1 --inverse --cid-file none kib.car out.car
done
python3 - << 'END'
from statistics import median
runs = {}
for line in open("times"):
    name, wall, user, system, kib = line.split()
    runs.setdefault(name, []).append((float(wall), float(user) + float(system), int(kib)))
for name, runs in runs.items():
    wall, cpu, kib = zip(*runs)
    print(f"{name:14} {median(wall):6.2f} s  cpu {median(cpu):5.2f} s  {max(kib) / 1024:6.1f} MiB")
END
