"""What can go wrong with a call, and what a program can do about it.

    python3 error_handling.py --endpoint laptop
"""
import argparse
import concurrent.futures
import textwrap
import threading
import uuid

import funcx


class Diverged(ArithmeticError):
    """An exception of this program's own."""


def root(value, steps=50):
    """A square root by Heron's method."""
    if value < 0:
        raise Diverged("no real root of %g" % value)
    guess = value or 1.0
    for _ in range(steps):
        guess = (guess + value / guess) / 2
    return guess


def parse(text):
    return int(text)


def flaky(marker, failures):
    """Fails so many times; it counts in a file, as each attempt may be on another worker of the node."""
    import os
    import tempfile
    path = os.path.join(tempfile.gettempdir(), marker)
    with open(path, "a+") as file:
        file.write("x")
        attempts = file.tell()
    if attempts <= failures:
        raise ConnectionError("attempt %d failed" % attempts)
    os.remove(path)
    return attempts


def wait(seconds):
    import time
    time.sleep(seconds)
    return seconds


def main():
    parser = argparse.ArgumentParser(description="What can go wrong with a call.")
    parser.add_argument("--endpoint", required=True, help="where it runs; 'funcx endpoint list' names yours")
    options = parser.parse_args()

    with funcx.Executor(options.endpoint) as executor:
        print("1. An exception is raised here as it was raised there")
        try:
            executor.submit(parse, "12a").result()
        except ValueError as error:
            print("   ValueError: %s" % error)
            # The traceback of the worker is the cause, and is printed with an exception that nobody catches.
            print(textwrap.indent(str(error.__cause__), "   | "))

        print("2. So is one of the program's own classes")
        try:
            executor.submit(root, -2).result()
        except Diverged as error:
            print("   Diverged: %s" % error)

        print("3. What fails now and then is tried again")
        patient = executor.with_settings(retry=funcx.Retry(3, on=[ConnectionError], backoff=0.1))
        print("   it worked at attempt %d" % patient.submit(flaky, "funcx-example-%s" % uuid.uuid4(), 2).result())

        print("4. What runs too long is ended")
        try:
            executor.with_settings(walltime=0.5).submit(wait, 3600).result()
        except funcx.TaskTimeout as error:
            print("   %s after its walltime" % error.outcome)

        print("5. What is not wanted any more is cancelled, also when it runs")
        future = executor.submit(wait, 3600)
        future.cancel()
        try:
            future.result()
        except concurrent.futures.CancelledError:
            print("   cancelled: %s" % future.cancelled())

        print("6. Some calls fail, and the others count")
        futures = {executor.submit(root, value): value for value in (4, -1, 9, -3, 16)}
        values, problems = {}, {}
        for future in funcx.as_completed(futures):
            error = future.exception()
            if error is None:
                values[futures[future]] = future.result()
            else:
                problems[futures[future]] = error
        for value in sorted(values):
            print("   root of %d is %.3f" % (value, values[value]))
        for value in sorted(problems):
            print("   root of %d: %s" % (value, problems[value]))

        print("7. What cannot be sent is refused at once")
        try:
            executor.submit(parse, threading.Lock())
        except funcx.NotSerialisable as error:
            print("   NotSerialisable: %s" % str(error).splitlines()[0])


if __name__ == "__main__":
    main()
