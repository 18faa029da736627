#!/usr/bin/env python3
"""Counts the tests of one Bazel run from its build events.

usage: count_results.py EVENTS.json BAZEL_STATUS [PACKAGES.txt...]

Counts GoogleTest's cases where a target has them (its test.xml), else the
target. Prints the names of what failed and was skipped, then "P F S" (passed,
failed, skipped) on the last line. What was to run and did not (a build that
failed, a crash, a time-out) is counted as failed. A test skips by printing
"SKIP: needs X"; if X is a package of PACKAGES.txt, which .ci/run has installed,
that is a failure too.
"""

import json
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree

SKIP = re.compile(r"SKIP: needs ([^\n]*)")


def local_path(uri):
    return urllib.parse.unquote(urllib.parse.urlparse(uri).path)


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


class Counter:
    def __init__(self, packages):
        self.packages = packages
        self.passed = 0
        self.failed = []
        self.skipped = []

    def skip(self, name, reason):
        lacking = [p for p in self.packages if re.search(
            r"(?<![\w.+-])" + re.escape(p) + r"(?![\w.+-])", reason)]
        if lacking:
            self.failed.append(f"{name} (skipped without {lacking[0]})")
        else:
            self.skipped.append(f"{name}: {reason.strip()}")

    def target(self, label, status, xml_path, log_path):
        """One run of one test target."""
        failures = 0
        cases = []
        try:
            root = ElementTree.parse(xml_path).getroot()
            cases = list(root.iter("testcase"))
        except (ElementTree.ParseError, OSError, TypeError):
            pass
        # Bazel writes an XML of its own, one case without a class, for a test
        # that writes none.
        own = all("classname" not in case.attrib for case in cases)
        if not cases or own:
            reason = SKIP.search(read_text(log_path)) if log_path else None
            if status == "PASSED" and reason:
                self.skip(label, reason.group(1))
            elif status == "PASSED":
                self.passed += 1
            else:
                self.failed.append(f"{label} ({status})")
            return
        for case in cases:
            name = f"{label} {case.get('classname')}.{case.get('name')}"
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                failures += 1
                self.failed.append(name)
            elif skipped is not None or case.get("result") == "skipped":
                text = " ".join(
                    [case.get("message") or ""]
                    + ([skipped.get("message") or "", skipped.text or ""]
                       if skipped is not None else []))
                reason = SKIP.search(text)
                self.skip(name, reason.group(1) if reason else text)
            elif case.get("status") == "notrun":
                pass  # filtered out or disabled
            else:
                self.passed += 1
        if status != "PASSED" and not failures:
            # A crash after or between the cases, a time-out, a leak report.
            self.failed.append(f"{label} ({status})")


def main(argv):
    events_path, bazel_status = argv[1], int(argv[2])
    packages = set()
    for path in argv[3:]:
        for line in read_text(path).splitlines():
            words = line.split("#")[0].split()
            if words:
                packages.add(words[-1])
    counter = Counter(packages)
    tested = {}
    retried = set()
    not_built = set()
    aborted = []
    for line in read_text(events_path).splitlines():
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            aborted.append("the build events end in the middle")
            continue
        ident = event.get("id", {})
        if "testResult" in ident:
            where = ident["testResult"]
            result = event.get("testResult", {})
            key = (where["label"], where.get("run"), where.get("shard"))
            files = {f["name"]: local_path(f.get("uri", ""))
                     for f in result.get("testActionOutput", [])}
            # The last attempt is the one that counts; that there was more
            # than one is said.
            if where.get("attempt", 1) > 1:
                retried.add(where["label"])
            tested[key] = (result.get("status", "NO_STATUS"),
                           files.get("test.xml"), files.get("test.log"))
        elif "targetCompleted" in ident:
            if not event.get("completed", {}).get("success"):
                not_built.add(ident["targetCompleted"]["label"])
        elif "aborted" in event:
            text = event["aborted"].get("description", "")
            label = (ident.get("targetConfigured") or ident.get("configuredLabel")
                     or {}).get("label", "")
            if event["aborted"].get("reason") != "SKIPPED":
                aborted.append(f"{label} {text}".strip())
    for (label, _, _), (status, xml_path, log_path) in sorted(tested.items(), key=str):
        counter.target(label, status, xml_path, log_path)
    for label in sorted(not_built - {key[0] for key in tested}):
        counter.failed.append(f"{label} (did not build)")
    # Whatever made Bazel fail must show.
    if bazel_status != 0 and not counter.failed:
        counter.failed.append(
            f"bazel ended with {bazel_status} {'; '.join(aborted[:3])}".strip())
    if not (counter.passed or counter.skipped or counter.failed):
        counter.failed.append("no test ran")
    for label in sorted(retried):
        print(f"  not at the first attempt: {label}")
    for name in counter.failed:
        print(f"  failed: {name}")
    for name in counter.skipped:
        print(f"  skipped: {name}")
    print(counter.passed, len(counter.failed), len(counter.skipped))


if __name__ == "__main__":
    main(sys.argv)
