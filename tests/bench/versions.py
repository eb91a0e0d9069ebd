#!/usr/bin/env python3
"""Moves real versions of things from one store to another, and counts what it took.

    tests/bench/versions.py              every sequence: carpool, rsync and car-mirror 0.1.0 beside it
    tests/bench/versions.py --chunkers   bytes that are missing, by how files are cut
    tests/bench/versions.py --only NAME  one sequence: npm, history, atproto

Packages are fetched with `npm pack`, the history comes from `git archive`, and the AT Protocol trees
from $CARPOOL_SHARED/fixtures/real/atproto-mst [default: ../shared]. What is not there is left out, with
a word on standard error; nothing is kept but the packages, in $CARPOOL_VERSIONS [default:
target/versions]. $CARPOOL names the program [default: target/release/carpool], $CARPOOL_PEER_DIR
where `tests/e2e/peer.sh` built car-mirror's [default: target/peer]. Files are cut at 256 KiB, since
car-mirror takes no block above 1,000,000 bytes; --chunker cuts them otherwise, and leaves it out.

Up is what the sink sends and down what it gets, in bytes, heads of HTTP included. The goal is the CAR
of just the blocks that are missing, and 1 % and 1 KB, in one round.
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from programs import CARPOOL, PEER, REPO, ours, run, theirs

SHARED = pathlib.Path(os.environ.get("CARPOOL_SHARED", REPO.parent / "shared"))
KEPT = pathlib.Path(os.environ.get("CARPOOL_VERSIONS", REPO / "target/versions"))
PACKAGES = [
    ("typescript", "5.9.2", "5.9.3"),
    ("typescript", "5.8.3", "5.9.2"),
    ("date-fns", "4.0.0", "4.1.0"),
    ("next", "15.5.4", "15.5.5"),
]
# Commits of this repository, counted from the first; later ones change no step.
HISTORY = [0, 20, 40, 60, 80]
FIXED = "size-262144"
CHUNKERS = ["size-16384", "size-32768", "size-65536", "size-131072", "size-262144", "size-1048576"]
CONTENT = ["fastcdc-4096", "fastcdc-8192", "fastcdc-16384", "fastcdc-32768", "fastcdc-65536", "fastcdc-131072", "fastcdc-262144"]


def note(words):
    print(f"versions.py: {words}", file=sys.stderr)


def carpool(store, *args):
    return run(CARPOOL, "--store", store, "--json", *args)


# --- sequences: steps of a name, an old and a new version, which are folders or CARs ---------------


def package(name, version):
    KEPT.mkdir(parents=True, exist_ok=True)
    archive = KEPT / f"{name}-{version}.tgz"
    if not archive.exists():
        run("npm", "pack", "--silent", f"{name}@{version}", cwd=KEPT)
    return archive


def npm(room):
    for name, old, new in PACKAGES:
        folders = []
        for version in (old, new):
            folder = room / f"{name}-{version}"
            if not folder.exists():
                folder.mkdir()
                run("tar", "xzf", package(name, version), "-C", folder)
            folders.append(folder)
        yield f"{name} {old} → {new}", *folders


def history(room):
    commits = run("git", "rev-list", "--first-parent", "--reverse", "HEAD", cwd=REPO).split()
    chosen = [commits[i] for i in HISTORY if i < len(commits)]
    folders = []
    for commit in chosen:
        folder = room / f"history-{commit[:10]}"
        folder.mkdir()
        archive = room / "commit.tar"
        run("git", "archive", "-o", archive, commit, cwd=REPO)
        run("tar", "xf", archive, "-C", folder)
        folders.append((commit[:10], folder))
    for (old, a), (new, b) in zip(folders, folders[1:]):
        yield f"this repository {old} → {new}", a, b


def atproto(_room):
    folder = SHARED / "fixtures/real/atproto-mst"
    if not folder.is_dir():
        note(f"no AT Protocol trees in {folder}")
        return
    yield "AT Protocol, 10 records more", folder / "a.car", folder / "b10.car"
    yield "AT Protocol, 1,000 records more", folder / "a.car", folder / "b1000.car"


SEQUENCES = {"npm": npm, "history": history, "atproto": atproto}


# --- stores and CARs -------------------------------------------------------------------------------


def put(store, version, chunker):
    """Puts a version into a store and returns its root."""
    if version.is_dir():
        said = carpool(store, "add", "--hidden", f"--chunker={chunker}", version)
    else:
        said = carpool(store, "import", version)
    line = json.loads(said.splitlines()[0])
    return line.get("root") or line["roots"][0]


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def cid_end(data, at):
    if data[at] == 0x12 and data[at + 1] == 0x20:
        return at + 34
    for _ in range(3):
        _, at = varint(data, at)
    length, at = varint(data, at)
    return at + length


def sections(car):
    """The bytes of the header of a CAR, and of each section by its CID."""
    data = car.read_bytes()
    length, at = varint(data, 0)
    at += length
    header, found = at, {}
    while at < len(data):
        length, begin = varint(data, at)
        end = begin + length
        found[data[begin : cid_end(data, begin)]] = end - at
        at = end
    return header, found


class Step:
    """Two versions, a store of the old one and one of both, and a CAR of each."""

    def __init__(self, room, name, old, new, chunker):
        self.name, self.old, self.new, self.room = name, old, new, room
        self.sink, self.source = room / "sink", room / "source"
        for store in (self.sink, self.source):
            shutil.rmtree(store, ignore_errors=True)
        self.old_root = put(self.sink, old, chunker)
        put(self.source, old, chunker)
        self.new_root = put(self.source, new, chunker)
        self.old_car, self.new_car = room / "old.car", room / "new.car"
        carpool(self.source, "export", self.old_root, "-o", self.old_car)
        carpool(self.source, "export", self.new_root, "-o", self.new_car)
        header, new_sections = sections(self.new_car)
        _, old_sections = sections(self.old_car)
        absent = [size for cid, size in new_sections.items() if cid not in old_sections]
        self.missing, self.ideal = len(absent), header + sum(absent)
        self.raw = sum(size for size in new_sections.values())


# --- what is measured: each gives bytes up, bytes down, rounds, seconds -----------------------------


def copied(store, room, name="copy"):
    copy = room / name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(store, copy)
    return copy


def pulled(step, *have):
    store = copied(step.sink, step.room)
    with ours(step.source) as url:
        said = json.loads(carpool(store, "pull", step.new_root, url, *have))
    return said["bytes_sent"], said["bytes_received"], said["rounds"], said["seconds"]


def named(url, root, expected):
    body = json.dumps({"root": root, "expected": expected}).encode()
    request = urllib.request.Request(f"{url}/api/v0/names/v", body, method="PUT")
    request.add_header("Content-Type", "application/json")
    urllib.request.urlopen(request).close()


def pulled_by_name(step):
    """A pull of what the name points to, by a sink that pulled it before the name moved on."""
    store = copied(step.sink, step.room)
    with ours(copied(step.source, step.room, "named")) as url:
        named(url, step.old_root, None)
        carpool(store, "pull", f"{url}#v")
        named(url, step.new_root, step.old_root)
        said = json.loads(carpool(store, "pull", f"{url}#v"))
    return said["bytes_sent"], said["bytes_received"], said["rounds"], said["seconds"]


def pushed(step):
    store = copied(step.sink, step.room)
    with ours(store) as url:
        held = ("--held", step.old_root)
        said = json.loads(carpool(step.source, "push", step.new_root, url, *held))
    return said["bytes_received"], said["bytes_sent"], said["rounds"], said["seconds"]


class Relay(threading.Thread):
    """Passes connections on and counts their bytes."""

    def __init__(self, to):
        super().__init__(daemon=True)
        host, port = to.split(":")
        self.to, self.up, self.down = (host, int(port)), 0, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.start()

    def run(self):
        while True:
            near, _ = self.socket.accept()
            far = socket.create_connection(self.to)
            for ends in ((near, far, "up"), (far, near, "down")):
                threading.Thread(target=self.copy, args=ends, daemon=True).start()

    def copy(self, one, other, way):
        try:
            while data := one.recv(1 << 16):
                setattr(self, way, getattr(self, way) + len(data))
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def peer(step):
    client = PEER / "peer-client"
    if not client.exists():
        return None
    with theirs(step.new_car) as at:
        relay = Relay(at)
        command = [client, "pull", "--url", f"http://{relay.address}/dag"]
        command += ["--root", step.new_root, "--have", step.old_car, "--out", os.devnull]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
        said = json.loads(done.stdout)
        time.sleep(0.2)
        up, down = relay.up, relay.down
    if not said["ok"]:
        note(f"car-mirror, {step.name}: {said['error']}")
        return None
    return up, down, said["rounds"], said["seconds"]


def rsynced(step):
    if not shutil.which("rsync"):
        return None
    into = step.room / "rsynced"
    if step.old.is_dir():
        shutil.copytree(step.old, into, symlinks=True)
        what = f"{step.new}/"
    else:
        into.mkdir()
        shutil.copy(step.old, into / "repository.car")
        what = step.room / "repository.car"
        shutil.copy(step.new, what)
    # By its bytes and not by its times, which are those of the archives.
    command = ["rsync", "-az", "--no-whole-file", "--checksum", "--delete", "--stats"]
    begun = time.monotonic()
    said = run(*command, what, f"{into}/")
    seconds = time.monotonic() - begun
    total = {
        line.split(":")[0]: int(line.split(":")[1].replace(",", ""))
        for line in said.splitlines()
        if line.startswith("Total bytes")
    }
    shutil.rmtree(into)
    return total["Total bytes received"], total["Total bytes sent"], None, seconds


# --- tables ----------------------------------------------------------------------------------------


def measured(room, steps, chunker):
    print("| step | what | up B | down B | rounds | s | of the goal |")
    print("|---|---|---:|---:|---:|---:|---:|")
    reached = of = 0
    for name, old, new in steps:
        step = Step(room, name, old, new, chunker)
        goal = step.ideal * 1.01 + 1000
        print(f"| {name} | CAR of the {step.missing:,} blocks missing | | {step.ideal:,} | | | |")
        rows = [
            ("carpool pull by a known name", pulled_by_name(step)),
            ("carpool push to a known root", pushed(step)),
            ("carpool pull from an unknown server", pulled(step, "--have", step.old_root)),
            ("car-mirror pull", peer(step) if chunker == FIXED else None),
            ("rsync -az", rsynced(step)),
        ]
        for what, row in rows:
            if row is None:
                continue
            up, down, rounds, seconds = row
            share = (up + down) / goal
            if "a known" in what:
                of += 1
                reached += share <= 1 and rounds == 1
            shown = rounds if rounds is not None else ""
            print(f"| | {what} | {up:,} | {down:,} | {shown} | {seconds:.2f} | {share:.3f} |")
        sys.stdout.flush()
    print(f"\nThe goal is reached in {reached} of {of} rows with the old root known.")


def by_chunker(room, steps):
    chunkers = CHUNKERS + CONTENT
    if subprocess.run([CARPOOL, "add", "-n", f"--chunker={CONTENT[0]}", __file__],
                      capture_output=True).returncode:
        note("this program does not cut by content")
        chunkers = CHUNKERS
    steps = [step for step in steps if step[1].is_dir()]
    print("| CAR of the missing blocks, KiB | " + " | ".join(name for name, _, _ in steps) + " | blocks |")
    print("|---|" + "---:|" * (len(steps) + 1))
    for chunker in chunkers:
        cells, blocks = [], 0
        for name, old, new in steps:
            step = Step(room, name, old, new, chunker)
            cells.append(f"{step.ideal / 1024:,.0f}")
            blocks += step.missing
        print(f"| {chunker} | " + " | ".join(cells) + f" | {blocks:,} |")
        sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--chunkers", action="store_true")
    parser.add_argument("--chunker", default=FIXED)
    parser.add_argument("--only", choices=SEQUENCES, action="append")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        room = pathlib.Path(room)
        steps = [step for name in asked.only or SEQUENCES for step in SEQUENCES[name](room)]
        if asked.chunkers:
            by_chunker(room, steps)
        else:
            measured(room, steps, asked.chunker)


if __name__ == "__main__":
    main()
