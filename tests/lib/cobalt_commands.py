"""A small Cobalt for tests: qsub, qstat, qdel, cqadm and aprun are symbolic links to fake_cobalt in DIRECTORY/bin; what it knows lies in DIRECTORY/state.

It really runs job scripts on `nodes` pretended nodes of this host, answers as the recordings of Cobalt 1.0.33 do (a job that has ended is in no list, and its .cobaltlog says how it
ended), and refuses options that are not in the manual pages. state/config.json: {"nodes": 4, "queues": ["default"], "accounts": null, "seconds_per_minute": 60, "told_per_minute": 60, "hosts": [], "alps": false}; hosts are
the names in the node file, for launchers that have to reach them; accounts are those that a filter of the site lets submit, null for all, as Cobalt does by itself (qsub-ok-project-queue-env);
with fewer seconds per minute jobs are over their walltime sooner, and are told so in their environment only with the same told per minute. A script has the PATH of the recordings (env-3nodes), in which this directory is not, and runs on its
first node, by the name of this host. With alps it runs beside its nodes, whose numbers are in COBALT_PARTNAME, and has no COBALT_NODEFILE, as the sources have it (alps_script_forker.py; not recorded). While state/down is there the queue
manager is away, while state/hung is there it never answers. The nodes that state/lost names (c1, c2, ...) are dead, and so is every job that began on one of them: what Cobalt says of that was not
recorded, and is played as the end of a script by a signal was (cobaltlog-segv).

An operator's `cqadm --preempt` has a job that was submitted with --preemptable give up its nodes. That was not recorded; it is played after the sources of Cobalt (cqm.py, cqadm.py): state preempting while its
script has SIGTERM, and SIGKILL later, then preempted, until it has nodes again and runs anew under its id; its .cobaltlog goes on.
"""
import getopt
import os
import pathlib
import re
import signal
import socket
import sys
import time

from scheduler_commands import ME, STATE, Jobs, configured, fail, lost, play

USER = os.environ.get("USER") or "root"
USAGE = "Usage: qsub.py --help\nUsage: qsub.py [options] <executable> [<excutable options>]\n\nRefer to man pages for JOBID EXPANSION and SCRIPT JOB DIRECTIVES.\n\n\n"
SHORT = "dvhn:t:A:q:O:e:o:i:M:u:c:"
LONG = ["debug", "verbose", "held", "nodecount=", "time=", "project=", "queue=", "outputprefix=", "error=", "output=", "inputfile=", "notify=", "umask=", "proccount=", "mode=", "env=", "cwd=", "kernel=",
        "attrs=", "dependencies=", "debuglog=", "jobname=", "geometry=", "run_users=", "user_list=", "run_project", "disable_preboot", "preemptable", "interactive"]
SAME = {"-n": "--nodecount", "-t": "--time", "-A": "--project", "-q": "--queue", "-O": "--outputprefix", "-h": "--held"}


def config():
    return configured({"nodes": 4, "queues": ["default"], "accounts": None, "seconds_per_minute": 60, "told_per_minute": 60, "hosts": [], "alps": False})


def nodes():
    return [f"c{node + 1}" for node in range(len(config()["hosts"]) or config()["nodes"])]


def location_of(names):
    """As qstat-running-3nodes has it: c[1-2],c4."""
    runs = []
    for number in sorted(int(name[1:]) for name in names):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"c{first}" if first == last else f"c[{first}-{last}]" for first, last in runs)


def manager(component="queue-manager"):
    while (STATE / "hung").exists():
        time.sleep(0.1)
    if (STATE / "down").exists():
        fail(f"component error: Failed to connect to {component}: Proxy.py     :L#422:cn:{component}\n")


def log(job, text):
    with open(f"{job['prefix']}.cobaltlog", "a") as file:
        file.write(f"{time.strftime('%a %b %d %H:%M:%S %Y', time.gmtime())} +0000 (UTC) {text}\n")


def parse(words):
    try:
        found, rest = getopt.getopt(words, SHORT, LONG)
    except getopt.GetoptError as problem:
        fail(f"{USAGE}qsub.py: error: no such option: {'--' if len(problem.opt) > 1 else '-'}{problem.opt}", 2)
    options = {SAME.get(option, option): value for option, value in found}
    # Several are united (qsub(1)).
    if "--env" in options:
        options["--env"] = ":".join(value for option, value in found if option == "--env")
    return options, rest


def variables(text):
    """As client_utils.py takes it apart (cb_env); recorded: qsub-odd-env-colon, qsub-bad-env, env-with-env."""
    text = text.replace("\\:", "\0").replace("\\=", "\1")
    pairs = [item.split("=", 1) for item in re.split(r":(?=\w+\b=)", text)]
    for pair in pairs:
        if len(pair) != 2:
            fail(f"Improperly formatted argument to env : {pair}")
    return {name: value.replace("\0", ":").replace("\1", "=") for name, value in pairs}


def qsub(words):
    given, rest = parse(words)
    options = {}
    if rest and os.path.isfile(rest[0]):
        for line in pathlib.Path(rest[0]).read_text().split("\n")[1:]:
            if not line.startswith("#COBALT "):
                break
            more = parse(line[8:].split())[0]
            options.update(more, **({"--env": f"{options['--env']}:{more['--env']}"} if "--env" in options and "--env" in more else {}))
    options.update(given, **({"--env": f"{options['--env']}:{given['--env']}"} if "--env" in options and "--env" in given else {}))
    if not options:
        fail(USAGE + "No required options provided\n")
    if "--time" not in options:
        fail("'time' not provided")
    if "--nodecount" not in options:
        fail("'nodecount' not provided")
    if not rest:
        fail("No executable or script specified")
    script = os.path.join(options.get("--cwd", os.getcwd()), rest[0])
    if not os.path.isfile(script):
        fail(f"command {script} not found, or is not a file")
    if not os.access(script, os.X_OK):
        fail(f"command {script} is not executable")
    if not options["--time"].isdigit():
        fail(f"invalid time specification: illegal value '{options['--time']}' for minutes")
    if not 0 < int(options["--nodecount"]) <= len(nodes()):
        fail("node count out of realistic range")
    environment = variables(options["--env"]) if "--env" in options else {}
    if options.get("--mode", "script") not in ("script", "co", "vn", "interactive"):
        fail(f"Specifed mode '{options['--mode']}' not valid, valid modes are\nco\nvn\nscript\ninteractive\n")
    # Not recorded: what a filter wrote, and what qsub says of it in Cobalt's sources (processfilter).
    if config()["accounts"] is not None and options.get("--project") not in config()["accounts"]:
        fail(f"No active allocation found for project {options.get('--project')}\nFilter /etc/cobalt/allocation_filter failed")
    manager("system")
    noise = "No handlers could be found for logger \"Proxy\"\n"
    if int(options["--time"]) < 5:
        fail(noise + "component error: XMLRPC failure <Fault 1004: 'Walltime less than minimum'> in system.validate_job\n\n")
    if options.get("--queue", "default") not in config()["queues"]:
        fail(noise + f"<Fault 1001: \"trying to add job to non-existent queue '{options['--queue']}'\">")
    with Jobs() as all_jobs:
        number = max([*all_jobs.jobs, 16]) + 1
        prefix = options.get("--outputprefix", str(number))
        job = {"state": "user_hold" if "--held" in options else "queued", "name": options.get("--jobname", os.path.basename(prefix) if "--outputprefix" in options else "N/A"), "nodes": int(options["--nodecount"]),
               "minutes": int(options["--time"]), "script": script, "cwd": options.get("--cwd", os.getcwd()), "prefix": os.path.join(options.get("--cwd", os.getcwd()), prefix), "on": [], "location": "None",
               "preemptable": "--preemptable" in options, "env": environment}
        all_jobs.jobs[number] = job
        all_jobs.write(number)
    with open(f"{job['prefix']}.cobaltlog", "w") as file:
        file.write(f"Jobid: {number}\nqsub {' '.join(words)}\n")
    log(job, f"submitted with cwd set to: {job['cwd']}")
    if job["state"] == "queued":
        import subprocess  # not at every start
        subprocess.Popen([ME.parent / "qsub", "--run", str(number)], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(STATE / "errors", "a"), cwd="/")
    print(number)


def change(number, **what):
    with Jobs() as all_jobs:
        if all_jobs.jobs[number]["state"] not in ("killing", "preempting") or what["state"] in ("gone", "preempted"):
            all_jobs.jobs[number].update(what)
            all_jobs.write(number)
        return all_jobs.jobs[number]


def kill(nodefile):
    """Ends everything of a job at once, as a node that dies does."""
    for process in pathlib.Path("/proc").iterdir():
        try:
            if process.name.isdigit() and f"COBALT_NODEFILE={nodefile}".encode() in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            pass


def comes_later(number, jobs, free):
    """Whether one that was submitted before is next, which has room."""
    return any(earlier < number and job["state"] == "queued" and job["nodes"] <= free for earlier, job in jobs.items())


def place(number):
    """Waits for nodes. None: the job was deleted before."""
    while True:
        with Jobs() as all_jobs:
            job = all_jobs.jobs[number]
            if job["state"] == "gone":
                return None
            taken = {node for other in all_jobs.jobs.values() if other["state"] in ("starting", "running", "killing", "preempting", "exiting") for node in other["on"]}
            free = [node for node in nodes() if node not in taken | lost()]
            # One that was preempted has a score of 0: whoever waits goes first.
            is_last = job["state"] == "preempted" and any(other["state"] == "queued" for other in all_jobs.jobs.values())
            if job["nodes"] <= len(free) and not is_last and not comes_later(number, all_jobs.jobs, len(free)):
                job.update(state="starting", on=free[:job["nodes"]], location=location_of(free[:job["nodes"]]))
                all_jobs.write(number)
                return job
        time.sleep(0.05)


def execute(number, job):
    """One run of a job. Gives the state that it is in afterwards."""
    time.sleep(0.1)
    job = change(number, state="running")
    nodefile = STATE / "jobs" / f"{number}.nodes"
    names = [config()["hosts"][nodes().index(node)] if config()["hosts"] else node for node in job["on"]]
    # The heading as in nodefile-3nodes.
    nodefile.write_text(f"{nodefile}:\n" + "".join(f"{name}\n" for name in names))
    now = int(time.time())
    first = ",".join(node[1:] for node in job["on"]) if config()["alps"] else names[0] if config()["hosts"] else socket.gethostname()
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games", **job["env"], "HOME": os.environ.get("HOME", "/"), "LOGNAME": USER, "USER": USER, "SHELL": "/bin/bash",
                   **({} if config()["alps"] else {"COBALT_NODEFILE": str(nodefile)}), "COBALT_JOBID": str(number), "COBALT_PARTNAME": first, "COBALT_PARTSIZE": str(job["nodes"]),
                   "COBALT_JOBSIZE": str(job["nodes"]), "COBALT_STARTTIME": str(now), "COBALT_ENDTIME": str(now + int(config()["told_per_minute"] * job["minutes"]))}
    with open(f"{job['prefix']}.output", "wb") as output, open(f"{job['prefix']}.error", "wb") as errors:
        import subprocess  # not at every start
        script = subprocess.Popen([job["script"]], cwd=job["cwd"], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True)
    log(job, f"Info: stdout sent to {job['prefix']}.output")
    begun, asked = time.monotonic(), None
    while script.poll() is None:
        with Jobs() as all_jobs:
            wanted = all_jobs.jobs[number]["state"] in ("killing", "preempting")
        if job["on"][0] in lost():
            kill(nodefile)
        if asked is None and not wanted and time.monotonic() - begun > job["minutes"] * config()["seconds_per_minute"]:
            log(job, "Info: maximum execution time exceeded; initiating job termination")
            wanted = True
        if asked is None and wanted:
            asked = time.monotonic()
            os.killpg(script.pid, signal.SIGTERM)
        elif asked is not None and time.monotonic() - asked > 6:
            os.killpg(script.pid, signal.SIGKILL)
        time.sleep(0.05)
    try:
        os.killpg(script.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    if asked is None:
        code = script.returncode if script.returncode >= 0 else 128 - script.returncode
        change(number, state="exiting")
        log(job, f"Info: task completed normally with an exit code of {code}; initiating job cleanup and removal")
    time.sleep(0.1)
    with Jobs() as all_jobs:
        preempted = all_jobs.jobs[number]["state"] == "preempting"
    if preempted:
        log(job, "Info: job successfully preempted")
    return change(number, **({"state": "preempted", "on": [], "location": "None"} if preempted else {"state": "gone"}))["state"]


def run(number):
    """One job, which may run several times under its id."""
    while (job := place(number)) is not None and execute(number, job) == "preempted":
        pass


def table(columns, rows, title=""):
    widths = [max(len(column), *(len(row[index]) for row in rows)) if rows else len(column) for index, column in enumerate(columns)]
    if title:
        print(title)
    print("".join(f"{column:<{width}}  " for column, width in zip(columns, widths)))
    print("=" * (sum(widths) + 2 * len(widths) - 2))
    for row in rows:
        print("".join((f"{cell:>{width}}  " if column == "JobID" and not title else f"{cell:<{width}}  ") for column, cell, width in zip(columns, row, widths)))


def qstat(words):
    try:
        options, ids = getopt.getopt(words, "dfhlQu:v", ["debug", "full", "help", "long", "sort=", "header=", "user=", "version"])
    except getopt.GetoptError as problem:
        fail(f"Usage: qstat.py [options] [jobid...]\n\nqstat.py: error: no such option: {problem.opt}", 2)
    options = dict(options)
    if any(not text.isdigit() for text in ids):
        fail(f"{next(text for text in ids if not text.isdigit())} is not a valid jobid or queue name")
    manager()
    header = options.get("--header", "JobID:User:WallTime:Nodes:State:Location").split(":")
    with Jobs() as all_jobs:
        shown = [(number, job) for number, job in sorted(all_jobs.jobs.items()) if job["state"] != "gone" and (not ids or str(number) in ids)]
    if ids and not shown:
        sys.exit(1)
    values = {"JobID": lambda number, _: str(number), "JobName": lambda _, job: job["name"], "User": lambda *_: USER, "WallTime": lambda _, job: f"{job['minutes'] // 60:02}:{job['minutes'] % 60:02}:00",
              "Nodes": lambda _, job: str(job["nodes"]), "State": lambda _, job: job["state"], "Location": lambda _, job: job["location"]}
    table(header, [[values.get(column, lambda *_: "-")(number, job) for column in header] for number, job in shown])


def qdel(words):
    if not words:
        print("Usage: qdel.py [options] <jobid1> [ ... <jobidN>]\n")
        fail("No Jobid(s) given\n")
    for text in words:
        if not text.isdigit():
            fail(f"jobid must be an integer: {text}")
    manager()
    deleted = []
    with Jobs() as all_jobs:
        for number in map(int, words):
            job = all_jobs.jobs.get(number)
            if job is None or job["state"] == "gone":
                continue
            waiting = job["state"] in ("queued", "user_hold", "preempted")
            log(job, "Info: user delete requested; removing job from the queue" if waiting else f"Info: user delete requested with signal SIGTERM by user {USER}")
            job["state"] = "gone" if waiting else "killing"
            all_jobs.write(number)
            deleted.append([str(number), USER])
    if deleted:
        table(["JobID", "User"], deleted, "      Deleted Jobs")


def cqadm(words):
    """An operator's."""
    if len(words) < 2 or words[0] != "--preempt" or not all(text.isdigit() for text in words[1:]):
        fail("fake_cobalt: of cqadm only --preempt JOBID... is played", 2)
    manager()
    with Jobs() as all_jobs:
        for number in map(int, words[1:]):
            job = all_jobs.jobs[number]
            if not job["preemptable"]:
                fail(f"Only preemptable jobs may be preempted. ({number})")
            if job["state"] == "running":
                job["state"] = "preempting"
                all_jobs.write(number)


def aprun(words):
    options, rest = [], list(words)
    while rest and rest[0].startswith("-"):
        if rest[0] not in ("-n", "-N", "-d", "-j", "-cc", "-e", "-b", "-S", "-r"):
            fail(f"aprun: invalid option -- '{rest[0].lstrip('-')}'")
        options.append(rest.pop(0))
        if options[-1] != "-b":
            options.append(rest.pop(0))
    count = int(options[options.index("-n") + 1])
    import subprocess  # not at every start
    tasks = [subprocess.Popen(rest, env={**os.environ, "ALPS_APP_PE": str(node)}) for node in range(count)]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(max(abs(task.wait()) for task in tasks))


def main():
    play(run, {"qsub": qsub, "qstat": qstat, "qdel": qdel, "cqadm": cqadm, "aprun": aprun})
