#!/usr/bin/env python3
"""Draws what the grid of pools came to (`sim/tests/pool_grid.rs`), as SVG.

    tests/bench/pool_figures.py                  all of it: runs the grid first, some minutes
    tests/bench/pool_figures.py --points FILE    of points that were written before, by CARPOOL_GRID=FILE
    tests/bench/pool_figures.py --into DIR       where figures go [default: docs/figures]

The grid is in virtual time, so the same code makes the same figures. Efficiency is ideal time over actual time: a thin
line from the least point to the greatest, a thick one from the worst tenth to the best, and a dot for the median.
A red mark is the goal of the rows in the book (`sim/tests/pool_rows.rs`) that vary the same thing.
"""

import argparse
import math
import os
import pathlib
import re
import subprocess
import tempfile

REPO = pathlib.Path(__file__).resolve().parents[2]
GRID = ["cargo", "test", "--quiet", "-p", "sim", "--test", "pool_grid"]
POINT = re.compile(
    r"(?P<sources>\d+) sources (?P<kinds>\w+) rates (?P<rates>\w+) rtt (?P<rtt>\d+) shares (?P<shares>\w+) "
    r"(?P<shape>\w+) old (?P<old>\w+): efficiency (?P<efficiency>\d+) in vain (?P<in_vain>\d+) control (?P<control>\d+)"
)
KINDS = {"Plain": "#1b6ca8", "Aware": "#27824a", "Mixed": "#d68910"}
WORDS = {
    "rates": {
        "Equal": "equal",
        "Mixed": "100:50:25:10",
        "Unknown": "the same, unknown",
        "Jitter": "jitter by half",
        "Stalls": "one stands still",
        "Dies": "one dies",
        "Joins": "one joins later",
    },
    "shape": {"Wide": "file", "Small": "1 KiB leaves", "Tree": "nodes with data", "Chain": "chain"},
    "shares": {"All": "all hold all", "Lack30": "each lacks 30 %", "Disjoint": "each has its own"},
    "sources": {"1": "1 source", "2": "2", "4": "4", "8": "8", "32": "32"},
}
GOALS = {
    "rates": {"Equal": 0.97, "Mixed": 0.97, "Unknown": 0.95, "Jitter": 0.95, "Dies": 0.95},
    "shape": {"Wide": 0.97, "Small": 0.97, "Tree": 0.96},
    "shares": {"All": 0.97, "Lack30": 0.92},
    "sources": {"4": 0.97, "8": 0.97},
}
GOAL_IN_VAIN = 0.5
STYLE = "text{font:12px sans-serif;fill:#333}.n{font-size:10px}.t{font-size:14px}"
GOAL = "#c0392b"


def points(text):
    return [match.groupdict() for match in POINT.finditer(text)]


def run():
    """Runs all of the grid."""
    with tempfile.TemporaryDirectory() as room:
        file = pathlib.Path(room) / "points"
        subprocess.run(GRID, cwd=REPO, env={**os.environ, "CARPOOL_LONG": "1", "CARPOOL_GRID": str(file)}, check=True)
        return file.read_text()


def part(values, hundredths):
    """As the summary of the grid takes it."""
    return sorted(values)[(len(values) - 1) * hundredths // 100]


def page(title, height, body):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{height}" viewBox="0 0 760 {height}">\n'
        f'<style>{STYLE}</style>\n<rect width="760" height="{height}" fill="#fff"/>\n'
        f'<text x="20" y="22" class="t">{title}</text>\n' + "\n".join(body) + "\n</svg>\n"
    )


def legend(y):
    """The kinds by their colours, in one line."""
    for at, (kind, colour) in enumerate(KINDS.items()):
        x = 170 + 90 * at
        yield f'<rect x="{x}" y="{y}" width="12" height="8" fill="{colour}"/>'
        yield f'<text x="{x + 18}" y="{y + 8}" class="n">{kind.lower()}</text>'
    yield f'<path d="M440 {y - 2}V{y + 10}" stroke="{GOAL}" stroke-width="2"/>'
    yield f'<text x="448" y="{y + 8}" class="n">goal</text>'


def spreads(title, found, field):
    """Efficiency by what a field is, and by kind."""
    most = max(1.0, max(int(point["efficiency"]) for point in found) / 1000)
    place = lambda efficiency: 170 + 560 * min(efficiency, most) / most
    rows, y = [], 64
    for name, words in WORDS[field].items():
        begun, goal = y, GOALS[field].get(name)
        for kind, colour in KINDS.items():
            of = [int(p["efficiency"]) / 1000 for p in found if p[field] == name and p["kinds"] == kind]
            if of:
                rows += spread(of, y + 6, place, colour)
                y += 14
        rows.append(f'<text x="160" y="{(begun + y) // 2 + 4}" text-anchor="end">{words}</text>')
        if goal:
            rows.append(f'<path d="M{place(goal):.1f} {begun - 2}V{y}" stroke="{GOAL}" stroke-width="2"/>')
        y += 10
    ticks = []
    for tenth in range(0, math.floor(most * 10) + 1, 2):
        x = place(tenth / 10)
        ticks.append(f'<path d="M{x:.1f} 56V{y}" stroke="#ddd"/>')
        ticks.append(f'<text x="{x:.1f}" y="{y + 14}" text-anchor="middle" class="n">{tenth / 10:g}</text>')
    return page(title, y + 24, [*legend(34), *ticks, *rows])


def spread(values, y, place, colour):
    line = lambda low, high, wide: (
        f'<path d="M{place(part(values, low)):.1f} {y}H{place(part(values, high)):.1f}" '
        f'stroke="{colour}" stroke-width="{wide}"/>'
    )
    yield line(0, 100, 1)
    yield line(10, 90, 6)
    yield f'<circle cx="{place(part(values, 50)):.1f}" cy="{y}" r="4" fill="#fff" stroke="{colour}" stroke-width="2"/>'


def in_vain(found):
    """How many of the points sent at most so many of a hundred of the payload in vain."""
    low, most = 0.01, max(int(point["in_vain"]) for point in found) / 100
    decades = max(4, math.ceil(math.log10(most / low)) if most else 0)
    high = low * 10**decades
    x = lambda percent: 170 + 560 * math.log(max(percent, low) / low) / math.log(high / low)
    y = lambda share: 330 - 270 * share
    body = []
    for percent in (low * 10**decade for decade in range(decades + 1)):
        body.append(f'<path d="M{x(percent):.1f} 60V330" stroke="#ddd"/>')
        said = "none" if percent == low else f"{percent:g} %"
        body.append(f'<text x="{x(percent):.1f}" y="346" text-anchor="middle" class="n">{said}</text>')
    for share in (0, 25, 50, 75, 100):
        body.append(f'<path d="M170 {y(share / 100):.1f}H730" stroke="#ddd"/>')
        body.append(f'<text x="160" y="{y(share / 100) + 4:.1f}" text-anchor="end">{share} % of points</text>')
    goal = x(GOAL_IN_VAIN)
    body.append(f'<path d="M{goal:.1f} 60V330" stroke="{GOAL}" stroke-width="2"/>')
    body.append(f'<text x="{goal + 6:.1f}" y="322" class="n">{GOAL_IN_VAIN} %</text>')
    for kind, colour in KINDS.items():
        of = sorted(int(point["in_vain"]) / 100 for point in found if point["kinds"] == kind)
        line = [f"M{x(0):.1f} {y(sum(it <= low for it in of) / len(of)):.1f}"]
        after = {it: at + 1 for at, it in enumerate(of)}
        line += [f"H{x(it):.1f}V{y(count / len(of)):.1f}" for it, count in after.items() if it > low]
        body.append(f'<path d="{"".join(line)}H730" fill="none" stroke="{colour}" stroke-width="2"/>')
    return page("Bytes in vain, of the payload, at most (logarithmic)", 360, [*legend(34), *body])


def main():
    ask = argparse.ArgumentParser(usage=__doc__)
    ask.add_argument("--points", type=pathlib.Path)
    ask.add_argument("--into", type=pathlib.Path, default=REPO / "docs/figures")
    asked = ask.parse_args()
    found = points(asked.points.read_text() if asked.points else run())
    if not found:
        raise SystemExit("pool_figures.py: there are no points")
    asked.into.mkdir(parents=True, exist_ok=True)
    for field, of in (("sources", "number of sources"), ("rates", "rates"), ("shape", "shape"), ("shares", "who holds what")):
        title = f"Ideal time over actual time, by {of}"
        (asked.into / f"pool-{field}.svg").write_text(spreads(title, found, field))
    (asked.into / "pool-in-vain.svg").write_text(in_vain(found))


if __name__ == "__main__":
    main()
