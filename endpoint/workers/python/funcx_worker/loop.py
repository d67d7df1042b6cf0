"""The worker's loop: tasks in, results out. Benchmark: perf/worker_bench.py."""
import faulthandler
import os
import socket
import time
from struct import Struct

from . import frames
from .failures import Refusal, describe, failure_body
from .frames import (CANCEL, CANCELLED, CONTAINER, DRAIN, EXCEPTION, EXIT_PROTOCOL, EXPIRED, FUNCTION, HEADER_BYTES, HEARTBEAT, JSON,
                     LENGTH, MAX_FRAME, OWNER, RESULT, RESULT_FORMAT, SEGMENT, SEGMENTED, SYNC, TASK, TASK_FORMAT, VALUE, ProtocolError)
from .functions import Functions, FunctionUnusable
from .inbox import ID, Inbox
from .output import DEFAULT_LIMIT, TaskOutput
from .results import RESULT_HEAD_BYTES, Results
from .ring import SKIP_OFFSET, STARTED, WRITTEN
from .surroundings import Surroundings
from .values import ArgumentsUnreadable, call_and_encode, call_with_object, parse_json_arguments, scan_json, to_json

WINDOW = 1024
INPUT_BYTES = 128 * 1024
LARGEST_INPUT_BYTES = 2 * MAX_FRAME
DEFAULT_BODY_LIMIT = 10 * 1024 ** 3

# Results whose value is shorter than this are packed with one call. Made before workers are forked: they share them.
SHORT_VALUE = 128
PACK_RESULT = [Struct(RESULT_FORMAT % length).pack_into for length in range(SHORT_VALUE)]

DOORBELL_MICROSECONDS = 1000
LONG_TASK_MICROSECONDS = 5000

_readers = {}


def reader_for(length):
    """unpack_from of a task frame of `length` bytes."""
    found = _readers.get(length)
    if found is None:
        found = Struct(TASK_FORMAT % (length - HEADER_BYTES)).unpack_from
        if length <= 1024:
            _readers[length] = found
    return found


def _nothing():
    pass


def _limit(welcome, name, default):
    value = welcome.get(name)
    if value is None:
        return default
    if type(value) is not int or value < 0:
        raise ProtocolError("%s in the welcome is %r; a number of bytes is due" % (name, value))
    return value


class Worker:
    """Runs the tasks of one socket until it closes. Never returns: the process ends with it."""

    def __init__(self, sock, ring, welcome, preload_failures=()):
        """`ring` is None for a worker that answers over its socket; `preload_failures` as preload() gives them."""
        self._sock = sock
        self._ring = ring
        self._functions = Functions()
        # Whoever has something to settle before the task's result is written puts itself in here.
        self._attention = []
        self._output = TaskOutput(_limit(welcome, "output_limit", DEFAULT_LIMIT), self._attention)
        self._result_limit = _limit(welcome, "result_limit", DEFAULT_BODY_LIMIT)
        self._inbox = Inbox(_limit(welcome, "argument_limit", DEFAULT_BODY_LIMIT))
        self._surroundings = Surroundings(self._attention)
        self._results = Results(sock, ring, self._result_limit, self._attention, self._surroundings, self._output)
        self._preload_failures = {module: reason for module, _, reason in preload_failures}
        self._draining = False

    def run(self):
        self._output.install()
        self._surroundings.watch(self._in_forked_child)
        try:
            self._loop()
        except ProtocolError as error:
            os.write(2, ("funcx worker %d: %s\n" % (os.getpid(), error)).encode())
            os._exit(EXIT_PROTOCOL)
        except (BrokenPipeError, ConnectionResetError):
            os._exit(0)

    def _loop(self):
        sock, ring, inbox, attention = self._sock, self._ring, self._inbox, self._attention
        waiting, cancelled = inbox.waiting, inbox.cancelled
        time_ns, parse = time.time_ns, scan_json
        find_entry, put = self._functions.entry, self._results.put
        pack_result, head_bytes, result_kind, json_content = PACK_RESULT, RESULT_HEAD_BYTES, RESULT, JSON
        if ring is not None:
            memory, counters, release, acquire = ring.memory, ring.counters, ring.release, ring.acquire
            base, room = ring.base, ring.room
        else:
            # Nothing fits a ring without room: every result takes the slow way, over the socket.
            memory, counters, release, acquire = bytes(SKIP_OFFSET + 1), [0, 0], _nothing, _nothing
            base = room = 0
        # Values below `short` bytes take the shortest way, those up to `largest` still stay in the loop.
        largest = min((ring.largest if ring is not None else 0) - RESULT_HEAD_BYTES, self._result_limit)
        short = min(SHORT_VALUE, self._result_limit)
        buffer = bytearray(INPUT_BYTES)
        position = end = 0
        guess, unpack = HEADER_BYTES, reader_for(HEADER_BYTES)
        current, entry = None, None
        written = announced = taken = 0
        started = last_bell = 0
        arguments = value = body = data = None

        while True:
            if waiting and (waiting[0].complete or waiting[0].fields[1] == TASK and memory[SKIP_OFFSET] and ring.skipped(taken)):
                first = waiting.popleft()
                _, kind, _, head, function, middle, content, deadline, _ = first.fields
                body, refusal = first.body, first.refusal
                if not first.complete:
                    inbox.give_up(first)
                first = None
                if kind == FUNCTION:
                    self._functions.define(function, body)
                    current = None
                    continue
            else:
                while True:
                    if position + guess <= end:
                        length, kind, flags, head, function, middle, content, deadline, body = unpack(buffer, position)
                        if length == guess:
                            break
                    length = HEADER_BYTES
                    if end - position >= HEADER_BYTES:
                        length = LENGTH.unpack_from(buffer, position)[0]
                        if not HEADER_BYTES <= length <= MAX_FRAME:
                            frames.check_length(length)
                        if position + length <= end:
                            guess, unpack = length, reader_for(length)
                            continue
                    # The input is used up. First tell what is finished, then tidy, then wait.
                    if written != announced:
                        counters[WRITTEN] = written
                        ring.ring_doorbell()
                        announced = written
                        last_bell = time_ns() // 1000
                    if self._draining and not waiting:
                        os._exit(0)
                    arguments = value = body = data = text = None
                    self._output.install()
                    buffer, position, end = self._make_input_room(buffer, position, end, length)
                    received = sock.recv_into(memoryview(buffer)[end:])
                    if received == 0:
                        os._exit(0)
                    end += received
                    started = time_ns() // 1000
                position += length
                if kind != TASK or flags or waiting:
                    fields = unpack(buffer, position - length)
                    if kind != TASK:
                        self._take_control(kind, fields)
                        current = None
                        continue
                    if flags & SYNC:
                        last_bell = 0
                    if flags & SEGMENTED or waiting:
                        inbox.add(fields)
                        continue
                refusal = None

            taken += 1
            counters[WRITTEN] = written
            counters[STARTED] = taken
            release()
            acquire()
            if memory[SKIP_OFFSET] and ring.skipped(taken - 1):
                ring.forget()
                cancelled.discard(head[ID])
                continue
            arguments = None
            outcome = VALUE
            try:
                if cancelled or deadline or refusal:
                    self._refuse(refusal, head, deadline, started)
                if function != current:
                    entry = find_entry(function)
                    current = function
                if content == json_content:
                    text = body.decode()
                    try:
                        arguments, stop = parse(text, 0)
                        if stop != len(text):
                            arguments = parse_json_arguments(text)
                    except (StopIteration, ValueError):
                        arguments = parse_json_arguments(text)
                    if type(arguments) is list:
                        value = entry(*arguments)
                    else:
                        value = call_with_object(entry, arguments)
                    kind_of_value = type(value)
                    if kind_of_value is int:
                        data = b"%d" % value
                    elif value is None:
                        data = b"null"
                    else:
                        data = to_json(value)
                else:
                    content, data = call_and_encode(content, entry, body)
            except BaseException as error:
                # Whatever user code raises, SystemExit and KeyboardInterrupt included, is its task's outcome.
                if attention:
                    self._surroundings.end_if_forked(error)
                outcome, data = self._failure(error, content, arguments)
                content = JSON
            ended = time_ns() // 1000
            length = len(data)
            until = written + head_bytes + length
            if length < short and until <= room and not attention:
                pack_result[length](memory, written - base, head_bytes + length, result_kind, head, function, middle, content,
                                    outcome, content, started, ended, data)
                written = until
            elif length <= largest and until <= room and not attention:
                pack_result[0](memory, written - base, head_bytes + length, result_kind, head, function, middle, content,
                               outcome, content, started, ended, b"")
                memory[until - length - base:until - base] = data
                written = until
            else:
                written, base, room = put(written, taken, head, function, middle, content, outcome, started, ended, data)
            if not 0 <= ended - last_bell < DOORBELL_MICROSECONDS:
                if written != announced:
                    counters[WRITTEN] = written
                    ring.ring_doorbell()
                    announced = written
                last_bell = ended
                if ended - started >= LONG_TASK_MICROSECONDS:
                    buffer, position, end = self._look_ahead(buffer, position, end)
            started = ended

    # What follows runs seldom.

    def _take_control(self, kind, fields):
        _, _, flags, head, function, _, _, _, body = fields
        if kind == SEGMENT:
            self._inbox.add_segment((head[ID], function), flags, body)
        elif kind == FUNCTION:
            if flags & SEGMENTED:
                self._inbox.add(fields)
            else:
                self._functions.define(function, body)
        elif kind == CANCEL:
            self._inbox.cancel(head[ID])
        elif kind == DRAIN:
            self._draining = True
        elif kind not in (OWNER, CONTAINER, HEARTBEAT):
            raise ProtocolError("frame kind %d is not for a worker, or unknown to protocol %d" % (kind, frames.PROTOCOL_MAXIMUM))

    def _make_input_room(self, buffer, position, end, needed):
        """Moves what is left of the input to the front, into a larger buffer when a frame of `needed` bytes does not fit."""
        if position == end:
            position = end = 0
        if needed > len(buffer):
            larger = bytearray(LARGEST_INPUT_BYTES)
            larger[:end - position] = memoryview(buffer)[position:end]
            return larger, 0, end - position
        if position + needed > len(buffer) or len(buffer) - end < len(buffer) // 4:
            left = end - position
            with memoryview(buffer) as view:
                view[:left] = view[position:end]
            return buffer, 0, left
        return buffer, position, end

    def _look_ahead(self, buffer, position, end):
        """After a long task: what the manager said meanwhile."""
        buffer, position, end = self._make_input_room(buffer, position, end, HEADER_BYTES)
        if end < len(buffer):
            try:
                received = self._sock.recv_into(memoryview(buffer)[end:], 0, socket.MSG_DONTWAIT)
                if received == 0:
                    os._exit(0)
                end += received
            except BlockingIOError:
                pass
        self._inbox.find_cancels(buffer, position, end)
        return buffer, position, end

    def _refuse(self, refusal, head, deadline, now):
        """Raises when the task must not start."""
        if refusal is not None:
            raise refusal
        task_id = head[ID]
        if task_id in self._inbox.cancelled:
            self._inbox.cancelled.discard(task_id)
            raise Refusal(CANCELLED, "Cancelled", "cancelled before it started")
        if deadline and now > deadline:
            raise Refusal(EXPIRED, "Expired", "its turn came %.3f s after its deadline" % ((now - deadline) / 1e6))

    def _failure(self, error, content, arguments):
        """Outcome and value of a task that has none."""
        try:
            if isinstance(error, FunctionUnusable):
                return EXCEPTION, error.body
            if isinstance(error, Refusal):
                return error.outcome, failure_body(error.kind, error.message)
            if content == JSON and arguments is None and isinstance(error, (UnicodeDecodeError, RecursionError)):
                return EXCEPTION, describe(ArgumentsUnreadable("the arguments are not JSON: %s" % error))
            return EXCEPTION, describe(error, self._preload_note(error))
        except BaseException as second:  # no memory even for the explanation
            return EXCEPTION, b'{"type":"%s","message":"(and %s while it was described)","traceback":null}' % (
                type(error).__name__.encode("ascii", "replace"), type(second).__name__.encode("ascii", "replace"))

    def _preload_note(self, error):
        if isinstance(error, ImportError) and error.name:
            module = error.name.partition(".")[0]
            if module in self._preload_failures:
                return " (the preload of '%s' on this node failed: %s)" % (module, self._preload_failures[module])
        return ""

    def _in_forked_child(self):
        self._sock.close()
        self._output.write_through_descriptors()


def work(sock, ring, preload_failures=()):
    """Greets the manager and runs tasks until it closes the socket."""
    faulthandler.enable(2)
    sock.sendall(frames.hello("worker", os.getpid(), window=WINDOW, ring=ring is not None))
    welcome = frames.read_welcome(sock)
    if welcome is None:
        os._exit(0)
    Worker(sock, ring, welcome, preload_failures).run()
