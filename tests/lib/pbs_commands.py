"""A small PBS for tests: qsub, qstat, qdel, qrerun, qselect and pbsdsh are symbolic links to fake_pbs in DIRECTORY/bin; what it knows lies in DIRECTORY/state.

It really runs job scripts, one after the other on `nodes` pretended nodes of this host, answers as the recordings of OpenPBS 23.06 do (of several ids the JSON has the first one
only), and refuses options that are not in the manual pages. state/config.json: {"nodes": 4, "queues": ["workq"], "express": [], "preempt_order": "SCR", "accounts": null, "resources": [], "hosts": [], "seconds_per_minute": 60, "history": true};
hosts are the names in the node file, for launchers that have to reach them; accounts are those that a hook of the site lets submit, null for all, as a server does by itself
(recording qsub-odd-account); with fewer seconds per minute jobs are over their walltime sooner. Without history a job that has ended is
forgotten, and qstat -x refuses every id with words and exit code 0: not recorded, but what the sources of OpenPBS do (req_stat_job in req_stat.c, the end of qstat.c, prt_job_err.c). While state/down is there no server answers. The nodes that state/lost names are dead, and
so is every job that began on one of them; what becomes of a job that has one of them as a further node was not recorded and is not played. qrerun is an operator's: users are refused (qrerun-user).

A job of an express queue takes the nodes of running jobs of the others, the newest first. None of that was recorded; it is played after the sources of OpenPBS (req_preemptjob.c, pbs_preemption.py of its
tests) and the administrator's guide, Preemption. The methods of preempt_order are tried in turn: S stops every process and shows state S (qstat-full-s, which a client's signal made, with substate 43;
45 is the scheduler's, job.h) until the nodes are free again, and its walltime with it; C fails, since no host here has a checkpoint script; R is a rerun, refused by jobs with -r n; D is a deletion.
"""
import getopt
import json
import os
import pathlib
import re
import signal
import sys
import time

from scheduler_commands import ME, STATE, Jobs, configured, fail, lost, play

SERVER = "head"
USER = "user"
# Exit codes are PBS's error numbers modulo 256 (recorded; pbs_error.h).
UNKNOWN_JOB, FINISHED_JOB, NO_SERVER, BAD_STATE, NOT_RERUNNABLE, HOOK = 153, 35, 162, 168, 190, 32
QSUB_USAGE = """usage: qsub [-a date_time] [-A account_string] [-c interval]
\t[-C directive_prefix] [-e path] [-f ] [-h ] [-I [-X]] [-j oe|eo] [-J X-Y[:Z]]
\t[-k keep] [-l resource_list] [-m mail_options] [-M user_list]
\t[-N jobname] [-o path] [-p priority] [-P project] [-q queue] [-r y|n]
\t[-R o|e|oe] [-S path] [-u user_list] [-W otherattributes=value...]
\t[-v variable_list] [-V ] [-z] [script | -- command [arg1 ...]]
       qsub --version"""
QSUB_OPTIONS = "a:A:c:C:e:fhIXj:J:k:l:m:M:N:o:p:P:q:r:R:S:u:W:v:Vz"


def config():
    return configured({"nodes": 4, "queues": ["workq"], "express": [], "preempt_order": "SCR", "accounts": None, "resources": [], "hosts": [], "seconds_per_minute": 60, "history": True})


def nodes():
    return config()["hosts"] or [f"m{index + 1}" for index in range(config()["nodes"])]


def known(all_jobs, number):
    """The job, unless the server has forgotten it."""
    job = all_jobs.jobs.get(number)
    return job if job is None or job["state"] != "F" or config()["history"] else None


def server(command, code=NO_SERVER):
    if (STATE / "down").exists():
        fail(f"Connection refused\n{command}: cannot connect to server {SERVER} (errno=15010)", code)


def number_of(command, text):
    match = re.fullmatch(r"(\d+)(\.\w+)?", text)
    return int(match[1]) if match else fail(f"{command}: illegally formed job identifier: {text}", 1)


def seconds(text):
    if re.fullmatch(r"\d+(:\d+){0,2}", text) is None:
        fail("qsub: Illegal attribute or resource value Resource_List.walltime", 166)
    result = 0
    for part in text.split(":"):
        result = result * 60 + int(part)
    return result


def resources(job, text):
    for item in text.split(","):
        name, _, value = item.partition("=")
        if name == "walltime":
            job["walltime"] = seconds(value)
        elif name == "select":
            match = re.fullmatch(r"(\d+)((:[a-z_]+=[^:+]+)*)", value) or fail("qsub: Illegal attribute or resource value Resource_List.select", 166)
            job["nodes"], job["select"] = int(match[1]), value
        elif name == "place":
            if value.split(":")[0] not in ("scatter", "pack", "free", "vscatter", "excl", "shared", "exclhost"):
                fail("qsub: Illegal attribute or resource value Resource_List.place", 166)
            job["place"] = value
        elif name in config()["resources"]:
            job.setdefault("others", {})[name] = value
        else:
            fail(f"qsub: Unknown resource Resource_List.{name}", 187)


def variables(text):
    """As in qsub-odd-variables; without quotation marks, and so without commas in values."""
    pairs = [item.partition("=") for item in text.split(",")]
    if any(not equals and name not in os.environ for name, equals, _ in pairs):
        fail("qsub: cannot send environment with the job", 1)
    return {name: value if equals else os.environ[name] for name, equals, value in pairs}


def apply(job, options):
    for option, value in options:
        if option == "-N":
            if re.fullmatch(r"[A-Za-z][!-~]{0,229}", value) is None or set(value) & set("\"'\\;&$()`"):
                fail(f"qsub: illegal -N value\n{QSUB_USAGE}", 2)
            job["name"] = value
        elif option == "-l":
            resources(job, value)
        elif option == "-q":
            job["queue"] = value
        elif option == "-A":
            job["account"] = value
        elif option == "-o":
            job["output"] = value
        elif option == "-j":
            job["join"] = value
        elif option == "-S":
            job["shell"] = value
        elif option == "-r":
            if value not in ("y", "n"):
                fail(f"qsub: illegal -r value\n{QSUB_USAGE}", 2)
            job["rerunnable"] = value == "y"
        elif option == "-h":
            job["state"], job["hold"] = "H", "u"
        elif option == "-v":
            job["environment"] = {**job.get("environment", {}), **variables(value)}
        elif option == "-V":
            job["environment"] = {**os.environ, **job.get("environment", {})}


def qsub(arguments):
    try:
        options, rest = getopt.getopt(arguments, QSUB_OPTIONS)
    except getopt.GetoptError as problem:
        fail(f"qsub: invalid option -- '{problem.opt}'\n{QSUB_USAGE}", 2)
    if len(rest) != 1 or not os.path.isfile(rest[0]):
        fail("qsub: script file:: No such file or directory", 1)
    text = pathlib.Path(rest[0]).read_text()
    job = {"state": "Q", "substate": 10, "hold": "n", "nodes": 1, "select": "1:ncpus=1", "place": "free", "walltime": 3600, "queue": "workq", "name": os.path.basename(rest[0]), "join": "n", "rerunnable": True,
           "output": None, "shell": "/bin/bash", "comment": "", "run_count": 0, "cwd": os.getcwd(), "path": os.environ.get("PATH", ""), "submit": " ".join(arguments)}
    for line in text.split("\n"):
        if line.startswith("#PBS "):
            words = line[5:].split(" ")
            try:
                found, extra = getopt.getopt(words, QSUB_OPTIONS)
            except getopt.GetoptError:
                fail(f"qsub: directive error: {line[5:]} ", 1)
            if extra:
                fail(f"qsub: directive error: {line[5:]} ", 1)
            apply(job, found)
        elif line.strip() and not line.startswith("#"):
            break
    apply(job, options)
    server("qsub")
    if job["queue"] not in config()["queues"]:
        fail("qsub: Unknown queue", 170)
    # Not recorded: the text is the one that Argonne's machines are known for, "qsub: " before what their hook says.
    if config()["accounts"] is not None and job.get("account") not in config()["accounts"]:
        fail(f"qsub: Request rejected.  Reason: No active allocation found for project {job.get('account')} and resource {SERVER}.", HOOK)
    with Jobs() as all_jobs:
        number = max(all_jobs.jobs, default=31) + 1
        job["script"] = str(STATE / "jobs" / f"{number}.sh")
        pathlib.Path(job["script"]).write_text(text)
        all_jobs.jobs[number] = job
        all_jobs.write(number)
    if job["state"] == "Q":
        import subprocess  # not at every start
        subprocess.Popen([ME.parent / "qsub", "--run", str(number)], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(STATE / "errors", "a"), cwd="/")
    print(f"{number}.{SERVER}")


def make_room(all_jobs, missing):
    """Has running jobs of other queues give up their nodes; those that have been told to already count."""
    running = [(number, job) for number, job in sorted(all_jobs.jobs.items(), reverse=True) if job["state"] == "R" and job["queue"] not in config()["express"]]
    missing -= sum(job["nodes"] for _, job in running if "preempted" in job)
    for number, job in running:
        method = next((method for method in config()["preempt_order"] if method in "SD" or (method == "R" and job["rerunnable"])), None)
        if missing > 0 and method is not None and "preempted" not in job:
            job["preempted"] = method
            all_jobs.write(number)
            missing -= job["nodes"]


def comes_later(number, jobs, free):
    """Whether one that was submitted before is next, which has room."""
    return any(earlier < number and job["state"] == "Q" and job["nodes"] <= free for earlier, job in jobs.items())


def place(number):
    """Waits for nodes. None: the job was deleted before."""
    while True:
        with Jobs() as all_jobs:
            job = all_jobs.jobs[number]
            if job["state"] == "F":
                return None
            taken = {host for other in all_jobs.jobs.values() if other["state"] in "RE" for host in other["hosts"]}
            free = [host for host in nodes() if host not in taken | lost()]
            if job["nodes"] > len(nodes()):
                job["comment"] = "Can Never Run: Not enough total nodes available"
            elif job["nodes"] > len(free) or (job["queue"] not in config()["express"] and (express_waits(all_jobs) or comes_later(number, all_jobs.jobs, len(free)))):
                job["comment"] = "Not Running: Not enough free nodes available"
                if job["queue"] in config()["express"]:
                    make_room(all_jobs, job["nodes"] - len(free))
            else:
                hosts = free[:job["nodes"]]
                job.update(state="R", substate=42, run_count=job["run_count"] + 1, hosts=hosts, stime=time.ctime(),
                           comment=f"Job run at {time.strftime('%a %b %d at %H:%M')} on {'+'.join(f'({host}:ncpus=1)' for host in hosts)}")
                (STATE / "jobs" / f"{number}.nodes").write_text("".join(f"{host}\n" for host in hosts))
                all_jobs.write(number)
                return job
            all_jobs.write(number)
        time.sleep(0.05)


def send(number, what=signal.SIGKILL):
    """Signals everything of a job; without grace ends a node that dies, and a server that runs a job anew."""
    mark = f"PBS_NODEFILE={STATE / 'jobs' / f'{number}.nodes'}".encode()
    for process in pathlib.Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark in (process / "environ").read_bytes().split(b"\0"):
                os.kill(int(process.name), what)
        except OSError:
            pass


def express_waits(all_jobs):
    return any(job["state"] == "Q" and job["queue"] in config()["express"] for job in all_jobs.jobs.values())


def are_free(all_jobs, hosts):
    """Whether a job that was suspended may have its nodes back."""
    taken = {host for job in all_jobs.jobs.values() if job["state"] in "RE" for host in job["hosts"]}
    return not express_waits(all_jobs) and not taken & set(hosts)


def execute(number, job):
    """The mom of one run of a job. Gives why it ended and its exit code."""
    environment = {"ENVIRONMENT": "BATCH", "HOME": os.environ.get("HOME", "/"), "LOGNAME": USER, "USER": USER, "SHELL": "/bin/bash", "PATH": "/usr/local/bin:/usr/bin:/bin", **job.get("environment", {}), "PBS_ENVIRONMENT": "PBS_BATCH",
                   "PBS_JOBID": f"{number}.{SERVER}", "PBS_JOBNAME": job["name"], "PBS_NODEFILE": str(STATE / "jobs" / f"{number}.nodes"), "PBS_NODENUM": "0", "PBS_TASKNUM": "1",
                   "PBS_O_PATH": job["path"], "PBS_O_WORKDIR": job["cwd"], "PBS_QUEUE": job["queue"], "PBS_CONF_FILE": str(STATE / "pbs.conf"), "FAKE_PBS": str(number)}
    (STATE / "pbs.conf").write_text(f"PBS_EXEC='{ME.parent.parent}'\n")
    with open(STATE / "jobs" / f"{number}.out", "wb") as output:
        import subprocess  # not at every start
        script = subprocess.Popen([job["shell"], job["script"]], cwd=environment["HOME"], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    begun, asked, why = time.monotonic(), None, None
    while script.poll() is None:
        with Jobs() as all_jobs:
            now = all_jobs.jobs[number]
            method = now.get("preempted")
            if why is None and (now.get("deleted") or method == "D"):
                why = "deleted"
            elif why is None and (now.get("rerun") or method == "R"):
                why = "rerun"
            if method == "S" and now["state"] == "R" and why is None:
                send(number, signal.SIGSTOP)
                suspended = time.monotonic()
                now.update(state="S", substate=45)
                all_jobs.write(number)
            elif now["state"] == "S" and (why is not None or are_free(all_jobs, now["hosts"])):
                now.update(state="R", substate=42)
                del now["preempted"]
                all_jobs.write(number)
                begun += time.monotonic() - suspended
                send(number, signal.SIGCONT)
            if now["state"] == "S":
                begun += time.monotonic() - suspended
                suspended = time.monotonic()
        if why is None and time.monotonic() - begun > job["walltime"] * config()["seconds_per_minute"] / 60:
            why = "walltime"
        if job["hosts"][0] in lost():
            why = "lost"
        if why in ("lost", "rerun"):
            send(number)
        elif why is not None:
            if asked is None:
                asked = time.monotonic()
                os.killpg(script.pid, signal.SIGTERM)
            elif time.monotonic() - asked > 6:
                os.killpg(script.pid, signal.SIGKILL)
        time.sleep(0.05)
    try:
        os.killpg(script.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    if job["output"] not in (None, "/dev/null"):
        with open(job["output"], "ab") as kept:
            kept.write((STATE / "jobs" / f"{number}.out").read_bytes())
    return why, script.returncode if script.returncode >= 0 else 256 - script.returncode


def run(number):
    """The server and the scheduler of one job, which may run several times under its id."""
    while (job := place(number)) is not None:
        why, code = execute(number, job)
        with Jobs() as all_jobs:
            again = why == "rerun" or (why == "lost" and job["rerunnable"])
            if again and all_jobs.jobs[number].get("deleted"):
                again, why = False, "deleted"
            by = "root" if all_jobs.jobs[number].get("preempted") else USER
        substate, status, ending = (91, 271, f" and terminated by {by}@{SERVER}") if why == "deleted" else (93, -29, " and exceeded resource walltime") if why == "walltime" \
            else (93, -20, "") if why == "lost" else (92, 0, " and finished") if code == 0 else (93, code, " and failed")
        with Jobs() as all_jobs:
            job = all_jobs.jobs[number]
            if again:
                # As in qstat-full-q-node-loss-requeued: the end of the run that was lost stays with the job that waits. After a qrerun there is none (qstat-full-r-after-qrerun).
                job.update(state="Q", substate=10, **({"exit_status": status} if why == "lost" else {}))
                for name in ("hosts", "stime", "rerun", "preempted"):
                    job.pop(name, None)
            else:
                job.update(state="F", substate=substate, exit_status=status, comment=job["comment"] + ending)
            all_jobs.write(number)
            if job["state"] == "F":
                return


def attributes(number, job):
    yield "Job_Name", job["name"]
    yield "Job_Owner", f"{USER}@{SERVER}"
    yield "job_state", job["state"]
    yield "queue", job["queue"]
    yield "server", SERVER
    if "hosts" in job:
        yield "exec_host", "+".join(f"{host}/0" for host in job["hosts"])
    yield "Hold_Types", job["hold"]
    yield "Join_Path", job["join"]
    yield "Rerunable", str(job["rerunnable"])
    yield "Resource_List.nodect", job["nodes"]
    yield "Resource_List.place", job["place"]
    yield "Resource_List.select", job["select"]
    yield "Resource_List.walltime", time.strftime("%H:%M:%S", time.gmtime(job["walltime"]))
    yield "substate", job["substate"]
    yield "Variable_List", f"PBS_O_HOME=/home/user,PBS_O_LOGNAME={USER},PBS_O_QUEUE={job['queue']},PBS_O_HOST={SERVER}"
    if job["comment"]:
        yield "comment", job["comment"]
    if job["run_count"]:
        yield "run_count", job["run_count"]
    if "exit_status" in job:
        yield "Exit_status", job["exit_status"]
    yield "Submit_arguments", job["submit"]
    yield "project", "_pbs_project_default"


def text_of(number, job):
    lines = [f"Job Id: {number}.{SERVER}"]
    for name, value in attributes(number, job):
        line = f"    {name} = {value}"
        while len(line) > 79:
            lines.append(line[:79])
            line = "\t" + line[79:]
        lines.append(line)
    return "\n".join(lines) + "\n\n"


def qstat(arguments):
    try:
        options, ids = getopt.getopt(arguments, "fxtF:")
    except getopt.GetoptError as problem:
        fail(f"qstat: invalid option -- '{problem.opt}'\nusage: qstat [-f] [-J] [-p] [-t] [-x] [-E] [-F format] [-D delim] [ job_identifier... | destination... ]", 2)
    options = dict(options)
    json_wanted = options.get("-F") == "json"
    document = {"timestamp": int(time.time()), "pbs_version": "23.06.06", "pbs_server": SERVER}
    if (STATE / "down").exists():
        if json_wanted:
            print(json.dumps(document, indent="\t", separators=(",", ":\t")))
        server("qstat", 255)
    code, shown = 0, []
    with Jobs() as all_jobs:
        for number in [number_of("qstat", text) for text in ids] if ids else sorted(all_jobs.jobs):
            job = known(all_jobs, number)
            if "-x" in options and not config()["history"]:
                print(f"qstat: PBS is not configured to maintain job history {number}.{SERVER}", file=sys.stderr)
            elif job is None:
                print(f"qstat: Unknown Job Id {number}.{SERVER}", file=sys.stderr)
                code = UNKNOWN_JOB
            elif job["state"] == "F" and "-x" not in options:
                if ids:
                    print(f"qstat: {number}.{SERVER} Job has finished, use -x or -H to obtain historical job information", file=sys.stderr)
                    code = FINISHED_JOB
            else:
                shown.append((number, job))
    if "-f" not in options:
        fail("fake_pbs: plain qstat is not played", 2)
    if json_wanted:
        if shown:
            # As recorded: of several ids the first one's job alone.
            document["Jobs"] = {f"{number}.{SERVER}": dict(attributes(number, job)) for number, job in (shown[:1] if ids else shown)}
        print(json.dumps(document, indent="\t", separators=(",", ":\t")))
    else:
        sys.stdout.write("".join(text_of(number, job) for number, job in shown))
    sys.exit(code)


def qdel(arguments):
    if not arguments:
        fail("usage:\n\tqdel [-W force|suppress_email=X] [-x] job_identifier...\n\tqdel --version", 2)
    if len(arguments) > 1:
        fail("fake_pbs: several ids in one qdel were the end of a real server", 1)
    number = number_of("qdel", arguments[0])
    server("qdel")
    with Jobs() as all_jobs:
        job = known(all_jobs, number) or fail(f"qdel: Unknown Job Id {number}.{SERVER}", UNKNOWN_JOB)
        if job["state"] == "F":
            fail(f"qdel: Job has finished {number}.{SERVER}", FINISHED_JOB)
        if job["state"] in "QH":
            job.update(state="F", substate=91)
        job["deleted"] = True
        all_jobs.write(number)


def qrerun(arguments):
    if not arguments or arguments[0].startswith("-"):
        fail("usage:\n\tqrerun [-W force] job_identifier...\n\tqrerun --version", 2)
    server("qrerun")
    for number in [number_of("qrerun", text) for text in arguments]:
        with Jobs() as all_jobs:
            job = known(all_jobs, number) or fail(f"qrerun: Unknown Job Id {number}.{SERVER}", UNKNOWN_JOB)
            if job["state"] == "F":
                fail(f"qrerun: Job has finished {number}.{SERVER}", FINISHED_JOB)
            if job["state"] != "R":
                fail(f"qrerun: Request invalid for state of job {number}.{SERVER}", BAD_STATE)
            if not job["rerunnable"]:
                fail(f"qrerun: Job not rerunable {number}.{SERVER}", NOT_RERUNNABLE)
            job["rerun"] = True
            all_jobs.write(number)


def qselect(arguments):
    try:
        options = dict(getopt.getopt(arguments, "a:A:c:h:HJl:N:p:q:r:s:t:Tu:x")[0])
    except getopt.GetoptError as problem:
        fail(f"qselect: invalid option -- '{problem.opt}'", 2)
    server("qselect")
    with Jobs() as all_jobs:
        for number, job in sorted(all_jobs.jobs.items()):
            if job["state"] != "F" and options.get("-N", job["name"]) == job["name"]:
                print(f"{number}.{SERVER}")


def pbsdsh(arguments):
    options, words = getopt.getopt(arguments, "c:n:osv")
    if options or not words or "PBS_NODEFILE" not in os.environ:
        fail("usage: pbsdsh [-c copies][-o][-s][-v] -- program [program args]", 1)
    hosts = pathlib.Path(os.environ["PBS_NODEFILE"]).read_text().split()
    # The job's own environment, nothing of the script's.
    base = {name: value for name, value in os.environ.items() if name.startswith("PBS_") or name in ("HOME", "USER", "LOGNAME", "SHELL", "ENVIRONMENT", "FAKE_PBS")}
    import subprocess  # not at every start
    tasks = [subprocess.Popen(words, env={**base, "PATH": "/usr/local/bin:/usr/bin:/bin", "PBS_NODENUM": str(node), "PBS_TASKNUM": str(node + 2)}, cwd=base["HOME"]) for node in range(len(hosts))]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(max(abs(task.wait()) for task in tasks))


def main():
    play(run, {"qsub": qsub, "qstat": qstat, "qdel": qdel, "qrerun": qrerun, "qselect": qselect, "pbsdsh": pbsdsh})
