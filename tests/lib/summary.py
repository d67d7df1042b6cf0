"""Adds up the result files of all suites, prints skips with reasons, counts per area and the last line of tests/run."""
import argparse
import collections
import json
import os
import signal
import sys
import xml.etree.ElementTree as xml

Line = collections.namedtuple("Line", "suite area name outcome reason seconds")


def area_of(suite, type_name):
    """FuncX.Tests.Unit.Configuration.YamlTests -> Unit/Configuration; a type right in the root -> Unit/YamlTests. A suite may run in parts."""
    suite = suite.split("-beside-")[0].removesuffix("-alone")
    parts = type_name.removeprefix("FuncX.Tests.").split("+")[0].split(".")
    if parts[0] == suite.removeprefix("FuncX.Tests.") and len(parts) > 1:
        return f"{parts[0]}/{parts[1]}"
    return f"{suite.removeprefix('FuncX.Tests.')}/{parts[0]}"


def read_xunit(suite, path):
    root = xml.parse(path).getroot()
    for error in root.iter("error"):
        message = error.findtext("failure/message") or "error outside of a test"
        yield Line(suite, suite, error.get("name") or error.get("type") or "error", "failed", message, 0.0)
    outcomes = {"Pass": "passed", "Fail": "failed", "Skip": "skipped"}
    for test in root.iter("test"):
        outcome = outcomes.get(test.get("result"))
        if outcome is None:
            continue
        reason = test.findtext("reason") or test.findtext("failure/message") or ""
        yield Line(suite, area_of(suite, test.get("type", suite)), test.get("name"), outcome, reason, float(test.get("time") or 0))


def read_python(suite, path):
    with open(path, encoding="utf-8") as file:
        for test in json.load(file):
            yield Line(suite, f"{suite}/{test['name'].split('.')[0]}", test["name"], test["outcome"], test["reason"], test["seconds"])


def read_suites(results):
    with open(os.path.join(results, "suites"), encoding="utf-8") as suites:
        for entry in suites:
            suite, path = entry.rstrip("\n").split("\t")
            try:
                yield from (read_xunit if path.endswith(".xml") else read_python)(suite, path)
            except (OSError, ValueError, xml.ParseError) as problem:
                reason = f"left no readable result file (crash or time limit): {problem}; see {results}/{suite}.log"
                yield Line(suite, suite, suite, "failed", reason, 0.0)


def leftovers(directory):
    """Processes that mention the tests' directory in their command line, environment or working directory."""
    needle = directory.encode()
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        found = b""
        for name in ("cmdline", "environ"):
            try:
                with open(f"/proc/{entry}/{name}", "rb") as file:
                    found += file.read()
            except OSError:
                pass
        try:
            found += os.readlink(f"/proc/{entry}/cwd").encode()
        except OSError:
            pass
        if needle not in found or int(entry) in ancestors():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                yield int(entry), file.read().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            pass


def ancestors():
    pid, found = os.getpid(), set()
    while pid > 1:
        found.add(pid)
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            pid = int(file.read().rsplit(")", 1)[1].split()[1])
    return found


def shown(line):
    """A failure on one line: what an assertion says may stand on several, the logs of its processes below it."""
    rows = [row.strip() for row in line.reason.splitlines() if row.strip()] or [""]
    return rows[-1] if line.suite.startswith("python") else " ".join(rows[:12])[:1000]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--results", required=True)
    options.add_argument("--leftovers", required=True)
    options.add_argument("--seconds", type=int, required=True)
    options.add_argument("--limit", type=int, required=True)
    options = options.parse_args()

    lines = list(read_suites(options.results))
    for pid, command in leftovers(options.leftovers):
        lines.append(Line("leftovers", "leftovers", f"process {pid}", "failed", f"still running after the tests: {command}", 0.0))
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    ran = [line for line in lines if line.outcome != "skipped"]
    if not ran:
        lines.append(Line("tests/run", "tests/run", "no test was executed", "failed", "a run without tests proves nothing", 0.0))
    if options.seconds > options.limit:
        reason = f"it took {options.seconds} s; it may take {options.limit} s. The slowest areas are in the table below"
        lines.append(Line("tests/run", "tests/run", "the time of the whole run", "failed", reason, 0.0))

    notes = os.path.join(options.results, "notes")
    for name in sorted(os.listdir(notes)):
        with open(os.path.join(notes, name), encoding="utf-8") as file:
            print(f"-- {name}\n{file.read().rstrip()}")
    for line in lines:
        if line.outcome == "skipped":
            print(f"SKIPPED {line.name}: {line.reason}")
    for line in lines:
        if line.outcome == "failed":
            print(f"FAILED {line.name}: {shown(line)}")

    areas = collections.defaultdict(collections.Counter)
    for line in lines:
        areas[line.area][line.outcome] += 1
        areas[line.area]["seconds"] += line.seconds
    print(f"{'area':52} {'passed':>7} {'failed':>7} {'skipped':>7} {'seconds':>8}")
    for area in sorted(areas):
        counts = areas[area]
        print(f"{area:52} {counts['passed']:7} {counts['failed']:7} {counts['skipped']:7} {counts['seconds']:8.1f}")
    print(f"total {options.seconds} s; results in {options.results}")

    totals = collections.Counter(line.outcome for line in lines)
    print(f"{totals['passed']} passed, {totals['failed']} failed" + (f", {totals['skipped']} skipped" if totals["skipped"] else ""))
    return 1 if totals["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
