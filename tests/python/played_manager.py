"""Plays the manager towards a zygote and its workers: what protocol/README.md says, from the other side, sharing no code with the worker."""
import array
import json
import mmap
import os
import select
import socket
import struct
import subprocess
import sys
import time

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "endpoint", "workers", "python", "worker.py")

HELLO, WELCOME, REFUSED, FUNCTION, TASK, RESULT, SEGMENT, CANCEL = 1, 2, 3, 4, 7, 8, 9, 10
STATUS, DRAIN, DOORBELL, FORK, FORKED, EXITED = 17, 18, 19, 20, 21, 22
SEGMENTED, LAST, SYNC = 1, 2, 4
JSON, PICKLE, OCTETS = 1, 2, 3
MAX_BODY = 262144

# length kind flags attempt epoch task-id function container owner destination walltime ticket content priority reserved deadline
HEADER = struct.Struct("<IBBHI16sIIIIIIBBHq")
PREFIX = struct.Struct("<BBhIIIqqqqqq")


def now():
    return time.time_ns() // 1000


def frame(kind, body=b"", flags=0, attempt=0, epoch=0, task_id=bytes(16), function=0, container=0, owner=0, walltime=0, ticket=0, content=0,
          deadline=0):
    return HEADER.pack(64 + len(body), kind, flags, attempt, epoch, task_id, function, container, owner, 0, walltime, ticket, content, 0, 0,
                       deadline) + body


def frames_of(kind, body, flags=0, **header):
    """One frame, or a segmented one and its segments."""
    if len(body) <= MAX_BODY:
        return [frame(kind, body, flags, **header)]
    first = MAX_BODY - 8
    frames = [frame(kind, struct.pack("<Q", len(body)) + body[:first], flags | SEGMENTED, **header)]
    for start in range(first, len(body), MAX_BODY):
        piece = body[start:start + MAX_BODY]
        frames.append(frame(SEGMENT, piece, LAST if start + MAX_BODY >= len(body) else 0, **header))
    return frames


def task_id(number):
    return struct.pack("<QII", 0x1122334455667788, 99, number)


class Frame:
    def __init__(self, header, body):
        (self.length, self.kind, self.flags, self.attempt, self.epoch, self.task_id, self.function, self.container, self.owner, _, _,
         self.ticket, self.content, _, _, _) = header
        self.body = body

    @property
    def index(self):
        return struct.unpack_from("<I", self.task_id, 12)[0]

    @property
    def json(self):
        return json.loads(self.body)


class Result:
    def __init__(self, header_frame, body):
        self.frame = header_frame
        self.index = header_frame.index
        self.ticket = header_frame.ticket
        (self.outcome, self.content, self.code, out, err, self.reserved, *times) = PREFIX.unpack_from(body)
        self.started, self.ended = times[3], times[4]
        self.other_times = times[:3] + times[5:]
        value_end = len(body) - out - err
        self.value_bytes = bytes(body[64:value_end])
        self.stdout = bytes(body[value_end:value_end + out]).decode("utf-8", "replace")
        self.stderr = bytes(body[value_end + out:]).decode("utf-8", "replace")

    @property
    def value(self):
        return json.loads(self.value_bytes)


class Stream:
    """Frames of one socket."""

    def __init__(self, sock):
        self.sock = sock
        self.data = bytearray()
        self.closed = False

    def receive(self):
        data = self.sock.recv(1 << 20)
        if not data:
            self.closed = True
        self.data += data

    def take(self):
        frames, at = [], 0
        while len(self.data) - at >= 64:
            header = HEADER.unpack_from(self.data, at)
            if len(self.data) - at < header[0]:
                break
            frames.append(Frame(header, bytes(self.data[at + 64:at + header[0]])))
            at += header[0]
        del self.data[:at]
        return frames

    def next(self, timeout=10):
        """Waits for frames; an empty list at end of file."""
        deadline = time.monotonic() + timeout
        while True:
            frames = self.take()
            if frames or self.closed:
                return frames
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise TimeoutError("no frame within %s s" % timeout)
            self.receive()


class Worker:
    """The manager's side of one worker."""

    def __init__(self, sock, ring=None, stdout=None, stderr=None, pid=None, welcome=None, forked=None):
        self.stream = Stream(sock)
        self.sock = sock
        self.pid, self.stdout, self.stderr, self.forked = pid, stdout, stderr, forked
        self.ring = mmap.mmap(ring, 0) if ring is not None else None
        if ring is not None:
            os.close(ring)
            self.size = len(self.ring) - 4096
            # Struct.pack_into fills with zeros first; the worker must never see those.
            self.numbers = memoryview(self.ring)[:176].cast("Q")
        self.read = 0
        self.doorbells = 0
        self.sent = self.skips = 0
        self.hello, = [f.json for f in self.stream.next()]
        self.segments = {}
        sock.sendall(frame(WELCOME, json.dumps(dict({"version": "0.1.0", "protocol": 1}, **(welcome or {}))).encode()))

    def define(self, number, source, entry="f", name="f", kind="python", identity=None):
        body = json.dumps({"id": identity or "%064x" % (number << 200), "kind": kind, "name": name, "entry": entry, "source": source}).encode()
        for piece in frames_of(FUNCTION, body, function=number):
            self.sock.sendall(piece)

    def task(self, arguments, function=1, content=JSON, **header):
        """The frames of the next task; they are numbered in the order in which they are made."""
        body = arguments if isinstance(arguments, bytes) else json.dumps(arguments).encode()
        number = self.sent
        self.sent += 1
        header.setdefault("task_id", task_id(number))
        header.setdefault("ticket", number + 1000)
        return b"".join(frames_of(TASK, body, function=function, content=content, attempt=1, epoch=7, owner=3, **header))

    def submit(self, arguments, **header):
        self.sock.sendall(self.task(arguments, **header))

    def counters(self):
        return self.numbers[0], self.numbers[1]

    def from_ring(self):
        """Results that stand in the ring now."""
        results = []
        written = self.counters()[0]
        while self.read < written:
            at = self.read % self.size
            length = struct.unpack_from("<I", self.ring, 4096 + at)[0] if self.size - at >= 4 else 0
            if length == 0:
                self.read += self.size - at
                continue
            data = self.ring[4096 + at:4096 + at + length]
            results.append(self._result(Frame(HEADER.unpack_from(data), data[64:])))
            self.read += length
        if results:
            self.numbers[8] = self.read
        return results

    def _result(self, whole):
        return Result(whole, whole.body)

    def from_socket(self, frames):
        results = []
        for f in frames:
            key = f.task_id, f.function
            if f.kind == DOORBELL:
                self.doorbells += 1
            elif f.kind == RESULT and f.flags & SEGMENTED:
                self.segments[key] = (f, struct.unpack_from("<Q", f.body)[0], bytearray(f.body[8:]))
            elif f.kind == RESULT:
                results.append(self._result(f))
            elif f.kind == SEGMENT:
                head, length, data = self.segments[key]
                data += f.body
                if f.flags & LAST:
                    assert len(data) == length, (len(data), length)
                    del self.segments[key]
                    results.append(Result(head, bytes(data)))
            else:
                raise AssertionError("frame kind %d from a worker" % f.kind)
        return results

    def results(self, count, timeout=20):
        """Waits for so many results, as a manager does: by doorbells only."""
        found = []
        while len(found) < count:
            frames = self.stream.next(timeout)
            if not frames:
                raise EOFError("worker closed after %d of %d results" % (len(found), count))
            found += self.from_socket(frames)
            if self.ring is not None and any(f.kind == DOORBELL for f in frames):
                found += self.from_ring()
        return found

    def call(self, arguments, **header):
        self.submit(arguments, **header)
        result, = self.results(1)
        return result

    def skip(self, skip_from, skip_to):
        """Takes tasks back; returns the number from which on they are the manager's own."""
        self.skips += 1
        self.numbers[18 + self.skips % 2 * 2] = skip_from
        self.numbers[19 + self.skips % 2 * 2] = skip_to
        self.numbers[17] = self.skips
        self.ring[128] = 1
        os.sched_yield()
        return self.counters()[1]

    def forgotten(self):
        return self.numbers[2]

    def output(self):
        """What stands in the pipes."""
        texts = []
        for pipe in (self.stdout, self.stderr):
            os.set_blocking(pipe, False)
            try:
                texts.append(os.read(pipe, 1 << 20).decode())
            except BlockingIOError:
                texts.append("")
        return texts

    def close(self):
        self.sock.close()
        for pipe in (self.stdout, self.stderr):
            if pipe is not None:
                os.close(pipe)
        if self.ring is not None:
            self.numbers.release()
            self.ring.close()


class Zygote:
    def __init__(self, preload=(), python=sys.executable, environment=None):
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen([python, WORKER, "--zygote"], stdin=theirs, stderr=subprocess.PIPE, env=environment)
        theirs.close()
        self.sock = ours
        self.stream = Stream(ours)
        self.descriptors = []
        self.hello = self.next(HELLO).json
        ours.sendall(frame(WELCOME, json.dumps({"version": "0.1.0", "protocol": 1, "preload": list(preload)}).encode()))
        self.notes = []
        self.exits = {}
        self.tickets = 0

    def next(self, kind, timeout=10):
        """Waits for a frame of this kind; keeps notes and exits for later."""
        deadline = time.monotonic() + timeout
        while True:
            header = self._exactly(64, deadline)
            fields = HEADER.unpack(header)
            found = Frame(fields, self._exactly(fields[0] - 64, deadline))
            if found.kind == STATUS:
                self.notes.append(found.json["note"])
            if found.kind == EXITED:
                self.exits[found.json["pid"]] = found.json["code"]
            if found.kind == kind:
                return found
            if found.kind not in (STATUS, EXITED):
                raise AssertionError("kind %d came, %d was due: %r" % (found.kind, kind, found.body))

    def _exactly(self, count, deadline):
        data = b""
        while len(data) < count:
            if not select.select([self.sock], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the zygote said nothing")
            piece, ancillary, _, _ = self.sock.recvmsg(count - len(data), socket.CMSG_SPACE(16))
            if not piece:
                raise EOFError("the zygote closed its socket")
            for level, kind, payload in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    numbers = array.array("i")
                    numbers.frombytes(payload)
                    self.descriptors.append(list(numbers))
            data += piece
        return data

    def request(self, slot=0):
        self.tickets += 1
        self.sock.sendall(frame(FORK, json.dumps({"slot": slot}).encode(), ticket=self.tickets))
        return self.tickets

    def forked(self, welcome=None):
        answer = self.next(FORKED)
        sock, ring, out, err = self.descriptors.pop(0)
        return Worker(socket.socket(fileno=sock), ring, out, err, answer.json["pid"], welcome, answer)

    def fork(self, slot=0, welcome=None):
        ticket = self.request(slot)
        worker = self.forked(welcome)
        assert worker.forked.ticket == ticket
        return worker

    def exit_code(self, pid, timeout=10):
        deadline = time.monotonic() + timeout
        while pid not in self.exits:
            self.next(EXITED, deadline - time.monotonic())
        return self.exits.pop(pid)

    def close(self):
        self.sock.close()
        try:
            self.process.wait(10)
        finally:
            self.process.stderr.close()
