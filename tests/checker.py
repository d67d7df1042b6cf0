#!/usr/bin/python3
"""Compares what a submitter was told with what really ran. It shares no code with the product.

Reads
  JOURNAL/submissions, JOURNAL/outcomes  what the submitter planned, was promised and was told;
  TASKS/tasks/N/NUMBER                   the file each task appended to: 'start NUMBER WHERE NS' and 'end NUMBER WHERE NS', WHERE being the numbers
                                         of the worker and its ancestors (zygote, spawner, manager, ...), the nearest first;
  ATTEMPTS                               what the service says of each task at the end: NUMBER STATE OUTCOME ATTEMPTS;
  KILLS                                  the deaths of processes, in order: KIND PID NS MAY_LOSE.
Prints a JSON report. Exit status 0 when all of this is so:

- Every acknowledged task has exactly one outcome, the right value and an execution that ended, and was not started more often than it had attempts.
- Nothing ran again needlessly. Of a task's executions at most one was in a worker that no kill took along (its own kill, its zygote's, its
  manager's): whatever a kill of the client, the service or the endpoint does, no worker dies of it, so no execution may be repeated for it.
- No kill cost more than was in flight. A worker runs one task at a time and hands over each result before it starts the next task: a kill of it, or of its
  zygote, costs one execution per worker. Kills of managers may cost the tasks that were sent to the manager and were not back; a kill of the endpoint only
  results of managers that were killed before it. Those are the MAY_LOSE of the kill, counted by the hops just before it; MARGIN is for what
  happens between the counting and the kill.

'superseded' is a death of its own: an endpoint whose place a process on another host took. Its managers stay with it until it is gone, so the newer
one cannot say what they hold, and the service hands that out again: up to MAY_LOSE tasks may run twice although no worker died.
"""
import argparse
import base64
import collections
import json
import os
import sys

VALUE, DONE = 1, 3

# Executions per kill of a manager or an endpoint: what its two workers may start and finish in the moment between counting and killing.
MARGIN = 4

# A worker whose zygote or manager was killed is killed in turn, or ends when it finds its socket closed; until then it may start one more task.
DYING_NS = 2_000_000_000

Execution = collections.namedtuple("Execution", "started where")
Kill = collections.namedtuple("Kill", "kind pid at may_lose")


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
    """number -> (executions in the order of their start, how many ended)"""
    executions = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            started, ended = [], 0
            for line in lines(os.path.join(folder, name)):
                kind, number, where, at = line.split()
                if number != name:
                    raise SystemExit(f"{folder}/{name}: holds a line of task {number}")
                if kind == "start":
                    started.append(Execution(int(at), [int(pid) for pid in where.split(",")]))
                else:
                    ended += 1
            executions[int(name)] = (sorted(started), ended)
    return executions


def read_kills(path):
    for line in lines(path):
        kind, pid, at, may_lose = line.split()
        yield Kill(kind, int(pid), int(at), int(may_lose))


class Losses:
    """Which execution went down with which kill."""

    def __init__(self, kills, executions):
        self._kills = [kill for kill in kills if kill.kind in ("worker", "zygote", "manager")]
        # An ancestor that was being killed while a worker looked for it is known from its siblings.
        self._ancestors = {}
        for started, _ in executions.values():
            for execution in started:
                for i, pid in enumerate(execution.where):
                    if len(execution.where) - i > len(self._ancestors.get(pid, ())):
                        self._ancestors[pid] = execution.where[i:]

    def kill_of(self, execution):
        """The kill that took the execution's worker along, or None."""
        where = set(execution.where)
        for pid in execution.where:
            where.update(self._ancestors.get(pid, ()))
        for kill in self._kills:
            if kill.pid in where and execution.started <= kill.at + DYING_NS:
                return kill
        return None


def check_repeats(executions, kills):
    """Errors, and how many executions each kind of kill cost."""
    errors = []
    losses = Losses(kills, executions)
    may_repeat = sum(kill.may_lose for kill in kills if kill.kind == "superseded")
    repeated = []
    lost = collections.defaultdict(list)
    for number, (started, _) in executions.items():
        if len(started) < 2:
            continue
        taken = [(execution, losses.kill_of(execution)) for execution in started]
        survived = sum(kill is None for _, kill in taken)
        if survived > 1:
            repeated.append(f"task {number} ran {len(started)} times, {survived} of them in workers that no kill took along: {started}")
            continue
        # Without a survivor the last one was done before its worker was killed.
        for execution, kill in [entry for entry in taken if entry[1] is not None][:len(started) - 1]:
            lost[kill].append((number, execution.where[0]))
    if len(repeated) > may_repeat:
        errors.extend(repeated)
    cost = collections.Counter()
    for kill, gone in lost.items():
        cost[kill.kind] += len(gone)
        for worker, count in collections.Counter(worker for _, worker in gone).items():
            if kill.kind != "manager" and count > 1:
                errors.append(f"the kill of {kill.kind} {kill.pid} cost worker {worker} {count} executions instead of 1, of tasks {gone}")
    may_lose = sum(kill.may_lose + MARGIN for kill in kills if kill.kind in ("manager", "endpoint"))
    if cost["manager"] > may_lose:
        errors.append(f"kills of managers cost {cost['manager']} executions; {may_lose} were in flight at them (with a margin of {MARGIN} for each kill)")
    return errors, cost


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--journal", required=True)
    options.add_argument("--tasks", required=True)
    options.add_argument("--attempts", required=True)
    options.add_argument("--kills", required=True)
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
        started, ended = executions.get(number, ([], 0))
        if not accepted:
            if started and not outcomes:
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
        elif not ended:
            errors.append(f"task {number} has a value but no execution of it ended")
        if number not in service:
            errors.append(f"task {number} is unknown to the service")
            continue
        state, final, attempts = service[number]
        if (state, final) != (DONE, outcome):
            errors.append(f"the service says state {state} outcome {final} of task {number}; the client was told {outcome}")
        if len(started) > attempts:
            errors.append(f"task {number} was started {len(started)} times in {attempts} attempts")

    kills = list(read_kills(options.kills))
    repeats, cost = check_repeats(executions, kills)
    errors.extend(repeats)
    counts = collections.Counter(len(started) for started, _ in executions.values())
    report = {
        "acknowledged": sum(acknowledged.values()),
        "outcomes": sum(map(len, told.values())),
        "executions": {str(starts): counts[starts] for starts in sorted(counts)},
        "lost_with": dict(cost),
        "may_lose": sum(kill.may_lose for kill in kills),
        "attempts": {str(k): v for k, v in sorted(collections.Counter(entry[2] for entry in service.values()).items())},
        "errors": len(errors),
        "first_errors": errors[:20],
    }
    print(json.dumps(report))
    return 1 if errors or not acknowledged else 0


if __name__ == "__main__":
    sys.exit(main())
