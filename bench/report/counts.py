#!/usr/bin/env python3
"""Counts per operation: system calls, user instructions, heap allocations.

Counts are exact where times are noisy. Each row is run twice in one process
(`micro --single`), with few and with more samples; the difference of the counts
divided by the difference of the operations leaves out all set-up.

    counts.py --micro=FILE --ours=DIR [--theirs=DIR] [--preload=FILE.so]
              [--rows=PART,PART] [--instructions] [--json=FILE]

System calls need strace, instructions valgrind; where a tool is absent its
column says so. Rows that have several figures (the timers) are counted
together: one operation is then one of each.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROWS = [
    "chained pipes 100/1",
    "chained pipes 100/100",
    "chained pipes with timeouts 100/100",
    "event_del + event_add",
    "one-shot write of 100",
    "timers 1e4 add",
    "common timeouts add",
    "event_active own loop",
    "event_base_once own thread",
    "signal raise",
    "event_base_new",
    "already active (loop held)",
    "cross-thread burst by 1",
    "cross-thread post by 1",
    "ping-pong",
    "idle mailbox with 64",
    "evbuffer add 16 B",
    "evbuffer readln",
    "evbuffer socket 512 B",
    "bufferevent echo 64 B",
    "bufferevent echo 4 KiB",
    "bufferevent echo 64 KiB",
    "bufferevent stream 64 KiB",
    "bufferevent 32 messages",
    "bufferevent echo 64 B with timeouts",
    "bufferevent pair",
    "bufferevent echo 64 B through filters",
    "bufferevent new + enable + free",
    "accept",
]


def run(command, env=None):
    """Runs it and returns (operations, standard error)."""
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    match = re.search(r"^operations (\d+)", done.stdout, re.M)
    if done.returncode != 0 or not match:
        raise RuntimeError(" ".join(command) + "\n" + done.stderr)
    return int(match.group(1)), done.stderr


def difference(measure, few, more):
    """Counts per operation from measure(samples) -> (operations, {name: n})."""
    operations_few, counts_few = measure(few)
    operations_more, counts_more = measure(more)
    operations = operations_more - operations_few
    return {
        name: (count - counts_few.get(name, 0)) / operations
        for name, count in counts_more.items()
    }


def system_calls(command):
    def measure(samples):
        with tempfile.NamedTemporaryFile("r") as table:
            operations, _ = run(["strace", "-f", "-c", "-o", table.name] +
                                command + ["--samples=%d" % samples])
            counts = {}
            for line in table:
                # % time, seconds, usecs/call, calls, [errors,] name
                fields = line.split()
                if len(fields) >= 5 and fields[3].isdigit():
                    counts[fields[-1]] = int(fields[3])
            return operations, counts

    return difference(measure, 1, 4)


def instructions(command):
    def measure(samples):
        operations, text = run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"] +
            command + ["--samples=%d" % samples])
        return operations, {
            "all": int(re.search(r"Collected : (\d+)", text).group(1))
        }

    return difference(measure, 1, 2)


def allocations(command, preload):
    env = dict(os.environ, LD_PRELOAD=os.path.abspath(preload))

    def measure(samples):
        operations, text = run(command + ["--samples=%d" % samples], env)
        return operations, {
            "all": int(re.search(r"^allocations (\d+)", text, re.M).group(1))
        }

    return difference(measure, 1, 11)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--micro", required=True)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--theirs", default="/usr/lib/x86_64-linux-gnu")
    parser.add_argument("--preload", default="")
    parser.add_argument("--rows", default="")
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--json", default="")
    return parser.parse_args()


def count_row(arguments, row):
    result = {"row": row}
    for side in ("theirs", "ours"):
        command = [
            arguments.micro, "--ours=" + arguments.ours,
            "--theirs=" + arguments.theirs, "--rows=" + row,
            "--single=" + side
        ]
        counts = {}
        if shutil.which("strace"):
            calls = system_calls(command)
            counts["system_calls"] = calls.pop("total")
            counts["by_name"] = {
                name: round(n, 3) for name, n in calls.items() if n > 0.001
            }
        if arguments.preload:
            counts["allocations"] = allocations(command,
                                                arguments.preload)["all"]
        if arguments.instructions and shutil.which("valgrind"):
            counts["instructions"] = instructions(command)["all"]
        result[side] = counts
    return result


def show(result):
    def number(side, name):
        value = result[side].get(name)
        return "-" if value is None else "%.2f" % value

    print("%-36s calls %8s %8s  allocations %6s %6s  instructions %9s %9s" % (
        result["row"], number("theirs", "system_calls"),
        number("ours", "system_calls"), number("theirs", "allocations"),
        number("ours", "allocations"), number("theirs", "instructions"),
        number("ours", "instructions")))
    for side in ("theirs", "ours"):
        names = result[side].get("by_name", {})
        print("    %-6s %s" % (side, " ".join(
            "%s=%s" % item for item in sorted(names.items()))))
    sys.stdout.flush()


def main():
    arguments = parse_arguments()
    rows = arguments.rows.split(",") if arguments.rows else ROWS
    print("per operation: libevent, then percore")
    results = []
    for row in rows:
        results.append(count_row(arguments, row))
        show(results[-1])
    if arguments.json:
        with open(arguments.json, "w") as out:
            for result in results:
                out.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
