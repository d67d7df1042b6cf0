"""Python no-ops per second of Dask distributed: dask_noop.py TASKS WORKERS

Tuned: worker-saturation inf and Client.map; as shipped: the default settings and Client.submit for each.
"""
import json
import sys
import time

import dask
import distributed


def noop(x):
    return x


def rate(tasks, workers, tuned):
    with dask.config.set({"distributed.scheduler.worker-saturation": float("inf")} if tuned else {}):
        with distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster, distributed.Client(cluster) as client:
            client.gather(client.map(noop, range(200), pure=False))
            begun = time.perf_counter()
            if tuned:
                futures = client.map(noop, range(tasks), pure=False)
            else:
                futures = [client.submit(noop, i, pure=False) for i in range(tasks)]
            total = sum(client.gather(futures))
            seconds = time.perf_counter() - begun
    assert total == tasks * (tasks - 1) // 2
    return tasks / seconds


def main():
    tasks, workers = int(sys.argv[1]), int(sys.argv[2])
    print(json.dumps({
        "version": distributed.__version__, "tuned": rate(tasks, workers, True), "as_shipped": rate(max(200, tasks // 5), workers, False),
    }))


if __name__ == "__main__":
    main()
