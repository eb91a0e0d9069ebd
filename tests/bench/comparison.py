#!/usr/bin/env python3
"""Moves a new version of a thing to where the old one is, in the ways that people know, and counts what it
took: rsync, git, tar and zstd, car-mirror 0.1.0, and carpool.

    tests/bench/comparison.py                    small sequences at 100 Mb/s; tables
    tests/bench/comparison.py --long             every sequence at 10, 100 and 1,000 Mb/s
    tests/bench/comparison.py --only NAME …      some sequences: see SEQUENCES
    tests/bench/comparison.py --rate MBPS …      some rates
    tests/bench/comparison.py --way WAY …        some ways: see WAYS
    tests/bench/comparison.py --profile NAME …   some profiles: 1MiB, 256KiB, content
    tests/bench/comparison.py --runs N           the median of so many [default: 1]
    tests/bench/comparison.py --prepare          make what is measured, and measure nothing
    tests/bench/comparison.py --table            no measurement: the tables of what was measured
    tests/bench/comparison.py --rows             no measurement: all of it, row by row
    tests/bench/comparison.py --figures DIR      no measurement: figures of it, as SVG

All of them go through one relay (`cargo build --release -p benches --bin relay`), which delays by a round
trip of 50 ms, limits the rate in each direction, lets connections come up as late as TCP's, and counts
all bytes that TCP carried. TCP's slow start is not modelled, for nobody. Up is what the side sends that
gets the new version, down what it gets; turns are the times that it spoke anew after it had heard
something, which is the round trips beside the handshake. Seconds run from the start of the program to
its end, processor time is that of the side that gets and of the one that gives. Whatever was moved is compared
with what it should be.

Results are lines of $CARPOOL_COMPARISON/results.tsv [default: target/comparison], where sequences are
made, too, and received unless $CARPOOL_SCRATCH says where; a later result takes the place of an earlier one. Packages are fetched with `npm pack` and `apt-get
download` and kept in $CARPOOL_VERSIONS [default: target/versions]; $CARPOOL, $CARPOOL_RELAY and
$CARPOOL_PEER_DIR name the programs, as in versions.py. What is not there is left out, with a word.
"""

import argparse
import csv
import json
import os
import pathlib
import random
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time

import programs
import versions
from programs import CARPOOL, PEER, REPO

SHARED, KEPT = versions.SHARED, versions.KEPT
ROOM = pathlib.Path(os.environ.get("CARPOOL_COMPARISON", REPO / "target/comparison"))
SCRATCH = pathlib.Path(os.environ.get("CARPOOL_SCRATCH", ROOM))
RESULTS = ROOM / "results.tsv"
RTT = 50
RATES = [10, 100, 1000]
PROFILES = {
    "1MiB": [],
    "256KiB": ["--chunker=size-262144"],
    "content": ["--profile=carpool-v1-fastcdc"],
}
TICKS = os.sysconf("SC_CLK_TCK")
FIELDS = ["sequence", "profile", "rate", "way", "up", "down", "turns", "seconds", "cpu", "server_cpu"]
# Whoever runs this may have settings of git of their own.
ENV = dict(
    os.environ,
    GIT_CONFIG_GLOBAL="/dev/null",
    GIT_CONFIG_SYSTEM="/dev/null",
    GIT_AUTHOR_NAME="a",
    GIT_AUTHOR_EMAIL="a@example.org",
    GIT_COMMITTER_NAME="a",
    GIT_COMMITTER_EMAIL="a@example.org",
    GIT_AUTHOR_DATE="2024-01-01T00:00:00Z",
    GIT_COMMITTER_DATE="2024-01-01T00:00:00Z",
)


def note(words):
    print(f"comparison.py: {words}", file=sys.stderr)


def run(*command, **options):
    return programs.run(*command, env=ENV, **options)


# --- sequences: versions of a thing, one after the other; folders, or CARs --------------------------


def npm(name, *numbers):
    def made(folder):
        for number in numbers:
            into = folder / number
            into.mkdir(parents=True)
            run("tar", "xzf", versions.package(name, number), "-C", into)
            yield into

    return made


def libc(folder):
    """The two newest packages that apt offers; where it offers one alone there is no sequence."""
    if not shutil.which("apt-get"):
        return
    offered = [line.split("|")[1].strip() for line in run("apt-cache", "madison", "libc6").splitlines()]
    newest = sorted(set(offered), key=key_of)[-2:]
    if len(newest) < 2:
        note(f"libc6: apt offers {newest} alone")
        return
    KEPT.mkdir(parents=True, exist_ok=True)
    for number in newest:
        if not list(KEPT.glob(f"libc6_{number}_*.deb")):
            run("apt-get", "download", f"libc6={number}", cwd=KEPT)
        into = folder / number
        into.mkdir(parents=True)
        run("dpkg-deb", "-x", next(KEPT.glob(f"libc6_{number}_*.deb")), into)
        yield into


def key_of(version):
    digits = "".join(c if c.isdigit() else " " for c in version)
    return [int(part) for part in digits.split()]


def history(folder):
    """Commits of this repository, counted from the first, so that later ones change nothing."""
    commits = run("git", "rev-list", "--first-parent", "--reverse", "HEAD", cwd=REPO).split()
    for commit in (commits[at] for at in versions.HISTORY + [100, 120] if at < len(commits)):
        into = folder / commit[:10]
        into.mkdir(parents=True)
        run("git", "archive", "-o", folder / "commit.tar", commit, cwd=REPO)
        run("tar", "xf", folder / "commit.tar", "-C", into)
        yield into


def sqlite(rows):
    """A database that is written, and then changed in place: 1 in 100 rows, 1 in 100 more, some fewer."""

    def made(folder):
        draw = random.Random(7)
        words = [f"{draw.getrandbits(24):x}" for _ in range(5000)]
        text = lambda: " ".join(draw.choice(words) for _ in range(draw.randrange(10, 60)))
        before, after = folder / "before", folder / "after"
        for into in (before, after):
            into.mkdir(parents=True)
        with sqlite3.connect(before / "data.db") as base:
            base.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, who TEXT, text TEXT)")
            base.execute("CREATE INDEX by_who ON notes (who)")
            for n in range(rows):
                base.execute("INSERT INTO notes VALUES (?, ?, ?)", (n, draw.choice(words), text()))
        base.close()
        shutil.copy(before / "data.db", after / "data.db")
        with sqlite3.connect(after / "data.db") as base:
            for n in draw.sample(range(rows), rows // 100):
                base.execute("UPDATE notes SET text = ? WHERE id = ?", (text(), n))
            for n in draw.sample(range(rows), rows // 500):
                base.execute("DELETE FROM notes WHERE id = ?", (n,))
            for n in range(rows, rows + rows // 100):
                base.execute("INSERT INTO notes VALUES (?, ?, ?)", (n, draw.choice(words), text()))
        base.close()
        yield before
        yield after

    return made


def atproto(new):
    def made(_folder):
        trees = SHARED / "fixtures/real/atproto-mst"
        if trees.is_dir():
            yield trees / "a.car"
            yield trees / new

    return made


# What each is called, how it is made, and whether it is small.
SEQUENCES = {
    "typescript-patch": ("typescript 5.9.2 → 5.9.3", npm("typescript", "5.9.2", "5.9.3"), False),
    "typescript-minor": ("typescript 5.8.3 → 5.9.2", npm("typescript", "5.8.3", "5.9.2"), False),
    "date-fns": ("date-fns 4.0.0 → 4.1.0", npm("date-fns", "4.0.0", "4.1.0"), False),
    "next": ("next 15.5.4 → 15.5.5", npm("next", "15.5.4", "15.5.5"), False),
    "libc6": ("libc6, two newest", libc, False),
    "history": ("this repository", history, True),
    "sqlite": ("SQLite, 1 % of 100,000 rows", sqlite(100_000), False),
    "sqlite-small": ("SQLite, 1 % of 10,000 rows", sqlite(10_000), True),
    "atproto-10": ("AT Protocol, 10 records more", atproto("b10.car"), False),
    "atproto-1000": ("AT Protocol, 1,000 records more", atproto("b1000.car"), False),
}
# Those of the goals, in their order.
SEVEN = ["typescript-patch", "typescript-minor", "date-fns", "next", "libc6", "history", "sqlite"]


class Step:
    """Two versions, and what is made of them for each way."""

    def __init__(self, folder, old, new):
        self.folder, self.old, self.new = folder, old, new
        self.folder.mkdir(parents=True, exist_ok=True)

    def is_car(self):
        return self.new.is_file()

    def made(self, name, make):
        """A folder that is made once."""
        folder = self.folder / name
        if not folder.exists():
            draft = self.folder / f"{name}.draft"
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            make(draft)
            draft.rename(folder)
        return folder

    def fresh(self, name, of=None):
        """A place to receive into."""
        folder = SCRATCH / name
        shutil.rmtree(folder, ignore_errors=True)
        if of is None:
            folder.mkdir()
        else:
            run("cp", "-a", of, folder)
        return folder

    def tree(self, version):
        """A folder to send or to receive into: a CAR is a file in one."""
        if version.is_dir():
            return version
        lone = lambda draft: shutil.copy(version, draft / "repository.car")
        return self.made(f"tree-{version.stem}", lone)

    def stores(self, profile):
        """A store of the old version, one of both, and their roots."""

        def make(draft):
            flags = PROFILES.get(profile, [])
            roots = [put(draft / "sink", self.old, flags), put(draft / "source", self.old, flags)]
            roots[1] = put(draft / "source", self.new, flags)
            (draft / "roots").write_text("\n".join(roots))
            for store in ("sink", "source"):
                with programs.ours(draft / store) as url:
                    versions.named(url, roots[0], None)
            for version, root in zip(("old", "new"), roots):
                run(CARPOOL, "--store", draft / "source", "export", root, "-o", draft / f"{version}.car")

        folder = self.made(profile, make)
        return folder, *(folder / "roots").read_text().split()

    def repositories(self):
        """One commit a version: a repository to serve, and a clone of the old.

        Both were pushed and neither is packed: then git makes deltas against what the clone has. Of objects that it
        packed before it sends some whole, 1.7 MB where 2.5 KB would do (git 2.39, typescript 5.9.2 to 5.9.3).
        """

        def make(draft):
            work = draft / "work"
            run("git", "init", "-q", work)
            for branch, version in (("old", self.old), ("new", self.new)):
                for entry in work.iterdir():
                    if entry.name != ".git":
                        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
                run("git", "checkout", "-q", "-b", branch, cwd=work)
                run("cp", "-a", f"{version}/.", work)
                run("git", "add", "-A", "-f", cwd=work)
                run("git", "commit", "-q", "-m", branch, cwd=work)
            server, served = draft / "server.git", f"file://{draft}/server.git"
            run("git", "init", "-q", "--bare", server)
            run("git", "config", "receive.unpackLimit", "1000000", cwd=server)
            run("git", "push", "-q", server, "old", cwd=work)
            run("git", "clone", "-q", "--bare", "--single-branch", "-b", "old", served, draft / "clone.git")
            run("git", "push", "-q", server, "new", cwd=work)
            shutil.rmtree(work)

        return self.made("git", make)


def put(store, version, flags):
    if version.is_dir():
        said = versions.carpool(store, "add", "--hidden", *flags, version)
    else:
        said = versions.carpool(store, "import", version)
    line = json.loads(said.splitlines()[0])
    return line.get("root") or line["roots"][0]


def steps_of(name):
    folder = ROOM / name
    listed = folder / "versions"
    if not listed.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        found = list(SEQUENCES[name][1](folder))
        if len(found) < 2:
            note(f"{name}: not here")
            return []
        listed.write_text("\n".join(map(str, found)))
    found = [pathlib.Path(line) for line in listed.read_text().splitlines()]
    return [Step(folder / f"step{n}", old, new) for n, (old, new) in enumerate(zip(found, found[1:]))]


# --- the relay, servers and clients ----------------------------------------------------------------


class Relay(programs.Relay):
    def __init__(self, to, rate):
        super().__init__(to, RTT, rate)
        self.host, port = self.at.split(":")
        self.port, self.before = int(port), {}

    def forget(self):
        """What passed up to now is not counted."""
        self.before = self.quiet()

    def passed(self):
        """What passed, once nothing passes any more."""
        counted = self.quiet()
        return {what: counted[what] - self.before.get(what, 0) for what in counted}

    def quiet(self):
        before = None
        while (counted := self.count()) != before:
            before = counted
            time.sleep(0.15)
        return counted


class Daemon:
    """A server of one program that is told its port."""

    def __init__(self, command):
        port = programs.free_port()
        self.address = f"127.0.0.1:{port}"
        silent = subprocess.DEVNULL
        command = [str(word).replace("PORT", str(port)) for word in command]
        self.process = subprocess.Popen(command, stdout=silent, stderr=silent, env=ENV)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.01)
        else:
            raise SystemExit(f"{command[0]}: it does not listen")
        self.begun = cpu_of(self.process.pid)

    def seconds(self):
        return cpu_of(self.process.pid) - self.begun

    def close(self):
        self.process.terminate()
        self.process.wait()


class Said(Daemon):
    """One that says where it listens."""

    def __init__(self, server):
        self.server, self.process = server, server.process
        self.address = server.address.removeprefix("http://")
        self.begun = cpu_of(self.process.pid)

    def close(self):
        self.server.close()


class Tar(threading.Thread):
    """Sends a tree to whoever connects."""

    def __init__(self, tree):
        super().__init__(daemon=True)
        self.tree, self.cpu = tree, 0.0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.start()

    def run(self):
        to, _ = self.socket.accept()
        with to:
            command = ["sh", "-c", 'tar -C "$0" -cf - . | zstd -q -3 -c', str(self.tree)]
            process = subprocess.Popen(command, stdout=to)
            self.cpu = ended(process)[1]
        self.socket.close()

    def seconds(self):
        self.join()
        return self.cpu

    def close(self):
        self.join()


def cpu_of(pid):
    """Processor time of a process and of the children that it has seen end."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def ended(process):
    """How a process ended, and its processor time and that of its children."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_utime + used.ru_stime


def client(*command, stdin=None):
    """Runs a program to its end: seconds, processor time."""
    command = [str(word) for word in command]
    begun = time.monotonic()
    process = subprocess.Popen(
        command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENV
    )
    complaint = process.stderr.read()
    code, cpu = ended(process)
    seconds = time.monotonic() - begun
    process.stderr.close()
    if code != 0:
        raise Refused(f"{' '.join(command)}: {complaint.decode(errors='replace').strip()}")
    return seconds, cpu


class Refused(Exception):
    pass


def through(server, rate, move, before=None):
    """Moves something by way of a relay, and says what that took; what comes `before` does not count."""
    relay = Relay(server.address, rate)
    try:
        if before:
            before(relay)
            relay.forget()
            server.begun += server.seconds()
        seconds, cpu = move(relay)
        passed = relay.passed()
        row = dict(up=passed["up"], down=passed["down"], turns=passed["turns"])
        return dict(row, seconds=seconds, cpu=cpu, server_cpu=server.seconds())
    finally:
        relay.close()
        server.close()


def same(one, other):
    run("diff", "-r", "--no-dereference", one, other)


# --- ways: each moves the new version of a step to where the old one is, at a rate ------------------

FLAGS = ["--no-whole-file", "--checksum", "--delete"]


def rsyncd(tree, writable):
    config = SCRATCH / "rsyncd.conf"
    read_only = "no" if writable else "yes"
    # Without it rsync changes absolute symbolic links.
    chroot = "yes" if os.getuid() == 0 else "no"
    lines = [f"use chroot = {chroot}", "munge symlinks = no", f"uid = {os.getuid()}", f"gid = {os.getgid()}", "[it]"]
    lines += [f"path = {tree}", f"read only = {read_only}"]
    config.write_text("\n".join(lines) + "\n")
    command = ["rsync", "--daemon", "--no-detach", "--address=127.0.0.1", "--port=PORT"]
    return Daemon(command + [f"--config={config}"])


def rsync(flag, cold=False):
    def moved(step, rate, _profile):
        old, new = step.tree(step.old), step.tree(step.new)
        into = step.fresh("rsynced", None if cold else old)
        move = lambda relay: client("rsync", flag, *FLAGS, f"rsync://{relay.at}/it/", f"{into}/")
        row = through(rsyncd(new, False), rate, move)
        same(new, into)
        shutil.rmtree(into)
        return row

    return moved


def rsync_push(flag):
    def moved(step, rate, _profile):
        old, new = step.tree(step.old), step.tree(step.new)
        into = step.fresh("rsynced", old)
        move = lambda relay: client("rsync", flag, *FLAGS, f"{new}/", f"rsync://{relay.at}/it/")
        row = turned(through(rsyncd(into, True), rate, move))
        same(new, into)
        shutil.rmtree(into)
        return row

    return moved


def turned(row):
    """Of a push: up is what the side sends that gets the new version."""
    return dict(row, up=row["down"], down=row["up"], cpu=row["server_cpu"], server_cpu=row["cpu"])


def git(step, rate, _profile):
    if step.is_car():
        return None
    made = step.repositories()
    clone = step.fresh("cloned.git", made / "clone.git")
    # Not by way of `git`, whose child it would be.
    daemon = pathlib.Path(run("git", "--exec-path").strip()) / "git-daemon"
    command = [daemon, "--listen=127.0.0.1", "--port=PORT", "--export-all"]
    server = Daemon(command + [f"--base-path={made}", made])
    move = lambda relay: client("git", "-C", clone, "fetch", f"git://{relay.at}/server.git", "new")
    row = through(server, rate, move)
    wanted = run("git", "rev-parse", "new", cwd=made / "server.git")
    assert run("git", "rev-parse", "FETCH_HEAD", cwd=clone) == wanted
    run("git", "fsck", "--connectivity-only", wanted.strip(), cwd=clone)
    shutil.rmtree(clone)
    return row


def tar(step, rate, _profile):
    new = step.tree(step.new)
    into = step.fresh("unpacked")

    def move(relay):
        begun = time.monotonic()
        with socket.create_connection((relay.host, relay.port)) as down:
            down.shutdown(socket.SHUT_WR)
            _, cpu = client("sh", "-c", 'zstd -q -dc | tar -xf - -C "$0"', into, stdin=down)
        return time.monotonic() - begun, cpu

    row = through(Tar(new), rate, move)
    same(new, into)
    shutil.rmtree(into)
    return row


def serve(store):
    return Said(programs.ours(store))


def whole(step, store, root, car):
    """The store holds all below the root, byte for byte."""
    out = SCRATCH / "out.car"
    run(CARPOOL, "--store", store, "export", root, "-o", out)
    run("cmp", out, car)
    out.unlink()


def met(store):
    """Lets a program meet the server before: it has the old version from somewhere."""
    return lambda relay: run(CARPOOL, "--store", store, "pull", f"http://{relay.at}#v")


def pull(*flags, cold=False, first=False):
    def moved(step, rate, profile):
        made, old, new = step.stores(profile)
        store = step.fresh("pulled", None if cold else made / "sink")
        have = [] if cold else ["--have", old]
        command = [CARPOOL, "--store", store, "--json", "pull", new]
        move = lambda relay: client(*command, f"http://{relay.at}", *have, *flags)
        before = None if cold or first else met(store)
        row = through(serve(made / "source"), rate, move, before)
        whole(step, store, new, made / "new.car")
        shutil.rmtree(store)
        return row

    return moved


def push(*flags):
    def moved(step, rate, profile):
        made, old, new = step.stores(profile)
        store, source = step.fresh("pushed", made / "sink"), step.fresh("pushing", made / "source")
        command = [CARPOOL, "--store", source, "--json", "push", new]
        move = lambda relay: client(*command, f"http://{relay.at}", "--held", old, *flags)
        row = turned(through(serve(store), rate, move, met(source)))
        whole(step, store, new, made / "new.car")
        shutil.rmtree(store)
        shutil.rmtree(source)
        return row

    return moved


def sync_down(step, rate, profile):
    """A folder that was brought to the name before, and is again once the name has moved."""
    if step.is_car():
        return None
    made, old, new = step.stores(profile)
    store, source = step.fresh("pulled", made / "sink"), step.fresh("served", made / "source")
    into = step.fresh("synced")
    into.rmdir()
    server = serve(source)

    def before(relay):
        run(CARPOOL, "--store", store, "sync", f"http://{relay.at}#v", into)
        versions.named(f"http://{server.address}", new, old)

    command = [CARPOOL, "--store", store, "--json", "sync"]
    move = lambda relay: client(*command, f"http://{relay.at}#v", into, "--delete", *DELTA)
    row = through(server, rate, move, before)
    same(step.new, into)
    for folder in (store, source, into):
        shutil.rmtree(folder)
    return row


def sync_up(step, rate, profile):
    """A folder that was sent under the name before, and is again once it has changed."""
    if step.is_car():
        return None
    made, old, new = step.stores(profile)
    store, sink = step.fresh("pushing", made / "sink"), step.fresh("pushed", made / "sink")
    folder = step.fresh("synced", step.old)
    command = [CARPOOL, "--store", store, "--json", "sync", *PROFILES[profile], folder]

    def before(relay):
        run(*command, f"http://{relay.at}#v")
        run("rsync", "-a", "--checksum", "--delete", f"{step.new}/", f"{folder}/")

    move = lambda relay: client(*command, f"http://{relay.at}#v", *DELTA)
    row = turned(through(serve(sink), rate, move, before))
    whole(step, sink, new, made / "new.car")
    for folder in (store, sink, folder):
        shutil.rmtree(folder)
    return row


def mirror(step, rate, profile):
    """car-mirror takes no block above 1,000,000 bytes."""
    if profile == "1MiB" or not (PEER / "peer-client").exists():
        return None
    made, _, new = step.stores(profile)
    flags = ["--root", new, "--have", made / "old.car", "--out", os.devnull]

    def move(relay):
        return client(PEER / "peer-client", "pull", "--url", f"http://{relay.at}/dag", *flags)

    return through(Said(programs.theirs(made / "new.car")), rate, move)


NEVER, ZSTD = ("--delta=never", "--compress=never"), ("--delta=never", "--compress=always")
DELTA = ("--delta=always", "--compress=always")
# How each moves, and whether it depends on how files are cut.
WAYS = {
    "rsync -a": (rsync("-a"), False),
    "rsync -az": (rsync("-az"), False),
    "git": (git, False),
    "deltas": (pull(*DELTA), True),
    "deltas, first contact": (pull(*DELTA, first=True), True),
    "blocks": (pull(*NEVER), True),
    "blocks, zstd": (pull(*ZSTD), True),
    "car-mirror": (mirror, True),
    "cold: tar, zstd": (tar, False),
    "cold: rsync -az": (rsync("-az", cold=True), False),
    "cold: zstd": (pull(*ZSTD, cold=True), True),
    "cold: deltas": (pull(*DELTA, cold=True), True),
    "cold: blocks": (pull(*NEVER, cold=True), True),
    "sync of a folder": (sync_down, True),
    "push: rsync -az": (rsync_push("-az"), False),
    "push: sync of a folder": (sync_up, True),
    "push: deltas": (push(*DELTA), True),
    "push: blocks, zstd": (push(*ZSTD), True),
}


# --- measuring -------------------------------------------------------------------------------------


def profiles_of(name, depends, asked):
    if not depends:
        return ["-"]
    return ["as it is"] if name.startswith("atproto") else asked


def measure(asked):
    ROOM.mkdir(parents=True, exist_ok=True)
    SCRATCH.mkdir(parents=True, exist_ok=True)
    for name in asked.only:
        steps = steps_of(name)
        for way in asked.way:
            move, depends = WAYS[way]
            for profile in profiles_of(name, depends, asked.profile):
                for rate in asked.rate:
                    row = sum_of(steps, move, rate, profile, asked.runs)
                    if row is not None:
                        row = dict(row, sequence=name, profile=profile, rate=rate, way=way)
                        keep(row)


def sum_of(steps, move, rate, profile, runs):
    """Of all steps of a sequence, each by its median run."""
    total = dict.fromkeys(FIELDS[4:], 0)
    for step in steps:
        rows = []
        for _ in range(runs):
            try:
                rows.append(move(step, rate, profile))
            except Refused as refused:
                note(refused)
                return None
        if None in rows:
            return None
        for field in total:
            total[field] += statistics.median(row[field] for row in rows)
    return total if steps else None


def keep(row):
    line = "\t".join(shown(row[field]) for field in FIELDS)
    with RESULTS.open("a") as results:
        results.write(line + "\n")
    print(line, flush=True)


def shown(value):
    return f"{value:.3f}" if isinstance(value, float) and value % 1 else f"{value:.0f}" if isinstance(value, float) else str(value)


def prepare(asked):
    ROOM.mkdir(parents=True, exist_ok=True)
    SCRATCH.mkdir(parents=True, exist_ok=True)
    for name in asked.only:
        for step in steps_of(name):
            for version in (step.old, step.new):
                step.tree(version)
            for profile in profiles_of(name, True, asked.profile):
                step.stores(profile)
            if not step.is_car():
                step.repositories()
        note(f"{name}: ready")


# --- tables ----------------------------------------------------------------------------------------


def results():
    """The last row of each kind, by sequence, profile, rate and way."""
    found = {}
    with RESULTS.open() as lines:
        for row in csv.DictReader(lines, fieldnames=FIELDS, delimiter="\t"):
            for field in FIELDS[4:]:
                row[field] = float(row[field])
            row["bytes"] = row["up"] + row["down"]
            found[row["sequence"], row["profile"], int(row["rate"]), row["way"]] = row
    return found


def of(found, name, profile, rate, way):
    depends = WAYS[way][1]
    profile = profiles_of(name, depends, [profile])[0]
    return found.get((name, profile, rate, way))


def any_rate(found, name, profile, way):
    rows = (of(found, name, profile, rate, way) for rate in (100, 10, 1000))
    return next((row for row in rows if row), None)


def rows(asked):
    found = results()
    for name in asked.only:
        print(f"\n{SEQUENCES[name][0]}\n")
        print("| way | profile | Mb/s | up B | down B | turns | s | its processor s | server's |")
        print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
        for way, profile in ((way, profile) for way in WAYS for profile in ["-", "as it is", *PROFILES]):
            for rate in RATES:
                row = found.get((name, profile, rate, way))
                if row:
                    cells = [way, profile, rate] + [f"{row[field]:,.0f}" for field in FIELDS[4:7]]
                    cells += [f"{row[field]:.2f}" for field in FIELDS[7:]]
                    print("| " + " | ".join(map(str, cells)) + " |")


def goals(found, asked):
    bytes_moved(found, asked)
    seconds(found, asked)
    processors(found, asked)
    cold(found, asked)


def each(found, asked, ways):
    """The rows of these ways, for each sequence and profile that has all of the first two."""
    for name in asked.only:
        for profile in profiles_of(name, True, asked.profile):
            rows = [any_rate(found, name, profile, way) for way in ways]
            if rows[0] and rows[1]:
                yield [SEQUENCES[name][0], profile], rows


def head(*cells, text=2):
    print("\n| " + " | ".join(cells) + " |")
    print("|" + "---|" * text + "---:|" * (len(cells) - text))


def line(cells):
    print("| " + " | ".join(map(str, cells)) + " |")


def bytes_moved(found, asked):
    print("Bytes both ways:")
    others = ["rsync -a", "git", "car-mirror", "blocks", "blocks, zstd"]
    head("sequence", "profile", *others, "rsync -az", "deltas", "of rsync -az", "of git", "turns")
    for cells, (ours, them, *rest) in each(found, asked, ["deltas", "rsync -az", *others]):
        cells += map(count, rest)
        line([*cells, count(them), count(ours), share(ours, them), share(ours, rest[1]), f"{ours['turns']:.0f}"])
    print("\nThe same with folders, and pushed:")
    ways = ["rsync -az", "sync of a folder", "push: rsync -az", "push: deltas", "push: sync of a folder"]
    head("sequence", "profile", *ways)
    for cells, rows in each(found, asked, ways):
        line([*cells, *map(count, rows)])


def processors(found, asked):
    print("\nProcessor seconds, of who gets and of who gives:")
    ways = ["rsync -az", "deltas", "git", "blocks", "blocks, zstd"]
    head("sequence", "profile", *ways)
    both = lambda row: f"{row['cpu']:.2f} + {row['server_cpu']:.2f}" if row else ""
    for cells, rows in each(found, asked, ways):
        line([*cells, *map(both, rows)])


def cold(found, asked):
    print("\nWithout an old version, bytes both ways:")
    ways = ["cold: zstd", "cold: tar, zstd", "cold: rsync -az", "cold: deltas"]
    others = ["tar, zstd -3", "rsync -az", "blocks, zstd", "of tar, zstd -3"]
    head("sequence", "profile", *others, "delta bodies", "of tar, zstd -3")
    for cells, (ours, them, rsync, deltas) in each(found, asked, ways):
        shared = share(deltas, them) if deltas else ""
        line([*cells, count(them), count(rsync), count(ours), share(ours, them), count(deltas), shared])


def seconds(found, asked):
    print("\nSeconds, from the start of the program to its end:")
    ways = ["rsync -az", "blocks", "deltas", "git", "blocks, zstd", "sync of a folder"]
    head("sequence", "profile", "Mb/s", *ways, "of rsync -az", "of blocks", text=2)
    for name in asked.only:
        for profile in profiles_of(name, True, asked.profile):
            for rate in asked.rate:
                rows = [of(found, name, profile, rate, way) for way in ways]
                took = [row["seconds"] if row else None for row in rows]
                if None not in took[:3]:
                    cells = [f"{it:.2f}" if it else "" for it in took]
                    ratios = [f"{took[2] / took[0]:.2f}", f"{took[2] / took[1]:.2f}"]
                    line([SEQUENCES[name][0], profile, rate, *cells, *ratios])


def count(row):
    return f"{row['bytes']:,.0f}" if row else ""


def share(ours, theirs):
    return f"{ours['bytes'] / theirs['bytes']:.3f}" if theirs else ""


# --- figures ---------------------------------------------------------------------------------------

DRAWN = ["rsync -a", "rsync -az", "git", "deltas", "blocks, zstd", "blocks", "car-mirror"]
COLOURS = ["#7b7d7d", "#1b6ca8", "#d68910", "#27824a", "#82c596", "#c5e3cf", "#8e44ad"]


def figures(asked):
    found, folder = results(), pathlib.Path(asked.figures)
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name in SEVEN if any(key[0] == name for key in found)]
    for profile in PROFILES:
        if not any(key[1] == profile for key in found):
            continue
        draw = lambda rate, field: [
            [(of(found, name, profile, rate, way) or {}).get(field) for way in DRAWN] for name in names
        ]
        titles = [SEQUENCES[name][0] for name in names]
        bytes_ = [[(any_rate(found, name, profile, way) or {}).get("bytes") for way in DRAWN] for name in names]
        title = f"Bytes both ways for a new version, {profile}"
        (folder / f"comparison-bytes-{profile}.svg").write_text(bars(title, titles, bytes_, in_bytes))
        for rate in RATES:
            if any(key[2] == rate for key in found):
                title = f"Seconds at {rate} Mb/s and 50 ms, {profile}"
                drawn = bars(title, titles, draw(rate, "seconds"), in_seconds)
                (folder / f"comparison-seconds-{rate}-{profile}.svg").write_text(drawn)


def in_bytes(value):
    for unit, size in (("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f} B"


def in_seconds(value):
    return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"


def bars(title, groups, values, unit):
    """Bars on a logarithmic axis, in groups, each with what it stands for."""
    import math

    present = [value for group in values for value in group if value]
    if not present:
        return ""
    low = 10 ** math.floor(math.log10(min(present)) - 0.3)
    width = lambda value: 440 * math.log(value / low) / math.log(max(present) / low)
    rows, y = [], 40
    for group, group_values in zip(groups, values):
        rows.append(f'<text x="160" y="{y + 11}" text-anchor="end">{group}</text>')
        for way, value, colour in zip(DRAWN, group_values, COLOURS):
            if value:
                long = width(value)
                rows.append(f'<rect x="170" y="{y}" width="{long:.1f}" height="12" fill="{colour}"/>')
                said = f"{way}: {unit(value)}"
                rows.append(f'<text x="{174 + long:.1f}" y="{y + 10}" class="n">{said}</text>')
                y += 14
        y += 10
    style = "text{font:12px sans-serif;fill:#333}.n{font-size:10px}.t{font-size:14px}"
    body = "\n".join(rows)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{y}" viewBox="0 0 760 {y}">\n'
        f'<style>{style}</style>\n<rect width="760" height="{y}" fill="#fff"/>\n'
        f'<text x="20" y="22" class="t">{title} (logarithmic)</text>\n{body}\n</svg>\n'
    )


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", choices=SEQUENCES, action="append")
    parser.add_argument("--rate", type=int, action="append")
    parser.add_argument("--way", choices=WAYS, action="append")
    parser.add_argument("--profile", choices=PROFILES, action="append")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--rows", action="store_true")
    parser.add_argument("--figures")
    asked = parser.parse_args()
    shows = asked.table or asked.rows or asked.figures
    small = lambda name: SEQUENCES[name][2]
    chosen = [name for name in SEQUENCES if asked.long or shows or small(name)]
    asked.only = asked.only or chosen
    asked.rate = asked.rate or (RATES if asked.long or shows else [100])
    asked.way = asked.way or list(WAYS)
    asked.profile = asked.profile or list(PROFILES)
    if asked.figures:
        return figures(asked)
    if asked.table:
        return goals(results(), asked)
    if asked.rows:
        return rows(asked)
    prepare(asked)
    if not asked.prepare:
        measure(asked)
        goals(results(), asked)


if __name__ == "__main__":
    main()
