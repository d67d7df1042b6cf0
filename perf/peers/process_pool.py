"""Python no-ops per second of ProcessPoolExecutor, each submitted on its own: process_pool.py TASKS WORKERS [CALLS]

With CALLS also of its map, each item a task (chunksize 1), and the time of so many calls one by one.
"""
import concurrent.futures
import json
import sys
import time


def noop(x):
    return x


def p50_ms(pool, calls):
    times = []
    for i in range(calls):
        begun = time.perf_counter()
        value = pool.submit(noop, i).result()
        times.append(time.perf_counter() - begun)
        assert value == i
    return sorted(times)[calls // 2] * 1e3


def main():
    tasks, workers = int(sys.argv[1]), int(sys.argv[2])
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        sum(future.result() for future in [pool.submit(noop, i) for i in range(500)])
        begun = time.perf_counter()
        total = sum(future.result() for future in [pool.submit(noop, i) for i in range(tasks)])
        seconds = time.perf_counter() - begun
        assert total == tasks * (tasks - 1) // 2
        answer = {"tasks_per_s": tasks / seconds}
        if len(sys.argv) > 3:
            begun = time.perf_counter()
            values = list(pool.map(noop, range(tasks), chunksize=1))
            answer["map"] = tasks / (time.perf_counter() - begun)
            assert values == list(range(tasks))
            answer["p50_ms"] = p50_ms(pool, int(sys.argv[3]))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
