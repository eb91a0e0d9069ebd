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
since car-mirror takes none above 1,000,000 bytes.

Beside it stand, while everybody lives, the pull from the fastest server alone, over a way of the same kind, and an even
split without stealing: the root's four children have a quarter of all bytes each, and four programs at once pull one
of them each, from one server each, over the ways of the pool. It takes as long as the last of them. They know the
four CIDs beforehand, which is a round trip and a block less than the pool needs.

The ideal is three round trips and what came at the sum of the rates, of those that lived from the death on. Control
is what went up, and what came down beside the blocks' bytes. $CARPOOL, $CARPOOL_RELAY and $CARPOOL_PEER_DIR name the
programs, as in programs.py; $CARPOOL_SCRATCH says where stores are made.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import programs
from programs import CARPOOL, PEER

SCRATCH = os.environ.get("CARPOOL_SCRATCH")
RTT = 20
MBPS = 125_000
VICTIM = 2
SIZES = [(64, "64,48,32,16"), (256, "200,150,100,50"), (1024, "240,200,160,120")]


class Wrong(Exception):
    pass


# --- what is moved, and who has it -----------------------------------------------------------------


def make(room, mib):
    """A folder of `mib` MiB that no chunker shortens: four of a quarter, each a large file and many small ones."""
    draw, tree = random.Random(mib), room / "tree"
    for at in range(4):
        quarter = tree / f"q{at}"
        quarter.mkdir(parents=True)
        total = (mib << 20) // 4
        large = total * 3 // 4
        with open(quarter / "large", "wb") as out:
            for begin in range(0, large, 1 << 20):
                out.write(draw.randbytes(min(1 << 20, large - begin)))
        left, n = total - large, 0
        while left > 0:
            folder = quarter / f"f{n // 50}"
            folder.mkdir(exist_ok=True)
            size = min(left, draw.randrange(1, 600_000))
            (folder / f"n{n}").write_bytes(draw.randbytes(size))
            left, n = left - size, n + 1
    return tree


def carpool(store, *args):
    return programs.run(CARPOOL, "--store", store, *args)


def digest_of(store, root):
    """Of all below a root, byte for byte, in the order of a walk."""
    command = [CARPOOL, "--store", str(store), "export", root]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as export:
        digest = hashlib.sha256()
        while piece := export.stdout.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest() if export.returncode == 0 else None


class Part:
    """All below a root."""

    def __init__(self, store, root):
        self.root, self.store = root, store
        stat = json.loads(carpool(store, "--json", "stat", root))
        self.blocks, self.bytes = stat["blocks"], stat["bytes"]
        self.digest = digest_of(store, root)

    def check(self, store):
        """All of it is there, byte for byte."""
        carpool(store, "stat", self.root)
        if digest_of(store, self.root) != self.digest:
            raise Wrong("the store does not hold what was pulled")


class Content(Part):
    """The DAG, in a CAR and in a store for each of our servers, and the quarters of it."""

    def __init__(self, room, mib):
        tree = make(room, mib)
        self.stores = [room / "ours0", room / "ours1"]
        added = carpool(self.stores[0], "--json", "add", "--profile", "unixfs-v0-2015", "--raw-leaves", tree)
        shutil.rmtree(tree)
        super().__init__(self.stores[0], json.loads(added)["root"])
        self.car = room / "all.car"
        carpool(self.stores[0], "export", self.root, "-o", self.car)
        shutil.copytree(self.stores[0], self.stores[1])
        listed = carpool(self.stores[0], "--json", "ls", self.root).splitlines()
        self.quarters = [Part(self.stores[0], json.loads(line)["cid"]) for line in listed]


def ours(store, port, peer):
    return programs.ours(store, "--peer", f"http://127.0.0.1:{peer}", listen=f"127.0.0.1:{port}")


def servers(content):
    """The fastest first, each with its kind: theirs, ours, ours that dies, theirs. Where there is none of theirs all
    are ours."""
    ports = [programs.free_port() for _ in range(4)]
    own = [ours(content.stores[at], ports[at], ports[1 - at]) for at in range(2)]
    if (PEER / "peer-server").exists():
        kind, others = "car-mirror", [programs.theirs(content.car) for _ in range(2)]
    else:
        note("no car-mirror: all four are carpool's")
        kind, others = "carpool", [ours(content.stores[at], ports[2 + at], ports[at]) for at in range(2)]
    return [(kind, others[0]), ("carpool", own[0]), ("carpool", own[1]), (kind, others[1])]


class Relay(programs.Relay):
    def __init__(self, kind, server, mbps):
        super().__init__(server.address, RTT, mbps)
        self.rate = mbps * MBPS
        self.url = f"http://{self.at}" + ("/dag" if kind == "car-mirror" else "")


def note(words):
    print(f"pool.py: {words}", file=sys.stderr)


# --- one pull --------------------------------------------------------------------------------------


class Pull:
    """A pull from one server or more, under way; what it and the relays say once it is over."""

    def __init__(self, part, store, relays):
        self.part, self.store, self.relays = part, store, relays
        self.before = [relay.count() for relay in relays]
        command = [CARPOOL, "--store", str(store), "--json", "pull", part.root, *(relay.url for relay in relays)]
        pipe, self.begun = subprocess.PIPE, time.monotonic()
        self.process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)

    def is_over(self):
        return self.process.poll() is not None

    def end(self):
        """Waits for it, and says what it took since it began."""
        out, err = self.process.communicate()
        seconds = time.monotonic() - self.begun
        if self.process.returncode != 0:
            raise Wrong(f"exit code {self.process.returncode}: {out}{err}")
        counted = zip(self.before, (relay.count() for relay in self.relays))
        passed = [{way: now[way] - then[way] for way in now} for then, now in counted]
        return {"said": json.loads(out), "passed": passed, "seconds": seconds}

    def check(self):
        self.part.check(self.store)
        shutil.rmtree(self.store)


def alone(content, room, relay):
    pull = Pull(content, room / "alone", [relay])
    took = pull.end()
    pull.check()
    return took


def even_split(content, room, relays):
    """A quarter of all from each, at once, whatever its rate is."""
    split = [
        Pull(quarter, room / f"quarter{at}", [relay])
        for at, (quarter, relay) in enumerate(zip(content.quarters, relays, strict=True))
    ]
    while not all(pull.is_over() for pull in split):
        time.sleep(0.005)
    seconds = time.monotonic() - split[0].begun
    took = [pull.end() for pull in split]
    for pull in split:
        pull.check()
    sent = [one["passed"][0]["down"] for one in took]
    for quarter, down in zip(content.quarters, sent):
        if not quarter.bytes <= down <= content.bytes * 0.26:
            raise Wrong(f"no even split: {sent} of {content.bytes}")
    return {"seconds": seconds, "down": sent}


class Death:
    """Kills a server once a part of all has come."""

    def __init__(self, server, relays, bytes_then):
        self.server, self.relays, self.bytes_then = server, relays, bytes_then
        self.at = self.bytes = None

    def watch(self, pull):
        while not pull.is_over():
            came = sum(relay.count()["down"] - then["down"] for relay, then in zip(self.relays, pull.before))
            if came >= self.bytes_then:
                self.server.kill()
                self.at, self.bytes = time.monotonic() - pull.begun, came
                return
            time.sleep(0.01)


def measure(room, mib, rates, kill):
    content = Content(room, mib)
    all_servers = servers(content)
    relays = [Relay(*server, rate) for server, rate in zip(all_servers, rates)]
    lone = Relay(*all_servers[0], rates[0])
    death = Death(all_servers[VICTIM][1], relays, content.bytes * kill // 100) if kill else None
    try:
        by_one, by_quarters = alone(content, room, lone), even_split(content, room, relays)
        pull = Pull(content, room / "sink", relays)
        if death:
            death.watch(pull)
        took = pull.end()
        pull.check()
    finally:
        for thing in [*relays, lone, *(server for _, server in all_servers)]:
            thing.close()
    if death and death.at is None:
        raise Wrong("it was over before a server could be killed")
    return {
        "mib": mib,
        "rates": rates,
        "kinds": [kind for kind, _ in all_servers],
        "blocks": content.blocks,
        "bytes": content.bytes,
        "ideal": ideal(content, relays, death),
        "urls": [relay.url for relay in relays],
        "killed": VICTIM if death else None,
        "killed_at": death.at if death else None,
        **took,
        "alone": by_one,
        "even": by_quarters,
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


def times(found, other):
    return f"{found[other]['seconds'] / found['seconds']:.2f}"


def mib(count):
    return "-" if count is None else f"{count / (1 << 20):.2f} MiB"


def report(found):
    print(f"\n{found['blocks']} blocks, {mib(found['bytes'])}, round trips of {RTT} ms")
    print(f"{'source':<12}{'Mb/s':>6}{'bytes':>14}{'share':>8}{'fair':>8}{'rate':>12}"
          f"{'duplicate':>12}{'requests':>10}{'steals':>8}  state")
    for at, source in enumerate(sources(found)):
        fair = found["rates"][at] / sum(found["rates"])
        print(f"{found['kinds'][at]:<12}{found['rates'][at]:>6}{mib(source['bytes']):>14}"
              f"{source['bytes'] / found['bytes']:>8.1%}{fair:>8.1%}{mib(source['rate']):>10}/s"
              f"{mib(source['duplicate_bytes']):>12}{source['requests']:>10}{source['steals']:>8}  {source['state']} {source.get('trouble') or ''}")
    if found["killed"] is not None:
        print(f"source {found['killed'] + 1} was killed after {found['killed_at']:.2f} s")
    payload = sum(source["bytes"] + source["duplicate_bytes"] + source["wasted_bytes"] for source in sources(found))
    up, down = control(found["passed"], payload)
    alone_up, alone_down = control(found["alone"]["passed"], found["bytes"])
    print(f"time {found['seconds']:.2f} s, ideal {found['ideal']:.2f} s: {found['ideal'] / found['seconds']:.3f} of it; "
          f"the fastest alone {found['alone']['seconds']:.2f} s, {times(found, 'alone')} times as long; "
          f"an even split {found['even']['seconds']:.2f} s, {times(found, 'even')} times as long")
    print(f"the even split took {', '.join(map(mib, found['even']['down']))}")
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
    print("| size | rates, Mb/s | killed | seconds | ideal/actual | fastest alone/pool | even split/pool | duplicates | control up |")
    print("|---|---|---|---|---|---|---|---|---|")
    for size, rates in SIZES:
        for kill in (0, 40):
            found = measured(size, rates, kill)
            up = sum(way["up"] for way in found["passed"])
            print(f"| {size} MiB | {rates.replace(',', ', ')} | {'one of ours' if kill else 'none'} | "
                  f"{found['seconds']:.2f} | {found['ideal'] / found['seconds']:.3f} | "
                  f"{times(found, 'alone')} | {times(found, 'even')} | {duplicates(found):.3%} | {up / found['bytes']:.4%} |",
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
