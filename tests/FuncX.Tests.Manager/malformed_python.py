#!/usr/bin/python3
"""Stands in for the interpreter of workers: a zygote and workers that send malformed frames. Shares no code with the real ones.

The file `case` beside this script says what is wrong: `fuzz SEED`, or one name below, which goes wrong once and is right from then on. Owner bob always
gets the real interpreter, and so does everybody once there is a file `calm`."""
import array
import hashlib
import json
import mmap
import os
import random
import select
import socket
import struct
import sys
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
HELLO, FUNCTION, TASK, RESULT, SEGMENT, STATUS, DOORBELL, FORK, FORKED, EXITED = 1, 4, 7, 8, 9, 17, 19, 20, 21, 22
RING_BYTES = 4096 + 256 * 1024
FRAMES_OF_A_BURST = 12


def path(name):
    return os.path.join(FOLDER, name)


def note(name, data=b"."):
    """Appends; the result is how long the file is then."""
    descriptor = os.open(path(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, data)
    length = os.fstat(descriptor).st_size
    os.close(descriptor)
    return length


def frame(kind, body=b"", flags=0, task=bytes(22), ticket=0, function=0):
    return struct.pack("<IBB22sIiiiIIBBHq", 64 + len(body), kind, flags, task, function, 0, 0, 0, 0, ticket, 0, 0, 0, 0) + body


def hello(role):
    return frame(HELLO, json.dumps({"role": role, "version": "0.1.0", "protocol_minimum": 1, "protocol_maximum": 1, "pid": os.getpid(), "window": 1, "ring": True}).encode())


def answer(task, value=b"7"):
    """The right answer to a task's frame."""
    head, function, middle = task[6:28], task[28:32], task[32:52]
    now = time.time_ns() // 1000
    prefix = struct.pack("<BBhIIIqqqqqq", 1, 1, 0, 0, 0, 0, 0, 0, 0, now, now, 0)
    return struct.pack("<IBB", 128 + len(value), RESULT, 0) + head + function + middle + bytes([1]) + bytes(11) + prefix + value


def read_frame(sock):
    data = b""
    while len(data) < 64:
        piece = sock.recv(64 - len(data))
        if not piece:
            os._exit(0)
        data += piece
    length = struct.unpack_from("<I", data)[0]
    while len(data) < length:
        piece = sock.recv(length - len(data))
        if not piece:
            os._exit(0)
        data += piece
    return data


def read_task(sock):
    while True:
        found = read_frame(sock)
        if found[4] == TASK:
            return found


def put_in_ring(ring, sock, data):
    ring[4096:4096 + len(data)] = data
    ring[8:16] = struct.pack("<Q", 1)
    ring[0:8] = struct.pack("<Q", len(data))
    sock.sendall(frame(DOORBELL))


def flagged(data, flags):
    return data[:5] + bytes([flags]) + data[6:]


# What a worker does wrong, by name.
def short_segmented(sock, ring, task):
    sock.sendall(frame(RESULT, b"abc", 1, task[6:28]))


def segmented_in_ring(sock, ring, task):
    put_in_ring(ring, sock, flagged(answer(task, bytes(100)), 1))


def segmented_that_is_short(sock, ring, task):
    sock.sendall(flagged(answer(task, bytes(100)), 1))


def segment_of_another(sock, ring, task):
    whole = answer(task, bytes(300_000))
    sock.sendall(struct.pack("<I", 64 + 262_144) + flagged(whole, 1)[4:64] + struct.pack("<Q", len(whole) - 64) + whole[64:64 + 262_136])
    sock.sendall(frame(SEGMENT, whole[64 + 262_136:], 2, bytes(22)))


def other_attempt(sock, ring, task):
    put_in_ring(ring, sock, answer(task)[:6] + struct.pack("<H", 77) + answer(task)[8:])


def wild_time(sock, ring, task):
    put_in_ring(ring, sock, answer(task)[:104] + struct.pack("<q", -5) + answer(task)[112:])


def unknown_content(sock, ring, task):
    put_in_ring(ring, sock, answer(task)[:65] + bytes([200]) + answer(task)[66:])


def ring_that_only_wraps(sock, ring, task):
    ring[8:16] = struct.pack("<Q", 1)
    ring[0:8] = struct.pack("<Q", 256 * 1024)
    sock.sendall(frame(DOORBELL))


def ring_cut_off(sock, ring, task):
    try:
        os.ftruncate(RING[0], 0)
    except PermissionError:
        pass
    sock.sendall(frame(DOORBELL) + frame(0))


def hello_again(sock, ring, task):
    sock.sendall(hello("worker").replace(b', "ring": true', b"              "))


# The descriptor of the worker's ring.
RING = []

WORKER_CASES = {found.__name__: found for found in (
    short_segmented, segmented_in_ring, segmented_that_is_short, segment_of_another, other_attempt, wild_time, unknown_content, ring_that_only_wraps, ring_cut_off,
    hello_again)}

HELLO_BODIES = [b"null", b"[]", b"7", b"{", b"", b'{"protocol_minimum": null}', b'{"protocol_minimum": 1e99}', b'{"role": "\xff\xfe"}', b"[" * 5000, b'{"window": "many"}']


def mutate(rng, data):
    """One malformed frame, or bytes that are no frame, made of a right answer."""
    data = bytearray(data)
    kind = rng.randrange(11)
    if kind == 0:
        for _ in range(rng.randrange(1, 9)):
            data[rng.randrange(min(128, len(data)))] = rng.randrange(256)
    elif kind == 1:
        data[0:4] = struct.pack("<I", rng.choice([0, 1, 63, 64, 65, 127, 128, 262_208, 262_209, 2 ** 31, 2 ** 32 - 1, rng.randrange(2 ** 20)]))
    elif kind == 2:
        data[4] = rng.randrange(256)
    elif kind == 3:
        data[5] = rng.randrange(1, 256)
    elif kind == 4:
        data = bytearray(frame(RESULT, rng.randbytes(rng.randrange(80)), 1, bytes(data[6:28])))
    elif kind == 5:
        whole = rng.choice([0, 1, 262_143, 262_145, 2 ** 31, 2 ** 40, 2 ** 63, 2 ** 64 - 1])
        data = bytearray(frame(RESULT, struct.pack("<Q", whole) + rng.randbytes(rng.choice([0, 64, 262_136])), 1, bytes(data[6:28])))
    elif kind == 6:
        data[68:76] = rng.randbytes(8)
    elif kind == 7:
        data[64] = rng.randrange(256)
    elif kind == 8:
        data = bytearray(frame(rng.randrange(24), rng.choice(HELLO_BODIES)))
    elif kind == 9:
        data = bytearray(frame(SEGMENT, rng.randbytes(rng.randrange(200)), rng.randrange(4), bytes(data[6:28])))
    else:
        data = bytearray(rng.randbytes(rng.randrange(1, 300)))
    return bytes(data)


def fuzz_worker(rng, sock, ring, task):
    if rng.random() < 0.2:
        sock.sendall(answer(task))
        task = read_task(sock)
    right = answer(task, rng.randbytes(rng.choice([0, 10, 1000])))
    ring[8:16] = struct.pack("<Q", 1)
    note("sent", b"." * FRAMES_OF_A_BURST)
    if rng.random() < 0.4:
        data = b"".join(mutate(rng, right) for _ in range(FRAMES_OF_A_BURST))[:200 * 1024]
        put_in_ring(ring, sock, data)
        if rng.random() < 0.3:
            at = rng.choice([0, 8, 16])
            ring[at:at + 8] = struct.pack("<Q", rng.choice([0, 1, 2 ** 18, 2 ** 18 + 1, 2 ** 63, 2 ** 64 - 1]))
            sock.sendall(frame(DOORBELL))
    else:
        for _ in range(FRAMES_OF_A_BURST):
            sock.sendall(mutate(rng, right))
    # Not every mutation is fatal: then the task is lost with the process.
    select.select([sock], [], [], 0.05)
    os._exit(3)


def worker(case, rng, sock, ring, real):
    """In the child."""
    os.setsid()
    misbehaves = case == "fuzz" or (not case.startswith("zygote") and not os.path.exists(path("done")))
    if misbehaves and case == "worker_says_null":
        note("done")
        sock.sendall(frame(HELLO, b"null"))
        read_task(sock)
    if misbehaves and case == "fuzz" and rng.random() < 0.05:
        note("sent")
        sock.sendall(frame(HELLO, rng.choice(HELLO_BODIES)))
    elif misbehaves:
        sock.sendall(hello("worker"))
    if not misbehaves:
        os.dup2(sock.fileno(), 0)
        os.set_inheritable(ring, True)
        os.execv("/usr/bin/python3", ["/usr/bin/python3", real, "--worker", "--ring", str(ring)])
    task = read_task(sock)
    memory = mmap.mmap(ring, RING_BYTES)
    RING.append(ring)
    if case == "fuzz":
        fuzz_worker(rng, sock, memory, task)
    note("done")
    memory[8:16] = struct.pack("<Q", 1)
    WORKER_CASES[case](sock, memory, task)
    while True:
        read_frame(sock)


def fork(case, rng, zygote, request, real):
    ticket = struct.unpack_from("<I", request, 48)[0]
    ours, theirs = socket.socketpair()
    ring = os.memfd_create("ring", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(ring, RING_BYTES)
    out, err = os.pipe(), os.pipe()
    seed = rng.randrange(2 ** 63)
    pid = os.fork()
    if pid == 0:
        zygote.close()
        ours.close()
        os.dup2(out[1], 1)
        os.dup2(err[1], 2)
        worker(case, random.Random(seed), theirs, ring, real)
    body = json.dumps({"pid": pid, "slot": 0}).encode()
    descriptors = [ours.fileno(), ring, out[0], err[0]]
    zygote.sendmsg([frame(FORKED, body, ticket=ticket)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))])
    for descriptor in (ring, *out, *err):
        os.close(descriptor)
    ours.close()
    theirs.close()


def fuzz_zygote(rng, zygote):
    """Malformed frames of a zygote, with and without descriptors."""
    note("sent")
    kind = rng.randrange(5)
    body = rng.choice(HELLO_BODIES + [b'{"pid": 1}', b'{"pid": -1}', b'{"pid": 0}', b'{"pid": 999999999}'])
    if kind == 0:
        zygote.sendall(frame(rng.choice([HELLO, FORKED, EXITED, 3, 17]), body))
    elif kind == 1:
        descriptors = [os.open(rng.choice(["/dev/null", "/proc/self/exe", FOLDER]), os.O_RDONLY) for _ in range(rng.randrange(1, 9))]
        zygote.sendmsg([frame(FORKED, body)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))])
    elif kind == 2:
        zygote.sendall(mutate(rng, frame(FORKED, b'{"pid": 999999999, "slot": 0}' + bytes(64))))
    elif kind == 3:
        zygote.sendall(frame(FORKED, bytes(200_000)))
    else:
        zygote.sendall(rng.randbytes(3000))
    select.select([zygote], [], [], 0.05)
    os._exit(3)


def main():
    case, _, seed = open(path("case")).read().partition(" ")
    real = sys.argv[1]
    bob = os.path.basename(os.getcwd()) == hashlib.sha256(b"bob").hexdigest()[:16]
    if bob or os.path.exists(path("calm")):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv[1:]])
    number = note("zygotes")
    rng = random.Random(int(seed or 0) * 100_003 + number)
    zygote = socket.socket(fileno=os.dup(0))
    if case == "zygote_says_null" and number == 1:
        zygote.sendall(frame(HELLO, b"null"))
        zygote.recv(1)
        os._exit(0)
    zygote.sendall(hello("zygote"))
    read_frame(zygote)
    if case == "zygote_tells_at_length" and number == 1:
        # JSON may write each of them in six bytes.
        zygote.sendall(frame(STATUS, json.dumps({"note": "<" * 60_000}).encode()))
    if case == "zygote_names_pid_1" and number == 1:
        read_frame(zygote)
        ends = socket.socketpair()
        ring = os.memfd_create("ring", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(ring, RING_BYTES)
        out, err = os.pipe(), os.pipe()
        zygote.sendmsg([frame(FORKED, b'{"pid": 1}')], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [ends[0].fileno(), ring, out[0], err[0]]))])
        zygote.recv(1)
        os._exit(0)
    # Every other one is right itself for a while: three in a row that make no worker would have the pool wait.
    forks_left = 0 if number % 2 else rng.randrange(20, 60)
    while True:
        if case == "fuzz" and forks_left == 0:
            if number % 2:
                read_frame(zygote)
            fuzz_zygote(rng, zygote)
        ready = select.select([zygote], [], [], 0.002)[0]
        if ready:
            if os.path.exists(path("calm")):
                os._exit(0)
            fork(case, rng, zygote, read_frame(zygote), real)
            forks_left -= 1
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            zygote.sendall(frame(EXITED, json.dumps({"pid": pid, "code": os.waitstatus_to_exitcode(status)}).encode()))


try:
    main()
except (BrokenPipeError, ConnectionResetError):
    os._exit(0)
