"""Cost of the Python worker's loop: microseconds of its CPU per no-op task with a JSON argument, fed as a manager feeds it.

    python3 perf/worker_bench.py [--python INTERPRETER] [--tasks N] [--burst N] [--one-core] [--repeat N]

Figures: CPU of the worker per task (/proc/PID/stat is too coarse; the worker reports os.times() of itself before and after),
wall clock per task, doorbells per thousand tasks, and the round trip of one task at a time. The values are checked.
"""
import argparse
import json
import os
import statistics
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "python"))
import played_manager as manager  # noqa: E402

SOURCE = """
import time
def noop(x):
    return x
def cpu():
    return time.process_time_ns()
"""


def drain(worker, count):
    """Reads `count` results out of the ring the cheap way: lengths and values only, when a doorbell rings."""
    ring, size, total = worker.ring, worker.size, 0
    while count:
        worker.sock.recv(65536)
        written = struct.unpack_from("<Q", ring, 0)[0]
        read = worker.read
        while read < written:
            at = read % size
            length = struct.unpack_from("<I", ring, 4096 + at)[0] if size - at >= 4 else 0
            if length == 0:
                read += size - at
                continue
            total += int(ring[4096 + at + 128:4096 + at + length])
            count -= 1
            read += length
        worker.read = read
        worker.numbers[8] = read
        worker.doorbells += 1
    return total


def bursts(worker, tasks, burst):
    sent = [b"".join(worker.task([i], function=1) for i in range(start, start + burst)) for start in range(0, tasks, burst)]
    before = worker.call([], function=2).value
    worker.doorbells = 0
    begun = time.perf_counter()
    total = 0
    for data in sent:
        worker.sock.sendall(data)
        total += drain(worker, burst)
    wall = time.perf_counter() - begun
    doorbells = worker.doorbells
    after = worker.call([], function=2).value
    assert total == tasks * (tasks - 1) // 2, "values are wrong"
    return (after - before) / 1000 / tasks, wall * 1e6 / tasks, doorbells * 1000 / tasks


def one_at_a_time(worker, tasks):
    trips = []
    for i in range(tasks):
        data = worker.task([i], function=1)
        begun = time.perf_counter()
        worker.sock.sendall(data)
        drain(worker, 1)
        trips.append((time.perf_counter() - begun) * 1e6)
    return statistics.median(trips)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--tasks", type=int, default=102400)
    parser.add_argument("--burst", type=int, default=512)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--one-core", action="store_true", help="manager and worker share one core")
    options = parser.parse_args()
    if options.one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    zygote = manager.Zygote(python=options.python)
    worker = zygote.fork()
    worker.define(1, SOURCE, "noop")
    worker.define(2, SOURCE, "cpu")
    try:
        runs = [bursts(worker, options.tasks // options.burst * options.burst, options.burst) for _ in range(options.repeat)]
        trip = one_at_a_time(worker, 2000)
    finally:
        worker.close()
        zygote.close()
    cpu, wall, doorbells = (statistics.median(column) for column in zip(*runs))
    print(json.dumps({
        "runtime": zygote.hello["runtime"], "tasks": options.tasks, "burst": options.burst, "one_core": options.one_core,
        "worker_cpu_us_per_task": round(cpu, 3), "best_worker_cpu_us_per_task": round(min(run[0] for run in runs), 3),
        "wall_us_per_task": round(wall, 3), "doorbells_per_1000": round(doorbells, 2), "one_at_a_time_us": round(trip, 1)}, indent=2))


if __name__ == "__main__":
    main()
