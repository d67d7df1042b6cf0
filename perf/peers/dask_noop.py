"""Python no-ops per second of Dask distributed: dask_noop.py TASKS WORKERS [CALLS]

Tuned: worker-saturation inf and Client.map; as shipped: the default settings and Client.submit for each. With CALLS, instead of that, the tuned one's map, its
submit for each, and the time of so many calls one by one.
"""
import contextlib
import json
import sys
import time

import dask
import distributed


def noop(x):
    return x


@contextlib.contextmanager
def client_of(workers, tuned):
    with dask.config.set({"distributed.scheduler.worker-saturation": float("inf")} if tuned else {}):
        with distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster, distributed.Client(cluster) as client:
            client.gather(client.map(noop, range(200), pure=False))
            yield client


def rate(client, tasks, by_map):
    begun = time.perf_counter()
    if by_map:
        futures = client.map(noop, range(tasks), pure=False)
    else:
        futures = [client.submit(noop, i, pure=False) for i in range(tasks)]
    values = client.gather(futures)
    seconds = time.perf_counter() - begun
    assert values == list(range(tasks))
    return tasks / seconds


def p50_ms(client, calls):
    times = []
    for i in range(calls):
        begun = time.perf_counter()
        value = client.submit(noop, i, pure=False).result()
        times.append(time.perf_counter() - begun)
        assert value == i
    return sorted(times)[calls // 2] * 1e3


def main():
    tasks, workers = int(sys.argv[1]), int(sys.argv[2])
    answer = {"version": distributed.__version__}
    with client_of(workers, True) as client:
        answer["tuned"] = rate(client, tasks, True)
        if len(sys.argv) > 3:
            answer["tasks_per_s"] = rate(client, tasks, False)
            answer["map"] = answer["tuned"]
            answer["p50_ms"] = p50_ms(client, int(sys.argv[3]))
    if len(sys.argv) == 3:
        with client_of(workers, False) as client:
            answer["as_shipped"] = rate(client, max(200, tasks // 5), False)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
