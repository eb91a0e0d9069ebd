#!/usr/bin/env python3
"""Writes the test vectors of the delta format, version 1, as docs/delta.md says it and without any code of ours.

    carpool-delta/tests/vectors/make.py

zstd is not needed: its streams may hold blocks that are not compressed, and here they do.
"""

import hashlib
import pathlib

HERE = pathlib.Path(__file__).parent
RAW, CBOR = 0x55, 0x71


def number(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def signed(n):
    return number(n * 2 if n >= 0 else -n * 2 - 1)


def cid(codec, data):
    return bytes([1, codec, 0x12, 32]) + hashlib.sha256(data).digest()


def node(links):
    """A DAG-CBOR list of fewer than 24 links."""
    return bytes([0x80 | len(links)]) + b"".join(b"\xd8\x2a\x58\x25\x00" + link for link in links)


class Stream:
    """A zstd frame that never ends, of raw blocks (RFC 8878)."""

    def __init__(self, window):
        # No checksum, no content size, no dictionary; a window of two to the power of `window`.
        self.head = b"\x28\xb5\x2f\xfd\x00" + bytes([(window - 10) << 3])

    def piece(self, data):
        if not data:
            return b""
        head, self.head = self.head, b""
        return head + (len(data) << 3).to_bytes(3, "little") + data


def frame(data):
    """A whole frame: the last block, raw."""
    return b"\x28\xb5\x2f\xfd\x00\x40" + (len(data) << 3 | 1).to_bytes(3, "little") + data


class Body:
    def __init__(self):
        self.control, self.literals, self.bytes = Stream(18), Stream(21), b"\x01"

    def segment(self, control, literals=b"", plain=b""):
        parts = [self.control.piece(control), self.literals.piece(literals), plain]
        self.bytes += b"".join(number(len(part)) for part in parts) + b"".join(parts)

    def end(self):
        return self.bytes + b"\0\0\0"


PLAIN, COPIES, PREFIX = 0, 4, 8
COMPUTED, NODE = 16, 32


def insert(n):
    return number(4 * n)


def on(n):
    return number(1 + 4 * n)


def next_base(n):
    return number(2 + 4 * n)


def elsewhere(n, base, at):
    return number(3 + 4 * n) + signed(base) + signed(at)


def take(n):
    return number(3) + signed(n)


def write(name, known, old, blocks, body):
    lines = [f"known {link.hex()}" for link in known]
    lines += [f"old {cid(codec, data).hex()} {data.hex()}" for codec, data in old]
    lines += [f"block {cid(codec, data).hex()} {data.hex()}" for codec, data in blocks]
    lines.append(f"body {body.hex()}")
    (HERE / f"{name}.txt").write_text("\n".join(lines) + "\n")


def plain():
    """A leaf by its CID, plain, and one that is inserted: a body without places and bases."""
    body, a, b = Body(), b"some bytes", b"others"
    body.segment(
        number(PLAIN) + number(0) + cid(RAW, a) + number(len(a))
        + number(COPIES) + number(0) + cid(RAW, b) + number(len(b)) + insert(len(b)),
        b,
        a,
    )
    write("plain", [], [], [(RAW, a), (RAW, b)], body.end())


def places():
    """A root that is known, and its leaves by place, in two segments; the second link is not sent."""
    body, leaves = Body(), [b"zero", b"one", b"two"]
    root = node([cid(RAW, leaf) for leaf in leaves])
    # Position 0 is the node of what is known, and its link 0 the root.
    body.segment(number(COPIES + NODE) + number(1) + signed(0) + number(len(root)) + insert(len(root)), root)
    # Then position 0 is the root, and after its link 0 one is left out.
    body.segment(
        number(COPIES) + number(1) + signed(0) + number(4) + insert(4)
        + number(COPIES) + number(1) + signed(1) + number(3) + insert(3),
        b"zerotwo",
    )
    write("places", [cid(CBOR, root)], [], [(CBOR, root), (RAW, leaves[0]), (RAW, leaves[2])], body.end())


def copies():
    """A file with an insertion: the old root is known and opened, hashes are computed."""
    old = [b"0123456789abcdef", b"ghijklmnopqrstuv", b"wxyz"]
    new = [b"0123!456789abcde", b"fghijklmnopqrstu", b"vwxyz"]
    old_root, root = (node([cid(RAW, leaf) for leaf in leaves]) for leaves in (old, new))
    body = Body()
    body.segment(
        # The old root is link 1 of what is known.
        number(1) + number(1) + signed(1)
        # Bases: three links of the node at position 0, the old root, from its first.
        + number(2) + number(1) + number(2) + signed(0) + number(2)
        + number(COPIES + COMPUTED) + number(RAW) + number(16) + on(4) + insert(1) + on(11)
        + number(COPIES + COMPUTED) + number(RAW) + number(16) + on(1) + next_base(15)
        + number(COPIES + COMPUTED) + number(RAW) + number(5) + on(1) + next_base(4)
        # Bases: the old root itself.
        + number(2) + number(1) + number(1)
        # The root is link 0 of what is known, which is at position 1 and of which link 1 was named last. Its
        # hashes are those of the third block that waits, counted from behind the newest, and of those behind it.
        + number(COPIES + NODE) + number(2) + signed(-2) + number(len(root))
        + on(10) + take(-3) + elsewhere(9, 0, 32) + take(0) + elsewhere(9, 0, 32) + take(0),
        b"!",
    )
    known = [cid(CBOR, root), cid(CBOR, old_root)]
    sent = [(CBOR, root)] + [(RAW, leaf) for leaf in new]
    write("copies", known, [(CBOR, old_root)] + [(RAW, leaf) for leaf in old], sent, body.end())


def prefix():
    """A frame with a base as its prefix, to which this one does not refer."""
    body, old, new = Body(), b"an old block", b"a new block"
    body.segment(
        number(2) + number(1) + number(0) + cid(RAW, old)
        + number(PREFIX) + number(0) + cid(RAW, new) + number(len(new)) + number(0) + number(0) + number(len(frame(new))),
        b"",
        frame(new),
    )
    write("prefix", [], [(RAW, old)], [(RAW, new)], body.end())


for vector in (plain, places, copies, prefix):
    vector()
