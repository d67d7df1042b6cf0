"""A parameter sweep: how bad an epidemic gets, for each pair of a rate of infection and a rate of recovery.

    python3 parameter_sweep.py --endpoint laptop --steps 20 --output sweep.csv
"""
import argparse
import csv
import itertools

import funcx


def epidemic(infection, recovery, days=365, steps_per_day=10):
    """The SIR model by Euler's method. Gives the largest share of the population that is ill at once, the day of that, and the share that was ill at all."""
    well, ill = 0.9999, 0.0001
    peak, day = ill, 0.0
    for step in range(1, days * steps_per_day + 1):
        falling_ill = infection * well * ill / steps_per_day
        well -= falling_ill
        ill += falling_ill - recovery * ill / steps_per_day
        if ill > peak:
            peak, day = ill, step / steps_per_day
    return {"peak": peak, "day": day, "total": 1 - well}


def spread(least, most, steps):
    return [least + (most - least) * step / max(1, steps - 1) for step in range(steps)]


def main():
    parser = argparse.ArgumentParser(description="A parameter sweep over the SIR model of an epidemic.")
    parser.add_argument("--endpoint", required=True, help="where it runs; 'funcx endpoint list' names yours")
    parser.add_argument("--steps", type=int, default=10, help="values of each of the two rates (10)")
    parser.add_argument("--days", type=int, default=365, help="how long the epidemic is followed (365)")
    parser.add_argument("--output", help="writes a CSV file, too")
    options = parser.parse_args()

    grid = list(itertools.product(spread(0.2, 1.0, options.steps), spread(0.05, 0.25, options.steps)))
    infections, recoveries = zip(*grid)
    with funcx.Executor(options.endpoint) as executor:
        # Each pair is a task; the results come in the order of the pairs.
        results = executor.map(epidemic, infections, recoveries, itertools.repeat(options.days))
        rows = [{"infection": infection, "recovery": recovery, **result} for (infection, recovery), result in zip(grid, results)]

    print("infection recovery    peak    day   total")
    for row in rows:
        print("%(infection)9.3f %(recovery)8.3f %(peak)7.4f %(day)6.1f %(total)7.4f" % row)
    worst = max(rows, key=lambda row: row["peak"])
    print("worst: infection %(infection).3f, recovery %(recovery).3f" % worst)
    if options.output:
        with open(options.output, "w", newline="") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(rows)


if __name__ == "__main__":
    main()
