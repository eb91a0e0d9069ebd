#!/usr/bin/env python3
"""What `carpool sync` of a folder takes that did not change, beside `git status` on the same files.

    tests/bench/sync.py target/release/carpool [--files 100000] [--runs 15] [--room DIR]

Makes a tree of small files, a git repository over it and a server on loopback with what was synced;
then both run in turns, warm, and the medians and their ratio are printed. The time of carpool is that of
the process: start, what is remembered, the look at each file, and a request to the server. Git is left
at its defaults.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time


def make(tree, files):
    """Ten files a folder, ten folders each, three levels and more."""
    for n in range(files):
        folder = tree / f"a{n // 10000}" / f"b{n // 1000 % 10}" / f"c{n // 25 % 40}"
        if n % 25 == 0:
            folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file{n}.txt").write_text(f"{n} " * (n % 40 + 1))


def git(tree, *args):
    quiet = ["-c", "user.name=b", "-c", "user.email=b@localhost", "-c", "gc.auto=0"]
    subprocess.run(["git", *quiet, *args], cwd=tree, check=True, stdout=subprocess.DEVNULL)


def timed(command, **kwargs):
    begun = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, **kwargs)
    return time.perf_counter() - begun, done.stdout


def serve(program, room):
    env = {**os.environ, "CARPOOL_STORE": str(room / "far"), "CARPOOL_LOG": "warn"}
    command = [program, "--json", "serve", "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
    return server, json.loads(server.stdout.readline())["listening"]


def measure(program, room, files, runs):
    tree = room / "tree"
    make(tree, files)
    git(tree, "init", "-q")
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "all")
    # Git's own files are not among those that it looks at.
    os.rename(tree / ".git", room / "git")
    server, url = serve(program, room)
    try:
        near = {**os.environ, "CARPOOL_STORE": str(room / "near")}
        sync = [program, "sync", str(tree), f"{url}#tree"]
        status = ["git", f"--git-dir={room / 'git'}", f"--work-tree={tree}", "status", "--porcelain"]
        first = timed(sync, env=near)[0]
        time.sleep(3)
        second = timed(sync, env=near)[0]
        for _ in range(3):
            timed(sync, env=near), timed(status)
        pairs = [(timed(sync, env=near)[0], timed(status)[0]) for _ in range(runs)]
        # One file of all.
        (tree / "a0" / "b0" / "c0" / "file7.txt").write_text("changed")
        changed = timed(sync, env=near)[0]
        receive = [program, "sync", f"{url}#tree", str(room / "copy")]
        there = {**os.environ, "CARPOOL_STORE": str(room / "there")}
        arrivals = [timed(receive, env=there)[0]]
        time.sleep(1)
        arrivals += [timed(receive, env=there)[0] for _ in range(runs)]
        # Nothing at all, to know what of it is the process, the store and the request.
        (room / "empty").mkdir()
        nothing = [program, "sync", str(room / "empty"), f"{url}#empty"]
        empty = statistics.median(timed(nothing, env=near)[0] for _ in range(runs))
    finally:
        server.terminate()
        server.wait()
    arrivals = (arrivals[0], arrivals[1], statistics.median(arrivals[2:]))
    return first, second, changed, arrivals, empty, pairs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--room")
    args = parser.parse_args()
    program = str(pathlib.Path(args.program).resolve())
    room = pathlib.Path(tempfile.mkdtemp(dir=args.room))
    try:
        first, second, changed, arrivals, empty, pairs = measure(program, room, args.files, args.runs)
    finally:
        shutil.rmtree(room)
    ours, theirs = (statistics.median(column) for column in zip(*pairs))
    print(f"{args.files} files: first sync {first:.3f} s, second {second:.3f} s")
    print(f"one file changed: {changed * 1000:.1f} ms")
    print("received: first {:.3f} s, second {:.3f} s, unchanged {:.3f} s".format(*arrivals))
    print(f"of nothing: {empty * 1000:.1f} ms")
    print(f"carpool sync, unchanged: {ours * 1000:.1f} ms; git status: {theirs * 1000:.1f} ms")
    print(f"ratio of medians: {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
