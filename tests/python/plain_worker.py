#!/usr/bin/python3
"""A worker written from protocol/README.md alone: it imports nothing of this project, and has no result ring.

An endpoint runs it with `workers: {python: .../plain_worker.py, isolation: spawn}`: the manager starts that program with its socket as descriptor 0."""
import contextlib
import io
import json
import os
import pickle
import socket
import struct
import time
import traceback

HEADER = struct.Struct("<IBBHI12sIIIIIIIBBHq")  # length, kind, flags, attempt, epoch, batch, index, function .. ticket, content type, priority, 0, deadline
PREFIX = struct.Struct("<BBhIIIqqqqqq")  # outcome, content type, code, stdout and stderr bytes, 0, six times
MOST = 262144
HELLO, WELCOME, FUNCTION, TASK, RESULT, SEGMENT, DRAIN = 1, 2, 4, 7, 8, 9, 18
SEGMENTED, LAST = 1, 2
NONE, JSON, PICKLE, OCTETS = 0, 1, 2, 3
VALUE, EXCEPTION, REJECTED, EXPIRED = 1, 2, 8, 9


class Refused(Exception):
    """The task ends without having run."""

    def __init__(self, outcome, message):
        super().__init__(message)
        self.outcome = outcome


def read(stream):
    head = stream.read(HEADER.size)
    if len(head) < HEADER.size:
        os._exit(0)  # the manager has closed the socket
    fields = list(HEADER.unpack(head))
    return fields, stream.read(fields[0] - HEADER.size)


def read_body(stream, fields, body):
    if not fields[2] & SEGMENTED:
        return body
    whole = bytearray(body[8:])
    while True:
        segment, piece = read(stream)  # one task at a time: nothing else comes between
        whole += piece
        if segment[2] & LAST:
            return bytes(whole)


def frame(fields, kind, flags, body):
    return HEADER.pack(HEADER.size + len(body), kind, flags, *fields[3:]) + body


def answer(sock, fields, outcome, content, value, out, err, started):
    now = int(time.time() * 1e6)
    fields = fields[:13] + [content, 0, 0, 0]
    body = PREFIX.pack(outcome, content, 0, len(out), len(err), 0, 0, 0, 0, started, now, 0) + value + out + err
    if len(body) <= MOST:
        return sock.sendall(frame(fields, RESULT, 0, body))
    sock.sendall(frame(fields, RESULT, SEGMENTED, struct.pack("<Q", len(body)) + body[:MOST - 8]))
    for at in range(MOST - 8, len(body), MOST):
        sock.sendall(frame(fields, SEGMENT, LAST if at + MOST >= len(body) else 0, body[at:at + MOST]))


def call(functions, fields, body):
    number, content, deadline = fields[7], fields[13], fields[16]
    if number not in functions or content > OCTETS:
        raise Refused(REJECTED, "function number %d or content type %d is unknown to this worker" % (number, content))
    if deadline and time.time() * 1e6 > deadline:
        raise Refused(EXPIRED, "the deadline had passed before the task started")
    if isinstance(functions[number], dict):
        functions[number] = define(functions[number])  # with its first task, kept for the next ones
    entry = functions[number]
    if content == OCTETS:
        return OCTETS, entry(body) or b""
    args, kwargs = pickle.loads(body) if content == PICKLE else (json.loads(body) if content == JSON else [], {})
    if isinstance(args, dict):
        args, kwargs = args.get("args", []), args.get("kwargs", {})
    value = entry(*args, **kwargs)
    return (PICKLE, pickle.dumps(value, 5)) if content == PICKLE else (JSON, json.dumps(value, allow_nan=False).encode())


def define(description):
    if description["kind"] != "python":
        raise Refused(REJECTED, "this worker runs no functions of kind %s" % description["kind"])
    module = {"__name__": "plain"}
    exec(description["source"], module)
    return module[description["entry"]]


def main():
    sock = socket.socket(fileno=os.dup(0))
    stream, functions = sock.makefile("rb"), {}
    hello = {"role": "worker", "version": "plain", "protocol_minimum": 1, "protocol_maximum": 1, "pid": os.getpid(), "runtime": "plain"}
    sock.sendall(frame([0] * 5 + [b""] + [0] * 11, HELLO, 0, json.dumps(hello).encode()))
    while True:
        fields, body = read(stream)
        if fields[1] == FUNCTION:
            functions[fields[7]] = json.loads(body)
        elif fields[1] == DRAIN:
            os._exit(0)
        elif fields[1] == TASK:
            body, started, out, err = read_body(stream, fields, body), int(time.time() * 1e6), io.StringIO(), io.StringIO()
            try:
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    (content, value), outcome = call(functions, fields, body), VALUE
            except BaseException as problem:
                content, outcome = JSON, getattr(problem, "outcome", EXCEPTION)
                value = json.dumps({"type": type(problem).__name__, "message": str(problem), "traceback": traceback.format_exc()}).encode()
            answer(sock, fields, outcome, content, value, out.getvalue().encode(), err.getvalue().encode(), started)


main()
