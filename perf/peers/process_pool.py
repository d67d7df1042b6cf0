"""Python no-ops per second of ProcessPoolExecutor, each submitted on its own: process_pool.py TASKS WORKERS"""
import concurrent.futures
import json
import sys
import time


def noop(x):
    return x


def main():
    tasks, workers = int(sys.argv[1]), int(sys.argv[2])
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        sum(future.result() for future in [pool.submit(noop, i) for i in range(500)])
        begun = time.perf_counter()
        total = sum(future.result() for future in [pool.submit(noop, i) for i in range(tasks)])
        seconds = time.perf_counter() - begun
    assert total == tasks * (tasks - 1) // 2
    print(json.dumps({"tasks_per_s": tasks / seconds}))


if __name__ == "__main__":
    main()
