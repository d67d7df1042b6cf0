"""What the played schedulers (pbs_commands, cobalt_commands) have in common: where the one that was called by its link in DIRECTORY/bin keeps what it knows, and its jobs there."""
import fcntl
import json
import os
import pathlib
import sys

ME = pathlib.Path(os.path.abspath(sys.argv[0]))
STATE = ME.parent.parent / "state"


def fail(text, code=1):
    print(text, file=sys.stderr)
    sys.exit(code)


def configured(defaults):
    file = STATE / "config.json"
    return {**defaults, **(json.loads(file.read_text()) if file.exists() else {})}


def lost():
    file = STATE / "lost"
    return set(file.read_text().split()) if file.exists() else set()


class Jobs:
    """All jobs, under a lock; what is changed is written at the end."""

    def __enter__(self):
        (STATE / "jobs").mkdir(exist_ok=True)
        self.lock = open(STATE / "lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.jobs = {int(file.name): json.loads(file.read_text()) for file in (STATE / "jobs").iterdir() if file.name.isdigit()}
        return self

    def write(self, number):
        file = STATE / "jobs" / str(number)
        file.with_suffix(".new").write_text(json.dumps(self.jobs[number]))
        file.with_suffix(".new").replace(file)

    def __exit__(self, *_):
        self.lock.close()


def play(run, commands):
    """Does what the link is called, or, in a process of its own, runs a job."""
    if sys.argv[1:2] == ["--run"]:
        run(int(sys.argv[2]))
    else:
        commands[ME.name](sys.argv[1:])
