"""One program with the SDK for Python, its calls timed: python_sdk.py map|submit|single SERVICE TOKEN_FILE ENDPOINT CALLS

`funcx` is found on PYTHONPATH. Prints one line of JSON. What the values add up to is for whoever knows which they must be.
"""
import json
import platform
import statistics
import sys
import time

import google.protobuf
import grpc

import funcx

WARM_UP = 2_000
HOPS = ("client_sent", "service_accepted", "service_committed", "service_sent", "endpoint_received", "endpoint_sent", "manager_received", "worker_started",
        "worker_ended", "endpoint_back", "service_back", "result_committed")


def noop(x):
    return x


def scrambled(values):
    """Two values that were exchanged, doubled or lost give another number."""
    total = 0
    for place, value in enumerate(values, 1):
        total = (total + place * (value * 0x9E3779B97F4A7C15 ^ value >> 7)) & 0xFFFFFFFFFFFFFFFF
    return total


def mapped(executor, calls):
    return list(executor.map(noop, range(calls)))


def submitted(executor, calls):
    futures = [executor.submit(noop, argument) for argument in range(calls)]
    return [future.result() for future in futures]


def timed(way, executor, calls):
    processor, begun = time.process_time(), time.perf_counter()
    values = way(executor, calls)
    seconds = time.perf_counter() - begun
    return values, {"tasks_per_s": calls / seconds, "cpu_us_per_task": (time.process_time() - processor) * 1e6 / calls}


def one_by_one(client, executor, calls):
    futures, times, ends = [], [], []
    processor = time.process_time()
    for argument in range(calls):
        begun = time.perf_counter()
        future = executor.submit(noop, argument)
        future.result()
        times.append(time.perf_counter() - begun)
        ends.append(time.time())
        futures.append(future)
    processor = time.process_time() - processor
    ordered = sorted(times)
    steps = {}
    for future, took, end in list(zip(futures, times, ends))[::4]:
        known = client.status(future).times
        moments = [("submit", end - took)] + [(hop, known[hop]) for hop in HOPS if hop in known] + [("result", end)]
        for (_, before), (hop, after) in zip(moments, moments[1:]):
            steps.setdefault(hop, []).append((after - before) * 1e6)
    return [future.result() for future in futures], {
        "p50_ms": ordered[calls // 2] * 1e3, "p99_ms": ordered[calls * 99 // 100] * 1e3, "cpu_us_per_task": processor * 1e6 / calls,
        "hops_us": {hop: statistics.median(taken) for hop, taken in steps.items()}}


def main():
    what, service, token_file, endpoint = sys.argv[1:5]
    calls = int(sys.argv[5])
    with funcx.Client(service, token_file=token_file) as client, funcx.Executor(endpoint, client=client) as executor:
        # Behind it the function is known everywhere, and each process has compiled what it needs, or is about to.
        for way in (mapped, submitted):
            way(executor, WARM_UP)
        if what == "single":
            one_by_one(client, executor, calls // 2)
            values, answer = one_by_one(client, executor, calls)
        else:
            values, answer = timed({"map": mapped, "submit": submitted}[what], executor, calls)
    answer.update(count=len(values), scrambled=str(scrambled(values)), sdk=funcx.__file__,
                  versions="Python %s, grpcio %s, protobuf %s" % (platform.python_version(), grpc.__version__, google.protobuf.__version__))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
