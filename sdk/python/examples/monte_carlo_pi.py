"""Pi by the Monte Carlo method, with numpy: each task draws random numbers of its own, and the same seed gives the same result on any number of workers.

    python3 monte_carlo_pi.py --endpoint laptop --tasks 100 --points 10000000
"""
import argparse
import math

import funcx
import numpy


def throw(seed, points):
    """How many of so many points in a square lie within the circle; the first number that was drawn, and who drew it."""
    import os
    import socket
    # A generator of the task's own. One that is made outside of the function would travel as it is, and every worker would draw the same numbers.
    random = numpy.random.default_rng(seed)
    first, inside = None, 0
    for start in range(0, points, 1_000_000):
        x, y = random.random((2, min(1_000_000, points - start)))
        first = float(x[0]) if first is None else first
        inside += int(numpy.count_nonzero(x * x + y * y <= 1))
    return inside, first, "%s, process %d" % (socket.gethostname(), os.getpid())


def main():
    parser = argparse.ArgumentParser(description="Pi by the Monte Carlo method.")
    parser.add_argument("--endpoint", required=True, help="where it runs; 'funcx endpoint list' names yours")
    parser.add_argument("--tasks", type=int, default=10, help="how many tasks (10)")
    parser.add_argument("--points", type=int, default=1_000_000, help="points of each task (1,000,000)")
    parser.add_argument("--seed", type=int, default=2024, help="of the whole computation (2024)")
    options = parser.parse_args()

    # Seeds that are made this way give streams which do not overlap; seed + 1, seed + 2, ... do not promise that.
    seeds = numpy.random.SeedSequence(options.seed).spawn(options.tasks)
    inside, firsts, workers = 0, set(), set()
    with funcx.Executor(options.endpoint) as executor:
        for hits, first, worker in executor.map(throw, seeds, [options.points] * options.tasks, ordered=False):
            inside += hits
            firsts.add(first)
            workers.add(worker)

    points = options.tasks * options.points
    share = inside / points
    print("pi is about %.6f, give or take %.6f" % (4 * share, 4 * math.sqrt(share * (1 - share) / points)))
    print("%d of %d points inside" % (inside, points))
    print("%d tasks on %d workers drew %d different sequences" % (options.tasks, len(workers), len(firsts)))


if __name__ == "__main__":
    main()
