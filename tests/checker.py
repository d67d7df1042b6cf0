#!/usr/bin/python3
"""Compares what a submitter was told with what really ran. It shares no code with the product.

Reads the submitter's journal (submissions, outcomes), the file that each task appended to (TASKS/tasks/N/NUMBER: 'start NUMBER PID NS' and
'end NUMBER PID NS' lines) and what the service says of each task at the end (attempts: NUMBER STATE OUTCOME ATTEMPTS), and prints a JSON report.
Exit status 0: every acknowledged task has exactly one outcome, the right value, was executed, and never more often than it had attempts.
"""
import argparse
import base64
import collections
import json
import os
import sys

VALUE, DONE = 1, 3


def lines(path):
    with open(path, encoding="ascii") as file:
        text = file.read()
    return text[:text.rfind("\n") + 1].splitlines()


def read_submissions(path):
    """number -> acknowledged"""
    planned, acknowledged = {}, {}
    for line in lines(path):
        words = line.split()
        if words[0] == "plan":
            planned[words[1]] = range(int(words[2]), int(words[2]) + int(words[3]))
            for number in planned[words[1]]:
                acknowledged[number] = False
        else:
            for number in planned[words[1]]:
                acknowledged[number] = True
    return acknowledged


def read_outcomes(path):
    for line in lines(path):
        for entry in line.split()[1:]:
            number, outcome, value = entry.split(":")
            yield number, int(outcome), base64.b64decode(value)


def read_executions(directory):
    """number -> (starts, ends)"""
    executions = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            kinds = collections.Counter()
            for line in lines(os.path.join(folder, name)):
                kind, number = line.split()[:2]
                if number != name:
                    raise SystemExit(f"{folder}/{name}: holds a line of task {number}")
                kinds[kind] += 1
            executions[int(name)] = (kinds["start"], kinds["end"])
    return executions


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--journal", required=True)
    options.add_argument("--tasks", required=True)
    options.add_argument("--attempts", required=True)
    options = options.parse_args()

    errors = []
    acknowledged = read_submissions(os.path.join(options.journal, "submissions"))
    executions = read_executions(os.path.join(options.tasks, "tasks"))
    told = collections.defaultdict(list)
    for number, outcome, value in read_outcomes(os.path.join(options.journal, "outcomes")):
        if not number.isdigit() or int(number) not in acknowledged:
            errors.append(f"an outcome of task {number}, which nobody submitted")
            continue
        told[int(number)].append((outcome, value))
    service = {}
    for line in lines(options.attempts):
        number, state, outcome, attempts = map(int, line.split())
        service[number] = (state, outcome, attempts)

    for number, accepted in acknowledged.items():
        outcomes = told.get(number, [])
        starts, ends = executions.get(number, (0, 0))
        if not accepted:
            if starts and not outcomes:
                errors.append(f"task {number} was never acknowledged, yet ran and has no outcome")
            continue
        if len(outcomes) != 1:
            errors.append(f"task {number} has {len(outcomes)} outcomes instead of 1")
            continue
        outcome, value = outcomes[0]
        right = number * number + 7
        if outcome != VALUE:
            errors.append(f"task {number} ended with outcome {outcome} instead of {VALUE}: {value[:300]!r}")
        elif value != str(right).encode():
            errors.append(f"task {number} has the value {value[:100]!r} instead of {right}")
        elif not ends:
            errors.append(f"task {number} has a value but no execution of it ended")
        if number not in service:
            errors.append(f"task {number} is unknown to the service")
            continue
        state, final, attempts = service[number]
        if (state, final) != (DONE, outcome):
            errors.append(f"the service says state {state} outcome {final} of task {number}; the client was told {outcome}")
        if starts > attempts:
            errors.append(f"task {number} was started {starts} times in {attempts} attempts")

    counts = collections.Counter(starts for starts, _ in executions.values())
    report = {
        "acknowledged": sum(acknowledged.values()),
        "outcomes": sum(map(len, told.values())),
        "executions": {str(starts): counts[starts] for starts in sorted(counts)},
        "attempts": {str(k): v for k, v in sorted(collections.Counter(entry[2] for entry in service.values()).items())},
        "errors": len(errors),
        "first_errors": errors[:20],
    }
    print(json.dumps(report))
    return 1 if errors or not acknowledged else 0


if __name__ == "__main__":
    sys.exit(main())
