#!/usr/bin/env python3
"""Pulls a DAG from four servers at once, each behind a way of its own rate, and says what that took.

    tests/bench/pool.py                    64 MiB at 64, 48, 32 and 16 Mb/s; one server is killed midway
    tests/bench/pool.py --size MIB         another size
    tests/bench/pool.py --rates A,B,C,D    other rates, in Mb/s
    tests/bench/pool.py --kill PERCENT     kill it when so much has come; 0 kills nobody [default: 40]
    tests/bench/pool.py --check PERCENT    fail where it is not whole, a server that lives sent nothing, or
                                           more duplicates came than that
    tests/bench/pool.py --json FILE        the numbers, too
    tests/bench/pool.py --table            each of SIZES, without a death and with one; one table

The first and the last server are car-mirror 0.1.0 where it was built, the other two carpool's, each of which
has the other as its peer; the third one is killed. The ways are `relay` (`cargo build --release -p benches --bin
relay`): a round trip, a rate in each direction, and a count of all bytes that TCP carried. Blocks have 256 KiB,
since car-mirror takes none above 1,000,000 bytes. Beside it stands the pull from the fastest server alone, over
a way of the same kind.

The ideal is three round trips and what came at the sum of the rates, of those that lived from the death on. Control
is what went up, and what came down beside the blocks' bytes. $CARPOOL, $CARPOOL_RELAY and $CARPOOL_PEER_DIR name the
programs, as in comparison.py; $CARPOOL_SCRATCH says where stores are made.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import versions

CARPOOL, PEER = versions.CARPOOL, versions.PEER
RELAY = os.environ.get("CARPOOL_RELAY", str(versions.REPO / "target/release/relay"))
SCRATCH = os.environ.get("CARPOOL_SCRATCH")
RTT = 20
MBPS = 125_000
VICTIM = 2
SIZES = [(64, "64,48,32,16"), (256, "200,150,100,50"), (1024, "240,200,160,120")]


class Wrong(Exception):
    pass


# --- what is moved, and who has it -----------------------------------------------------------------


def make(room, mib):
    """A tree of `mib` MiB that no chunker shortens: one large file, and many small ones."""
    draw, tree = random.Random(mib), room / "tree"
    tree.mkdir()
    total, large = mib << 20, (mib << 20) * 3 // 4
    with open(tree / "large", "wb") as out:
        for _ in range(large >> 20):
            out.write(draw.randbytes(1 << 20))
    left, n = total - large, 0
    while left > 0:
        folder = tree / f"f{n // 50}"
        folder.mkdir(exist_ok=True)
        size = min(left, draw.randrange(1, 600_000))
        (folder / f"n{n}").write_bytes(draw.randbytes(size))
        left, n = left - size, n + 1
    return tree


def carpool(store, *args):
    return versions.run(CARPOOL, "--store", store, *args)


class Content:
    """The DAG, in a CAR and in a store for each of our servers."""

    def __init__(self, room, mib):
        tree = make(room, mib)
        self.stores = [room / "ours0", room / "ours1"]
        added = carpool(self.stores[0], "--json", "add", "--profile", "unixfs-v0-2015", "--raw-leaves", tree)
        self.root = json.loads(added)["root"]
        shutil.rmtree(tree)
        stat = json.loads(carpool(self.stores[0], "--json", "stat", self.root))
        self.blocks, self.bytes = stat["blocks"], stat["bytes"]
        self.car = room / "all.car"
        carpool(self.stores[0], "export", self.root, "-o", self.car)
        self.digest = hashlib.sha256(self.car.read_bytes()).hexdigest()
        shutil.copytree(self.stores[0], self.stores[1])

    def check(self, store):
        """All of it is there, byte for byte."""
        carpool(store, "stat", self.root)
        command = [CARPOOL, "--store", str(store), "export", self.root]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as export:
            digest = hashlib.sha256()
            while piece := export.stdout.read(1 << 20):
                digest.update(piece)
        if export.returncode != 0 or digest.hexdigest() != self.digest:
            raise Wrong("the store does not hold what was pulled")


class Server:
    def __init__(self, kind, command, says):
        self.kind = kind
        env = {**os.environ, "CARPOOL_LOG": "error"}
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True, env=env)
        for line in self.process.stdout:
            if says in line:
                self.address = line.strip()[line.index(says) + len(says) :].rstrip('"}')
                return
        raise SystemExit(f"{command[0]}: it does not serve")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.process.terminate()
        self.process.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def ours(store, port, peer):
    command = [CARPOOL, "--store", store, "--json", "serve", "--listen", f"127.0.0.1:{port}"]
    return Server("carpool", [*command, "--peer", f"http://127.0.0.1:{peer}"], '"listening":"http://')


def servers(content):
    """The fastest first: theirs, ours, ours that dies, theirs. Where there is none of theirs all are ours."""
    ports = [free_port() for _ in range(4)]
    own = [ours(content.stores[at], ports[at], ports[1 - at]) for at in range(2)]
    if (PEER / "peer-server").exists():
        command = [PEER / "peer-server", "--addr", "127.0.0.1:0", "--car", content.car]
        theirs = [Server("car-mirror", command, "LISTENING ") for _ in range(2)]
    else:
        note("no car-mirror: all four are carpool's")
        theirs = [ours(content.stores[at], ports[2 + at], ports[at]) for at in range(2)]
    return [theirs[0], own[0], own[1], theirs[1]]


class Relay:
    def __init__(self, server, mbps):
        command = [RELAY, server.address, "--rtt", str(RTT), "--mbps", str(mbps)]
        # What it says of a server that was killed is what is wanted.
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.rate = mbps * MBPS
        self.kind = server.kind
        base = "/dag" if server.kind == "car-mirror" else ""
        self.url = f"http://{self.process.stdout.readline().strip()}{base}"

    def passed(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def note(words):
    print(f"pool.py: {words}", file=sys.stderr)


# --- one pull --------------------------------------------------------------------------------------


def pull(content, store, relays, watch=lambda begun, process: None):
    """What the program says, and what passed each relay."""
    before = [relay.passed() for relay in relays]
    command = [CARPOOL, "--store", str(store), "--json", "pull", content.root]
    command += [relay.url for relay in relays]
    pipe, begun = subprocess.PIPE, time.monotonic()
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    watch(begun, process)
    out, err = process.communicate()
    seconds = time.monotonic() - begun
    if process.returncode != 0:
        raise Wrong(f"exit code {process.returncode}: {out}{err}")
    after = [relay.passed() for relay in relays]
    passed = [{way: now[way] - then[way] for way in now} for then, now in zip(before, after)]
    return json.loads(out), passed, seconds


class Death:
    """Kills a server once a part of all has come."""

    def __init__(self, server, relays, bytes_then):
        self.server, self.relays, self.bytes_then = server, relays, bytes_then
        self.begun = [relay.passed()["down"] for relay in relays]
        self.at = self.bytes = None

    def watch(self, begun, process):
        while process.poll() is None:
            came = sum(relay.passed()["down"] - then for relay, then in zip(self.relays, self.begun))
            if came >= self.bytes_then:
                self.server.kill()
                self.at, self.bytes = time.monotonic() - begun, came
                return
            time.sleep(0.01)


def measure(room, mib, rates, kill):
    content = Content(room, mib)
    all_servers = servers(content)
    relays = [Relay(server, rate) for server, rate in zip(all_servers, rates)]
    alone = Relay(all_servers[0], rates[0])
    try:
        single, passed_alone, seconds_alone = pull(content, room / "alone", [alone])
        content.check(room / "alone")
        shutil.rmtree(room / "alone")
        death = Death(all_servers[VICTIM], relays, content.bytes * kill // 100) if kill else None
        watch = death.watch if death else (lambda begun, process: None)
        said, passed, seconds = pull(content, room / "sink", relays, watch)
        content.check(room / "sink")
    finally:
        for thing in [*relays, alone, *all_servers]:
            thing.close()
    if death and death.at is None:
        raise Wrong("it was over before a server could be killed")
    return {
        "mib": mib,
        "rates": rates,
        "kinds": [server.kind for server in all_servers],
        "blocks": content.blocks,
        "bytes": content.bytes,
        "seconds": seconds,
        "ideal": ideal(content, relays, death),
        "urls": [relay.url for relay in relays],
        "killed": VICTIM if death else None,
        "killed_at": death.at if death else None,
        "passed": passed,
        "said": said,
        "alone": {"seconds": seconds_alone, "passed": passed_alone[0], "said": single},
    }


def ideal(content, relays, death):
    """Seconds: three round trips, and what came at the sum of the rates."""
    rates = [relay.rate for relay in relays]
    trips = 3 * RTT / 1000
    if not death or death.at is None:
        return trips + content.bytes / sum(rates)
    del rates[VICTIM]
    return death.at + max(content.bytes - death.bytes, 0) / sum(rates)


# --- what came of it -------------------------------------------------------------------------------


def sources(found):
    return found["said"]["sources"]


def duplicates(found):
    """Part of the payload that came although it was held."""
    return sum(source["duplicate_bytes"] for source in sources(found)) / found["bytes"]


def control(passed, payload):
    """Bytes up, and down beside the blocks."""
    return sum(way["up"] for way in passed), sum(way["down"] for way in passed) - payload


def mib(count):
    return f"{count / (1 << 20):.2f} MiB"


def report(found):
    print(f"\n{found['blocks']} blocks, {mib(found['bytes'])}, round trips of {RTT} ms")
    print(f"{'source':<12}{'Mb/s':>6}{'bytes':>14}{'share':>8}{'fair':>8}{'rate':>12}"
          f"{'duplicate':>12}{'requests':>10}{'steals':>8}  state")
    for at, source in enumerate(sources(found)):
        fair = found["rates"][at] / sum(found["rates"])
        print(f"{found['kinds'][at]:<12}{found['rates'][at]:>6}{mib(source['bytes']):>14}"
              f"{source['bytes'] / found['bytes']:>8.1%}{fair:>8.1%}{mib(source['rate']):>10}/s"
              f"{mib(source['duplicate_bytes']):>12}{source['requests']:>10}{source['steals']:>8}  {source['state']}")
    if found["killed"] is not None:
        print(f"source {found['killed'] + 1} was killed after {found['killed_at']:.2f} s")
    payload = sum(source["bytes"] + source["duplicate_bytes"] + source["wasted_bytes"] for source in sources(found))
    up, down = control(found["passed"], payload)
    alone_up, alone_down = control([found["alone"]["passed"]], found["bytes"])
    print(f"time {found['seconds']:.2f} s, ideal {found['ideal']:.2f} s: {found['ideal'] / found['seconds']:.3f} of it; "
          f"the fastest alone {found['alone']['seconds']:.2f} s, {found['alone']['seconds'] / found['seconds']:.2f} times as long")
    print(f"duplicates {duplicates(found):.3%} of the payload")
    print(f"control {up} B up ({up / found['bytes']:.4%}), {down} B down beside the blocks; "
          f"the fastest alone {alone_up} B up, {alone_down} B down")


def check(found, most):
    wrong = []
    if duplicates(found) > most / 100:
        wrong.append(f"{duplicates(found):.2%} duplicates, of {most} % at most")
    for at, source in enumerate(sources(found)):
        if source["bytes"] == 0 and at != found["killed"]:
            wrong.append(f"source {at + 1} ({found['kinds'][at]}) sent nothing")
        if source["url"] not in found["urls"]:
            wrong.append(f"{source['url']} was not asked for")
    if len(sources(found)) != len(found["rates"]):
        wrong.append(f"{len(sources(found))} sources")
    if wrong:
        raise Wrong("; ".join(wrong))


def measured(size, rates, kill):
    with tempfile.TemporaryDirectory(dir=SCRATCH) as room:
        return measure(pathlib.Path(room), size, [int(rate) for rate in rates.split(",")], kill)


def table():
    print("| size | rates, Mb/s | killed | seconds | ideal/actual | fastest alone/pool | duplicates | control up |")
    print("|---|---|---|---|---|---|---|---|")
    for size, rates in SIZES:
        for kill in (0, 40):
            found = measured(size, rates, kill)
            up = sum(way["up"] for way in found["passed"])
            print(f"| {size} MiB | {rates.replace(',', ', ')} | {'one of ours' if kill else 'none'} | "
                  f"{found['seconds']:.2f} | {found['ideal'] / found['seconds']:.3f} | "
                  f"{found['alone']['seconds'] / found['seconds']:.2f} | {duplicates(found):.3%} | {up / found['bytes']:.4%} |",
                  flush=True)


def main():
    ask = argparse.ArgumentParser(usage=__doc__)
    ask.add_argument("--size", type=int, default=64)
    ask.add_argument("--rates", default="64,48,32,16")
    ask.add_argument("--kill", type=int, default=40)
    ask.add_argument("--check", type=float)
    ask.add_argument("--json")
    ask.add_argument("--table", action="store_true")
    asked = ask.parse_args()
    if asked.table:
        return table()
    try:
        found = measured(asked.size, asked.rates, asked.kill)
        report(found)
        if asked.json:
            pathlib.Path(asked.json).write_text(json.dumps(found, indent=1))
        if asked.check is not None:
            check(found, asked.check)
    except Wrong as wrong:
        raise SystemExit(f"pool.py: {wrong}")


if __name__ == "__main__":
    main()
