"""Runs Python functions for a funcx manager.

    python worker.py --zygote             a prepared interpreter that forks workers; its socket is descriptor 0
    python worker.py --worker [--ring N]  one worker; its socket is descriptor 0, its result ring (optional) descriptor N

Nothing here is started by hand: protocol/README.md says what is spoken on descriptor 0. Standard library only, Python 3.8 or later.
"""
import sys

if sys.version_info < (3, 8):
    sys.exit("funcx worker: %s is Python %d.%d; workers need 3.8 or later. Set workers.python in the endpoint's YAML."
             % ((sys.executable,) + sys.version_info[:2]))

from funcx_worker.program import main  # noqa: E402

if __name__ == "__main__":
    main(sys.argv)
