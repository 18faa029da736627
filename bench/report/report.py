#!/usr/bin/env python3
"""Turns the lines that `micro --json` and `counts.py --json` wrote into a page.

    report.py --micro=FILE [--counts=FILE] [--out=FILE.md]
"""

import argparse
import datetime
import json
import os
import platform
import sys


def lines_of(path):
    with open(path) as lines:
        return [json.loads(line) for line in lines if line.strip()]


def quartiles(ratio):
    low, median, high = ratio
    return "%.2f (%.2f to %.2f)" % (median, low, high)


def target(value):
    return "" if value == 0 else "%.2f" % value


def peers_of(row):
    parts = []
    for peer in row["peers"]:
        if peer["ns"] == 0:
            parts.append("%s: not here" % peer["name"])
            continue
        text = "%s %.2f" % (peer["name"], peer["ratio"][1])
        if peer["at_least"] != 0:
            text += " (>= %.2f %s)" % (peer["at_least"],
                                       "met" if peer["met"] else "**missed**")
        parts.append(text)
    return "; ".join(parts)


def verdict_of(row):
    if row["error"]:
        return "**failed**: " + row["error"]
    text = {"MISSED": "**missed**"}.get(row["verdict"], row["verdict"])
    if not row["most_met"]:
        text += ", **over %.0f ns**" % row["most_ns"]
    return text


def times_table(rows):
    yield "| row | libevent ns | percore ns | ratio (quartiles) | must | aim | verdict | peers: their cost / ours |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        yield "| %s | %.1f | %.1f | %s | %s | %s | %s | %s |" % (
            row["row"], row["libevent_ns"], row["percore_ns"],
            quartiles(row["ratio"]), target(row["must"]), target(row["aim"]),
            verdict_of(row), peers_of(row))


def counts_table(rows):
    def number(counts, name):
        value = counts.get(name)
        return "" if value is None else "%.2f" % value

    names = ("system_calls", "allocations", "instructions")
    yield "| row | system calls | allocations | instructions |"
    yield "|---|---|---|---|"
    for row in rows:
        yield "| %s | %s |" % (row["row"], " | ".join(
            "%s / %s" % (number(row["theirs"], name), number(row["ours"], name))
            for name in names))


def summary(rows):
    gated = [row for row in rows if row["must"] != 0]
    reached = {"aim": 0, "must": 0, "MISSED": 0, "FAILED": 0}
    for row in gated:
        reached[row["verdict"]] += 1
    limits = [p for row in rows for p in row["peers"]
              if p["at_least"] != 0 and p["ns"] != 0]
    return ("%d gated rows: %d reach aim, %d more reach must, %d miss it, "
            "%d did not run. %d of %d limits against peers are met." %
            (len(gated), reached["aim"], reached["must"], reached["MISSED"],
             reached["FAILED"], sum(p["met"] for p in limits), len(limits)))


def page(micro, counts):
    yield "# percore: benchmarks"
    yield ""
    yield "%s, Linux %s, %d cores. CPU time of one operation; a ratio is" % (
        datetime.date.today().isoformat(), platform.release(), os.cpu_count())
    yield "libevent's cost divided by percore's, pair by pair of one interleaved run."
    yield "A target is met when the median is within 0.05 of it."
    yield ""
    yield summary(micro)
    yield ""
    yield from times_table(micro)
    if counts:
        yield ""
        yield "## Counts per operation, libevent / percore"
        yield ""
        yield from counts_table(counts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--micro", required=True)
    parser.add_argument("--counts", default="")
    parser.add_argument("--out", default="")
    arguments = parser.parse_args()
    counts = lines_of(arguments.counts) if arguments.counts else []
    text = "\n".join(page(lines_of(arguments.micro), counts)) + "\n"
    if arguments.out:
        with open(arguments.out, "w") as out:
            out.write(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
